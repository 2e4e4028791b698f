//! Chats that wait for the model keep nobody else waiting.

use anyhow::Result;
use futures::future::join_all;
use kaito_tests::backend::{Backend, Gate, Reply};
use serde_json::json;

use super::{question, texts, with, with_facts};

#[tokio::test]
async fn everything_else_goes_on_while_as_many_chats_as_are_allowed_wait_for_the_model() -> Result<()> {
    let backend = Backend::start().await?;
    let gate = Gate::closed();
    backend.reply([Reply::text("At last.").held(&gate)]);
    let variables = [("RAG_MAX_CONCURRENT_CHATS", "8"), ("RAG_MAX_CONCURRENT_REQUESTS", "4")];
    let running = with_facts(&backend, &variables).await?;
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let client = running.client().clone();
            tokio::spawn(async move { client.chat(&question("Where is vault 12?")).await })
        })
        .collect();
    backend.wait_for_requests(8).await?;
    let ninth = running.client().chat(&question("Where is vault 12?")).await?;
    assert_eq!(
        (ninth.status.as_u16(), &ninth.headers["retry-after"]),
        (503, &"1".parse()?)
    );
    running
        .client()
        .retrieve(&json!({"index_name": "facts", "query": "ferry"}))
        .await?;
    running.client().index("more", &texts(&["another"])).await?;
    for path in ["/health", "/ready", "/metrics", "/indexes"] {
        assert_eq!(running.client().get(path).await?.status, 200, "{path}");
    }
    gate.open();
    for chat in join_all(waiting).await {
        assert_eq!(chat??.status, 200);
    }
    assert_eq!(
        running.client().chat(&question("Where is vault 12?")).await?.status,
        200
    );
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_to_the_model_along() -> Result<()> {
    let backend = Backend::start().await?;
    backend.reply([Reply::hang()]);
    let running = with_facts(&backend, &[]).await?;
    let client = running.client().clone();
    let chat = tokio::spawn(async move { client.chat(&question("Where is vault 12?")).await });
    backend.wait_for_requests(1).await?;
    chat.abort();
    backend.cancelled().await
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_takes_it_along() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[]).await?;
    let plain = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "hello"}]});
    for (gone, body) in [plain, with(question("Where is vault 12?"), json!({"stream": true}))]
        .iter()
        .enumerate()
    {
        backend.reply([Reply::text("one two three").shaped(|script| script.hang_after(2))]);
        let mut stream = running.client().chat_stream(body).await?;
        stream.data().await?;
        drop(stream);
        backend.wait_until(|counts| counts.cancelled == gone + 1).await?;
    }
    Ok(())
}
