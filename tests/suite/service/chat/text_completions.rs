//! Backends that complete texts and know no chats.

use anyhow::Result;
use kaito_tests::backend::Backend;
use kaito_tests::event_stream::{Event, streamed_text};
use serde_json::json;

use super::{question, texts, with};
use crate::service::Running;

#[tokio::test]
async fn a_chat_becomes_a_prompt_and_its_continuation_a_message() -> Result<()> {
    let backend = Backend::start().await?;
    let running = Running::start_with(&[("LLM_INFERENCE_URL", &backend.completions_url())]).await?;
    running
        .client()
        .index("facts", &texts(&["The vault is number 12."]))
        .await?;
    let body = with(question("Which vault is it?"), json!({"max_tokens": 9, "stop": ["\n"]}));
    let answer = running.client().chat(&body).await?.success()?;
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["choices"][0]["message"]["role"], "assistant");
    assert_eq!(answer["grounded"], true);
    let sent = backend.last_request()?;
    assert_eq!(sent.path, "/v1/completions");
    let prompt = sent.body["prompt"].as_str().unwrap_or_default();
    assert!(
        prompt.contains("The vault is number 12.") && prompt.ends_with("user: Which vault is it?\nassistant: "),
        "{prompt}"
    );
    assert_eq!(
        (&sent.body["max_tokens"], &sent.body["stop"]),
        (&json!(9), &json!(["\n"]))
    );
    assert!(sent.body.get("messages").is_none());
    Ok(())
}

#[tokio::test]
async fn streams_are_converted_too() -> Result<()> {
    let backend = Backend::start().await?;
    let running = Running::start_with(&[("LLM_INFERENCE_URL", &backend.completions_url())]).await?;
    let plain = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "ping pong"}]});
    let events = running.client().chat_stream(&plain).await?.rest().await?;
    assert!(streamed_text(&events, 0).contains("ping pong"), "{events:?}");
    assert!(
        events
            .iter()
            .filter_map(Event::data)
            .all(|chunk| chunk["object"] == "chat.completion.chunk")
    );
    assert_eq!(events.last(), Some(&Event::Done));
    Ok(())
}

#[tokio::test]
async fn what_a_text_model_cannot_take_is_refused() -> Result<()> {
    let backend = Backend::start().await?;
    let running = Running::start_with(&[("LLM_INFERENCE_URL", &backend.completions_url())]).await?;
    let image = json!([{"type": "image_url", "image_url": {"url": "u"}}]);
    for body in [
        json!({"model": "m", "messages": [{"role": "user", "content": image}]}),
        json!({"model": "m", "tools": [{"type": "function", "function": {"name": "f"}}], "messages": [{"role": "user", "content": "q"}]}),
    ] {
        assert_eq!(running.client().chat(&body).await?.status, 400, "{body}");
    }
    assert_eq!(backend.counts().received, 0);
    Ok(())
}
