//! Streamed answers.

use anyhow::Result;
use kaito_tests::backend::{Backend, Gate, Reply, Script};
use kaito_tests::event_stream::{Event, EventStream, streamed_text};
use serde_json::{Value, json};

use super::{Running, question, with, with_facts};

fn streamed(body: Value) -> Value {
    with(body, json!({"stream": true}))
}

fn plain() -> Value {
    streamed(json!({"model": "m", "messages": [{"role": "user", "content": "hello"}]}))
}

#[tokio::test]
async fn a_stream_without_an_index_is_handed_through_byte_for_byte() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[]).await?;
    let text = ": hi\r\n\r\ndata: {\"a\" :1,  \"b\":\"\\u00e4\"}\r\n\r\nevent: x\r\ndata: [DONE]\r\n\r\n";
    for size in [1, 3, 1000] {
        backend.reply([Reply::stream(Script::new().raw(text).split_every(size))]);
        let answer = reqwest::Client::new()
            .post(format!("{}/v1/chat/completions", running.client().base()))
            .json(&plain())
            .send()
            .await?;
        assert_eq!(answer.headers()["content-type"], "text/event-stream; charset=utf-8");
        assert_eq!(answer.headers()["cache-control"], "no-cache");
        assert_eq!(answer.headers()["x-accel-buffering"], "no");
        assert_eq!(answer.text().await?, text);
    }
    assert_eq!(backend.last_request()?.body["stream"], true);
    Ok(())
}

#[tokio::test]
async fn every_chunk_arrives_before_the_next_one_is_written() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[]).await?;
    for body in [plain(), streamed(question("Where is vault 12?"))] {
        let gate = Gate::closed();
        backend.reply([Reply::text("one two three").gated(&gate)]);
        gate.release(1);
        let mut stream = running.client().chat_stream(&body).await?;
        let mut seen = vec![Event::Data(stream.data().await?)];
        while !matches!(seen.last(), Some(Event::Done) | None) {
            gate.release(1);
            seen.extend(stream.next().await?);
        }
        assert_eq!(streamed_text(&seen, 0), "one two three");
    }
    Ok(())
}

#[tokio::test]
async fn sources_and_annotations_follow_before_done() -> Result<()> {
    let backend =
        Backend::replying([Reply::text("It is vault 12 [1].").in_pieces(&["It is vault 12 [", "1", "]."])]).await?;
    let running = with_facts(&backend, &[]).await?;
    let body = with(
        streamed(question("Where is the archive of the Orlin expedition?")),
        json!({"stream_options": {"include_usage": true}}),
    );
    let events = rest(&running, &body).await?;
    assert_eq!(events.last(), Some(&Event::Done));
    assert_eq!(streamed_text(&events, 0), "It is vault 12 [1].");
    let last = sources_chunk(&events)?;
    assert_eq!(
        (&last["choices"][0]["delta"], &last["grounded"]),
        (&json!({}), &json!(true))
    );
    let first_source = &last["source_nodes"][0];
    assert!(first_source["text"].as_str().unwrap_or_default().contains("vault 12"));
    let annotation = &last["annotations"][0];
    assert_eq!(
        (&annotation["choice"], &annotation["type"]),
        (&json!(0), &json!("file_citation"))
    );
    assert_eq!(annotation["file_citation"]["start_index"], 15);
    assert_eq!(annotation["file_citation"]["file_id"], first_source["doc_id"]);
    let usage: Vec<&Value> = events
        .iter()
        .filter_map(|event| event.data()?.get("usage").filter(|usage| usage.is_object()))
        .collect();
    assert_eq!(usage.len(), 1, "usage as asked for");
    let ids: std::collections::BTreeSet<String> = events
        .iter()
        .filter_map(|event| Some(event.data()?["id"].to_string()))
        .collect();
    assert_eq!(ids.len(), 1, "all chunks belong together");
    assert!(backend.last_request()?.body["stream_options"] == json!({"include_usage": true}));
    Ok(())
}

#[tokio::test]
async fn sources_can_be_had_first_and_an_ungrounded_stream_says_so() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[]).await?;
    let first = with(
        streamed(question("Where is vault 12?")),
        json!({"stream_options": {"include_sources": "first"}}),
    );
    let events = rest(&running, &first).await?;
    let head = events[0].data().cloned().unwrap_or_default();
    assert_eq!(head["source_nodes"], sources_chunk(&events)?["source_nodes"]);
    assert_eq!(head["grounded"], true);
    assert!(backend.last_request()?.body.get("stream_options").is_none());

    let nothing = with(
        streamed(question("Where is vault 12?")),
        json!({"metadata_filter": {"year": 1}}),
    );
    let events = rest(&running, &nothing).await?;
    let last = sources_chunk(&events)?;
    assert_eq!((&last["source_nodes"], &last["grounded"]), (&json!([]), &json!(false)));
    Ok(())
}

#[tokio::test]
async fn unknown_fields_several_choices_and_tool_calls_survive() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[]).await?;
    let call =
        json!([{"index": 0, "id": "call_0", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]);
    let chunks = [
        json!({"id": "x", "x_unknown": [1], "choices": [{"index": 1, "delta": {"content": "b", "reasoning_content": "r"}, "logprobs": {"content": []}}]}),
        json!({"id": "x", "choices": [{"index": 0, "delta": {"tool_calls": call}, "finish_reason": "tool_calls"}]}),
    ];
    backend.reply([Reply::stream(
        Script::new().comment("ping").events(chunks.clone()).done(),
    )]);
    let events = rest(&running, &streamed(question("Where is vault 12?"))).await?;
    let data: Vec<&Value> = events.iter().filter_map(Event::data).collect();
    assert_eq!(data[..2], [&chunks[0], &chunks[1]]);
    Ok(())
}

#[tokio::test]
async fn a_backend_that_breaks_off_becomes_an_error_event_and_a_clean_end() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[]).await?;
    for body in [plain(), streamed(question("Where is vault 12?"))] {
        backend.reply([Reply::text("one two three").shaped(|script| script.disconnect_after(2))]);
        let events = rest(&running, &body).await?;
        let error = events
            .get(events.len() - 2)
            .and_then(Event::data)
            .cloned()
            .unwrap_or_default();
        assert_eq!(error["error"]["type"], "backend_error", "{events:?}");
        assert_eq!(events.last(), Some(&Event::Done));
    }
    backend.reply([Reply::stream(Script::new().raw("data: {\"choices\": [tru"))]);
    let events = rest(&running, &streamed(question("Where is vault 12?"))).await?;
    assert!(
        events[0]
            .data()
            .is_some_and(|data| data["error"]["type"] == "backend_error")
    );
    Ok(())
}

#[tokio::test]
async fn an_end_without_done_is_an_end_if_the_answer_was_finished() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[]).await?;
    backend.reply([Reply::text("one two").shaped(Script::without_done)]);
    let events = rest(&running, &streamed(question("Where is vault 12?"))).await?;
    assert_eq!(streamed_text(&events, 0), "one two");
    assert_eq!(sources_chunk(&events)?["grounded"], true);
    Ok(())
}

#[tokio::test]
async fn done_is_an_end_whatever_was_said_before_and_half_of_two_choices_is_none() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[]).await?;
    let chunk = |index: u64, reason: Value| json!({"id": "x", "choices": [{"index": index, "delta": {"content": "a"}, "finish_reason": reason}]});
    backend.reply([Reply::stream(Script::new().event(&chunk(0, Value::Null)).done())]);
    let events = rest(&running, &streamed(question("Where is vault 12?"))).await?;
    assert_eq!(sources_chunk(&events)?["grounded"], true);
    backend.reply([Reply::stream(
        Script::new().events([chunk(0, json!("stop")), chunk(1, Value::Null)]),
    )]);
    let events = rest(&running, &streamed(question("Where is vault 12?"))).await?;
    assert!(
        events
            .iter()
            .any(|event| event.data().is_some_and(|data| data.get("error").is_some())),
        "{events:?}"
    );
    Ok(())
}

#[tokio::test]
async fn an_error_of_the_backend_inside_a_stream_is_passed_on_if_it_is_about_the_request() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[]).await?;
    for (code, is_passed_on) in [(json!(400), true), (json!(500), false), (json!("oops"), false)] {
        let error = json!({"error": {"message": "too many tokens", "type": "server_error", "code": code}});
        backend.reply([Reply::stream(Script::new().event(&error).done())]);
        let events = rest(&running, &streamed(question("Where is vault 12?"))).await?;
        assert_eq!(events.len(), 2, "{events:?}");
        assert_eq!(events[0] == Event::Data(error), is_passed_on, "{events:?}");
        assert_eq!(events[1], Event::Done);
    }
    Ok(())
}

/// What is not read is not produced: of an endless answer only what fits the buffers between is written.
#[tokio::test]
async fn a_slow_reader_slows_the_backend_down() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[]).await?;
    let chunk = json!({"id": "x", "choices": [{"index": 0, "delta": {"content": "x".repeat(60_000)}}]});
    for body in [plain(), streamed(question("Where is vault 12?"))] {
        let script = Script::new().events(vec![chunk.clone(); 2000]).done();
        backend.reply([Reply::stream(script)]);
        let mut stream = running.client().chat_stream(&body).await?;
        stream.data().await?;
        let mut sent = 0;
        // It stops growing: everything on the way is full.
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            let now = backend.last_request()?.sent();
            if now == sent {
                break;
            }
            sent = now;
        }
        assert!(
            sent < 1000,
            "{sent} chunks of 60 kB were written for a client that read one"
        );
    }
    Ok(())
}

async fn rest(running: &Running, body: &Value) -> Result<Vec<Event>> {
    let mut stream: EventStream = running.client().chat_stream(body).await?;
    stream.rest().await
}

fn sources_chunk(events: &[Event]) -> Result<Value> {
    let chunk = events
        .iter()
        .rev()
        .find_map(|event| event.data().filter(|data| data.get("source_nodes").is_some()));
    anyhow::Ok(chunk.cloned().unwrap_or_default())
}
