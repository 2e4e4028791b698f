//! What a client is told when the backend fails.

use std::time::Duration;

use anyhow::Result;
use kaito_tests::backend::{Backend, Reply};
use serde_json::{Value, json};

use super::{question, with_backend, with_facts};

/// A chat with passages and one without.
fn both() -> [Value; 2] {
    let plain = json!({"model": "m", "messages": [{"role": "user", "content": "hello"}]});
    [question("Where is vault 12?"), plain]
}

#[tokio::test]
async fn a_refusal_keeps_its_status_and_its_words() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[("RAG_LLM_RETRIES", "0")]).await?;
    for body in both() {
        for status in [400, 401, 404, 413, 422] {
            backend.reply([Reply::error(status, "the prompt is too blue")]);
            let answer = running.client().chat(&body).await?;
            assert_eq!(answer.status, status);
            let detail = answer.body["detail"].as_str().unwrap_or_default();
            assert!(detail.contains("too blue"), "{detail}");
            let error = &answer.body["error"];
            assert_eq!(error["message"], "the prompt is too blue");
            assert_eq!(
                (&error["type"], &error["source"]),
                (&json!("test_error"), &json!("backend"))
            );
        }
        backend.reply([Reply::bytes("text/plain", "no such thing").status(404)]);
        let answer = running.client().chat(&body).await?;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["detail"]),
            (404, &json!("no such thing"))
        );
        assert_eq!(answer.body["error"]["message"], "no such thing");
    }
    Ok(())
}

#[tokio::test]
async fn too_many_requests_stay_that_and_say_when_to_come_back() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[]).await?;
    for body in both() {
        backend.reply([Reply::error(429, "slow down").header("Retry-After", "60")]);
        let before = backend.counts().received;
        let answer = running.client().chat(&body).await?;
        assert_eq!(answer.status, 429);
        assert_eq!(answer.headers["retry-after"], "60");
        assert_eq!(backend.counts().received, before + 1, "a minute is not waited for");
    }
    Ok(())
}

#[tokio::test]
async fn a_failure_keeps_its_status_and_tells_nothing_of_the_inside() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[("RAG_LLM_RETRIES", "0")]).await?;
    for mut body in both() {
        for stream in [false, true] {
            body["stream"] = json!(stream);
            for status in [500, 502, 503, 504] {
                backend.reply([Reply::error(status, "stack trace of the inside")]);
                let answer = running.client().chat(&body).await?;
                assert_eq!(answer.status, status);
                let detail = answer.body["detail"].as_str().unwrap_or_default();
                assert!(detail.contains("An unexpected error occurred"), "{detail}");
                assert!(!answer.body.to_string().contains("stack trace"), "{}", answer.body);
                assert!(answer.body["request_id"].is_string());
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_answer_is_a_bad_gateway() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(
        &backend,
        &[("RAG_LLM_RETRIES", "0"), ("RAG_LLM_MAX_ANSWER_BYTES", "100000")],
    )
    .await?;
    let broken = [
        Reply::bytes("text/html", "<html>hello</html>"),
        Reply::json(json!([1, 2])),
        Reply::json(json!({"choices": "none"})),
        Reply::text("").status(302).header("Location", "http://127.0.0.1:1/"),
        Reply::text("x".repeat(200_000)),
        Reply::hang_up(),
    ];
    for body in both() {
        for reply in broken.clone() {
            backend.reply([reply]);
            let answer = running.client().chat(&body).await?;
            assert_eq!(answer.status, 502, "{}", answer.body);
            assert!(answer.body["request_id"].is_string());
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_moment_of_weakness_is_not_noticed() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[]).await?;
    for mut body in both() {
        for stream in [false, true] {
            body["stream"] = json!(stream);
            backend.reply([
                Reply::error(503, "loading").header("Retry-After", "0"),
                Reply::error(429, "busy"),
                Reply::text("Here I am."),
            ]);
            let before = backend.counts().received;
            if stream {
                let mut events = running.client().chat_stream(&body).await?;
                events.rest().await?;
            } else {
                let answer = running.client().chat(&body).await?.success()?;
                assert_eq!(answer["choices"][0]["message"]["content"], "Here I am.");
            }
            assert_eq!(backend.counts().received, before + 3);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_failure_that_may_have_been_worked_on_is_not_repeated() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[("RAG_LLM_READ_TIMEOUT_SECONDS", "1")]).await?;
    backend.reply([Reply::error(500, "out of memory"), Reply::text("never")]);
    assert_eq!(
        running.client().chat(&question("Where is vault 12?")).await?.status,
        500
    );
    backend.reply([Reply::text("late").late(Duration::from_secs(60)), Reply::text("never")]);
    let answer = running.client().chat(&question("Where is vault 12?")).await?;
    assert_eq!(answer.status, 504, "{}", answer.body);
    assert_eq!(backend.counts().received, 2);
    Ok(())
}

#[tokio::test]
async fn a_backend_that_is_not_there_is_a_bad_gateway_and_its_return_is_noticed() -> Result<()> {
    let backend = Backend::start().await?;
    let address = backend.address().to_string();
    let running = with_backend(&backend, &[("RAG_LLM_RETRIES", "0")]).await?;
    backend.stop().await?;
    let plain = &both()[1];
    assert_eq!(running.client().chat(plain).await?.status, 502);
    let _backend = Backend::start_on(&address).await?;
    assert_eq!(running.client().chat(plain).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn the_key_goes_to_the_backend_and_the_clients_own_does_not() -> Result<()> {
    let backend = Backend::start().await?;
    backend.require_key("s3cret");
    let running = with_backend(&backend, &[]).await?;
    let answer = reqwest::Client::new()
        .post(format!("{}/v1/chat/completions", running.client().base()))
        .bearer_auth("client-key")
        .json(&both()[1])
        .send()
        .await?;
    assert_eq!(answer.status(), 200);
    let request = backend.last_request()?;
    assert_eq!(request.header("authorization"), Some("Bearer s3cret"));
    assert!(
        request
            .header("user-agent")
            .is_some_and(|agent| agent.starts_with("KAITO-RagEngine/"))
    );
    let (_, log) = running.service.stop().await?;
    assert!(!log.contains("s3cret"));
    Ok(())
}
