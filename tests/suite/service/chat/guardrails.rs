//! What may not leave does not leave, and a change of policy takes effect without a restart.

use std::path::Path;

use anyhow::Result;
use kaito_tests::backend::{Backend, Reply, Script};
use kaito_tests::event_stream::{Event, streamed_text};
use serde_json::{Value, json};

use super::{Running, question, texts, with, with_backend, with_facts};

// Put together here so that this file holds nothing that looks like a key.
fn github_token() -> String {
    format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8")
}

fn plain() -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": "hello"}]})
}

#[tokio::test]
async fn the_default_policy_redacts_answers_reasoning_tool_calls_and_sources() -> Result<()> {
    let token = github_token();
    let backend = Backend::start().await?;
    let running = with_backend(&backend, &[("OUTPUT_GUARDRAILS_ENABLED", "True")]).await?;
    running
        .client()
        .index(
            "facts",
            &texts(&[&format!("The deploy key of vault 12 is {token} for now.")]),
        )
        .await?;
    let replies = [
        Reply::text(format!("Use {token}, or write to jane.doe@example.org.")).reasoning(&format!("It is {token}.")),
        Reply::tool_calls(&[("deploy", json!({"key": token}))]),
    ];
    for reply in replies {
        for stream in [false, true] {
            backend.reply([reply.clone()]);
            let body = with(
                question("What is the deploy key of vault 12?"),
                json!({"stream": stream}),
            );
            let seen = if stream {
                let events = running.client().chat_stream(&body).await?.rest().await?;
                assert!(
                    events
                        .iter()
                        .any(|event| event.data().is_some_and(|data| data["grounded"] == true))
                );
                format!("{events:?}{}", streamed_text(&events, 0))
            } else {
                let answer = running.client().chat(&body).await?.success()?;
                assert_eq!(answer["grounded"], true);
                answer.to_string()
            };
            assert!(!seen.contains(&token[8..]), "{seen}");
            assert!(!seen.contains("jane.doe"), "{seen}");
        }
    }
    // The model itself may read what the documents say.
    assert!(backend.last_request()?.body.to_string().contains(&token));
    let (_, log) = running.service.stop().await?;
    assert!(log.contains("output_guardrails_triggered"), "{log}");
    assert!(!log.contains(&token), "the audit log names scanners, not secrets");
    Ok(())
}

#[tokio::test]
async fn a_secret_cut_anywhere_by_the_stream_does_not_arrive() -> Result<()> {
    let token = github_token();
    let backend = Backend::start().await?;
    let running = with_backend(&backend, &[("OUTPUT_GUARDRAILS_ENABLED", "true")]).await?;
    let text = format!("The key is {token} and nothing else.");
    let chunk = |piece: &str| json!({"id": "x", "choices": [{"index": 0, "delta": {"content": piece}}]});
    let finish = json!({"id": "x", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    for cut in 1..text.len() {
        let (before, after) = text.split_at(cut);
        backend.reply([Reply::stream(
            Script::new()
                .comment("ping")
                .events([chunk(before), chunk(after), finish.clone()])
                .done(),
        )]);
        let events = running
            .client()
            .chat_stream(&with(plain(), json!({"stream": true})))
            .await?
            .rest()
            .await?;
        let seen = streamed_text(&events, 0);
        assert!(
            seen.starts_with("The key is ") && seen.ends_with(" and nothing else."),
            "{cut}: {seen}"
        );
        assert!(!format!("{events:?}").contains(&token[4..]), "{cut}: {seen}");
    }
    Ok(())
}

#[tokio::test]
async fn a_blocked_answer_is_the_block_message() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let policy = directory.path().join("guardrails.yaml");
    std::fs::write(
        &policy,
        "action: block\nblockMessage: Not for you.\nscanners: [{type: ban-substrings, substrings: [Vexilon]}]\n",
    )?;
    let backend = Backend::replying([Reply::text("The project is called Vexilon, they say.")]).await?;
    let running = with_facts(&backend, &policy_at(&policy)).await?;
    for body in [plain(), question("Where is vault 12?")] {
        let answer = running.client().chat(&body).await?.success()?;
        assert_eq!(answer["choices"][0]["message"]["content"], "Not for you.");
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
        let events = running
            .client()
            .chat_stream(&with(body, json!({"stream": true})))
            .await?
            .rest()
            .await?;
        assert!(streamed_text(&events, 0).ends_with("Not for you."), "{events:?}");
        assert!(!streamed_text(&events, 0).contains("Vexilon"));
        let reasons: Vec<&Value> = events
            .iter()
            .filter_map(|event| {
                event
                    .data()?
                    .pointer("/choices/0/finish_reason")
                    .filter(|reason| !reason.is_null())
            })
            .collect();
        assert_eq!(reasons, ["content_filter"]);
        assert_eq!(events.last(), Some(&Event::Done));
    }
    let metrics = running.client().metrics().await?;
    for line in [
        "ragengine_guardrails_response_actions_total{final_action=\"block\"} 4.0",
        "ragengine_guardrails_response_scanner_hits_total{scanner_type=\"ban_substrings\",action=\"block\"} 4.0",
        "output_guardrails_policy_load_total{policy_status=\"success\"} 1.0",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} is not in\n{metrics}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_policy_that_has_to_see_the_whole_answer_refuses_streams() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let policy = directory.path().join("guardrails.yaml");
    std::fs::write(&policy, "scanners: [{type: json, requiredElements: 1}]\n")?;
    let backend = Backend::replying([Reply::text("{\"a\": 1}")]).await?;
    let running = with_facts(&backend, &policy_at(&policy)).await?;
    let refused = running.client().chat(&with(plain(), json!({"stream": true}))).await?;
    assert_eq!(refused.status, 400);
    let detail = refused.body["detail"].as_str().unwrap_or_default();
    assert!(
        detail.starts_with("stream=true with output guardrails only supports ['ban_substrings'"),
        "{detail}"
    );
    assert!(detail.ends_with("Unsupported scanner: json."), "{detail}");
    assert_eq!(running.client().chat(&plain()).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn an_edit_takes_effect_and_a_broken_one_leaves_the_last_good_policy() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let policy = directory.path().join("guardrails.yaml");
    let banning = |word: &str| format!("scanners: [{{type: ban_substrings, substrings: [{word}]}}]\n");
    std::fs::write(&policy, banning("alpha"))?;
    let backend = Backend::replying([Reply::text("alpha beta gamma")]).await?;
    let running = with_facts(&backend, &policy_at(&policy)).await?;
    assert_eq!(said(&running).await?, "[REDACTED] beta gamma");

    std::fs::write(&policy, banning("beta"))?;
    running
        .metric("guardrails_policy_reload_total{result=\"success\"} 1.0")
        .await?;
    assert_eq!(said(&running).await?, "alpha [REDACTED] gamma");

    std::fs::write(&policy, "scanners: [}")?;
    running
        .metric("guardrails_policy_reload_total{result=\"failure\"} 1.0")
        .await?;
    assert_eq!(said(&running).await?, "alpha [REDACTED] gamma");
    let ready = running.client().get("/ready").await?;
    assert_eq!(ready.status, 200);
    assert!(ready.body["guardrails"]["problem"].is_string(), "{}", ready.body);
    assert!(
        running
            .client()
            .metrics()
            .await?
            .contains("guardrails_policy_outdated 1")
    );

    // Neither does an empty one, or a mistake in one of its scanners, switch anything off.
    for (round, broken) in (2..).zip(["", "scanner: []", "scanners: [{type: bananas}, {type: secrets}]"]) {
        std::fs::write(&policy, broken)?;
        running
            .metric(&format!(
                "guardrails_policy_reload_total{{result=\"failure\"}} {round}.0"
            ))
            .await?;
        assert_eq!(said(&running).await?, "alpha [REDACTED] gamma", "{broken:?}");
    }

    // As a kubelet updates a ConfigMap: the file is replaced as a whole.
    let next = directory.path().join("..next");
    std::fs::write(&next, banning("gamma"))?;
    std::fs::rename(&next, &policy)?;
    running
        .metric("guardrails_policy_reload_total{result=\"success\"} 2.0")
        .await?;
    assert_eq!(said(&running).await?, "alpha beta [REDACTED]");
    assert!(running.client().get("/ready").await?.body["guardrails"]["problem"].is_null());
    let (_, log) = running.service.stop().await?;
    assert!(log.contains("output_guardrails_reload_failed"), "{log}");
    Ok(())
}

#[tokio::test]
async fn what_the_backend_says_against_a_request_is_scanned_too() -> Result<()> {
    let token = github_token();
    let backend = Backend::replying([Reply::error(400, &format!("bad prompt: the key is {token}"))]).await?;
    let running = with_facts(&backend, &[("OUTPUT_GUARDRAILS_ENABLED", "true")]).await?;
    let answer = running.client().chat(&plain()).await?;
    assert_eq!(answer.status, 400);
    assert!(answer.body.to_string().contains("bad prompt") && !answer.body.to_string().contains(&token[8..]));
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_early_does_not_take_the_record_along() -> Result<()> {
    let token = github_token();
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[("OUTPUT_GUARDRAILS_ENABLED", "true")]).await?;
    let text = format!("The key is {token} and so on.");
    backend.reply([Reply::text(text).shaped(|script| script.hang_after(6))]);
    let mut stream = running
        .client()
        .chat_stream(&with(plain(), json!({"stream": true})))
        .await?;
    while !stream.data().await?.to_string().contains("REDACTED") {}
    drop(stream);
    running
        .metric("ragengine_guardrails_response_actions_total{final_action=\"redact\"} 1.0")
        .await
}

#[tokio::test]
async fn without_a_usable_policy_chats_are_refused_until_there_is_one() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let policy = directory.path().join("guardrails.yaml");
    let backend = Backend::replying([Reply::text("alpha")]).await?;
    let running = with_facts(&backend, &policy_at(&policy)).await?;
    assert_eq!(running.client().chat(&plain()).await?.status, 503);
    running
        .client()
        .retrieve(&json!({"index_name": "facts", "query": "vault"}))
        .await?;
    let ready = running.client().get("/ready").await?;
    assert!(
        ready.body["guardrails"]["problem"]
            .as_str()
            .is_some_and(|problem| problem.contains("guardrails.yaml"))
    );
    std::fs::write(&policy, "scanners: [{type: ban_substrings, substrings: [alpha]}]\n")?;
    running
        .metric("guardrails_policy_reload_total{result=\"success\"} 1.0")
        .await?;
    assert_eq!(said(&running).await?, "[REDACTED]");
    Ok(())
}

fn policy_at(path: &Path) -> [(&str, &str); 2] {
    [
        ("OUTPUT_GUARDRAILS_ENABLED", "true"),
        ("OUTPUT_GUARDRAILS_POLICY_PATH", path.to_str().unwrap_or_default()),
    ]
}

async fn said(running: &Running) -> Result<String> {
    let answer = running.client().chat(&plain()).await?.success()?;
    Ok(answer["choices"][0]["message"]["content"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}
