//! Chats: what the backend gets, and what the client gets back.

mod backend_errors;
mod decisions;
mod grounding;
mod guardrails;
mod isolation;
mod models;
mod streaming;
mod text_completions;

use anyhow::Result;
use kaito_tests::backend::Backend;
use serde_json::{Value, json};

use super::{Running, texts};

/// Facts that no model knows.
const FACTS: [&str; 4] = [
    "The reactor at Site 7 was commissioned in 1987 and is cooled with helium.",
    "Director Amara Quist signed the Veldt charter in a lighthouse.",
    "The archive of the Orlin expedition is kept in vault 12 below the east wing.",
    "Ferry line K runs every 40 minutes between Tarn and Osk.",
];

/// A service with a backend behind it and an index `facts`.
async fn with_facts(backend: &Backend, variables: &[(&str, &str)]) -> Result<Running> {
    let running = with_backend(backend, variables).await?;
    running.client().index("facts", &texts(&FACTS)).await?;
    Ok(running)
}

/// A service with a backend behind it.
async fn with_backend(backend: &Backend, variables: &[(&str, &str)]) -> Result<Running> {
    let url = backend.chat_url();
    let mut all = vec![("LLM_INFERENCE_URL", url.as_str()), ("LLM_ACCESS_SECRET", "s3cret")];
    all.extend(variables);
    Running::start_with(&all).await
}

/// A chat of one question about the facts.
fn question(text: &str) -> Value {
    json!({"model": "test-model", "index_name": "facts", "messages": [{"role": "user", "content": text}]})
}

/// The body with more members.
fn with(mut body: Value, more: Value) -> Value {
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}
