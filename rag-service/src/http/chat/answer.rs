//! An answer in one piece: scanned, its citations resolved, its sources attached.

use rag_core::chat::citation::CitationScanner;
use rag_guardrails::openai::guard_response;
use serde_json::{Map, Value};

use super::Exchange;
use super::sources::WireSources;
use crate::engine::Grounding;
use crate::guardrails::Scanned;
use crate::http::problem::Problem;
use crate::llm::Completion;

/// Makes the backend's completion the service's answer. Scanning a long text takes milliseconds, so it has a thread.
pub(super) async fn finish(completion: Completion, grounding: Grounding, exchange: Exchange) -> Result<Value, Problem> {
    let work = move || {
        let mut answer = Value::Object(completion);
        if let Some(policy) = &exchange.policy {
            let report = guard_response(policy, &mut answer);
            exchange.record(response_id(&answer), Scanned::Answer, &report);
        }
        let sources = WireSources::new(grounding, &exchange, response_id(&answer));
        if let Value::Object(answer) = &mut answer {
            annotate(answer, &sources);
            sources.describe(answer);
        }
        answer
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_panicked| Problem::guardrails_failed())
}

fn response_id(answer: &Value) -> &str {
    answer.get("id").and_then(Value::as_str).unwrap_or_default()
}

/// Adds `annotations` to every message that cites a passage.
fn annotate(answer: &mut Map<String, Value>, sources: &WireSources) {
    if sources.passage_count() == 0 {
        return;
    }
    let choices = answer.get_mut("choices").and_then(Value::as_array_mut);
    for choice in choices.into_iter().flatten() {
        let Some(message) = choice.get_mut("message").and_then(Value::as_object_mut) else {
            continue;
        };
        let Some(content) = message.get("content").and_then(Value::as_str) else {
            continue;
        };
        let mut scanner = CitationScanner::new(sources.passage_count());
        scanner.feed(content);
        let annotations = sources.annotations(&scanner.finish());
        if annotations.is_empty() {
            continue;
        }
        match message.get_mut("annotations").and_then(Value::as_array_mut) {
            Some(present) => present.extend(annotations),
            None => {
                message.insert("annotations".to_owned(), Value::Array(annotations));
            }
        }
    }
}
