//! A streamed answer: every chunk is scanned and sent on as it comes, sources follow in a last one.
//!
//! Nothing is read ahead: the backend is asked for the next chunk when the client has taken what there is. Of the answer
//! only what a scanner withholds and what citations need is kept.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use rag_core::chat::citation::CitationScanner;
use rag_guardrails::openai::StreamGuard;
use serde_json::{Map, Value, json};

use super::sources::WireSources;
use super::{Exchange, pump};
use crate::engine::Grounding;
use crate::guardrails::Scanned;
use crate::http::problem::Problem;
use crate::llm::{Completion, CompletionStream, ModelError};

pub(super) const DONE: &[u8] = b"data: [DONE]\n\n";
/// Says nothing, and keeps proxies from closing a connection on which the model is thinking.
const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(15);
/// Choices whose citations are looked for.
const MAX_CHOICES: usize = 128;
/// Members of a chunk that tell which answer it belongs to.
const ENVELOPE: [&str; 4] = ["id", "object", "created", "model"];

/// Answers with the chunks as they come.
pub(super) async fn respond(
    chunks: CompletionStream,
    grounding: Grounding,
    exchange: Exchange,
) -> Result<Response, Problem> {
    let make = move || {
        let sources = match grounding {
            // A client that named no index gets what the backend would send it.
            Grounding::Passthrough => None,
            // The answer has no id yet.
            grounding => Some(WireSources::new(grounding, &exchange, "")),
        };
        (sources, exchange)
    };
    let made = tokio::task::spawn_blocking(make).await;
    let (sources, exchange) = made.map_err(|_panicked| Problem::guardrails_failed())?;
    let guard = exchange.policy.clone().map(StreamGuard::new);
    let answer = StreamedAnswer {
        chunks,
        guard,
        describe_first: exchange.options.sources_first,
        sources,
        citations: BTreeMap::new(),
        envelope: Map::new(),
        finished: BTreeMap::new(),
        ready: VecDeque::new(),
        is_over: false,
        exchange,
    };
    let events = stream::unfold(answer, async |mut answer| {
        let bytes = answer.next().await?;
        Some((bytes, answer))
    });
    Ok(event_stream(pump::body(events.boxed()).await))
}

/// A response with the headers that OpenAI's streams have.
pub(super) fn event_stream(body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// An error in the middle of a stream, in OpenAI's shape. Its text is ours: the backend's may say anything.
pub(super) fn error_event(error: &ModelError) -> Vec<u8> {
    event(&json!({"error": {
        "message": format!("The answer ends here: {error}."),
        "type": "backend_error",
        "param": null,
        "code": null,
    }}))
}

struct StreamedAnswer {
    chunks: CompletionStream,
    guard: Option<StreamGuard>,
    sources: Option<WireSources>,
    describe_first: bool,
    citations: BTreeMap<u64, CitationScanner>,
    /// Of the latest chunk.
    envelope: Map<String, Value>,
    /// Of each choice whether it has said why it ended: some backends leave `[DONE]` out.
    finished: BTreeMap<u64, bool>,
    /// Events that are ready to be sent.
    ready: VecDeque<Bytes>,
    is_over: bool,
    exchange: Exchange,
}

impl StreamedAnswer {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(bytes);
            }
            if self.is_over {
                return None;
            }
            match tokio::time::timeout(KEEP_ALIVE_AFTER, self.chunks.next()).await {
                Err(_silent) => return Some(Bytes::from_static(KEEP_ALIVE)),
                Ok(Some(Ok(chunk))) => self.take(chunk),
                Ok(Some(Err(ModelError::BreakOff))) if self.is_finished() => self.end(),
                Ok(Some(Err(error))) => self.break_off(&error),
                Ok(None) => self.end(),
            }
        }
    }

    fn take(&mut self, chunk: Completion) {
        self.remember_envelope(&chunk);
        let error = chunk.get("error").filter(|error| !error.is_null());
        let is_error = error.is_some();
        let code = error.and_then(|error| error.get("code")).and_then(Value::as_u64);
        if is_error && code.is_none_or(|code| !(400..500).contains(&code)) {
            // What it says of its inside is not for the client.
            return self.break_off(&ModelError::BreakOff);
        }
        let safe = match &mut self.guard {
            None => vec![Value::Object(chunk)],
            Some(guard) => guard.feed(Value::Object(chunk)),
        };
        for chunk in safe {
            self.send(chunk);
        }
        if is_error {
            self.close();
        } else if self.guard.as_ref().is_some_and(StreamGuard::is_blocked) {
            self.end();
        }
    }

    fn send(&mut self, mut chunk: Value) {
        self.note(&chunk);
        if self.describe_first
            && let (Some(sources), Some(chunk)) = (&self.sources, chunk.as_object_mut())
        {
            sources.describe_in_stream(chunk);
            self.describe_first = false;
        }
        self.ready.push_back(Bytes::from(event(&chunk)));
    }

    /// Looks for what the end of the stream depends on: reasons to finish, and citations.
    fn note(&mut self, chunk: &Value) {
        let passages = self.sources.as_ref().map_or(0, WireSources::passage_count);
        let choices = chunk.get("choices").and_then(Value::as_array);
        for choice in choices.into_iter().flatten() {
            let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
            let is_last = choice.get("finish_reason").is_some_and(|reason| !reason.is_null());
            if self.finished.contains_key(&index) || self.finished.len() < MAX_CHOICES {
                *self.finished.entry(index).or_default() |= is_last;
            }
            let content = choice.pointer("/delta/content").and_then(Value::as_str);
            let is_known = self.citations.contains_key(&index) || self.citations.len() < MAX_CHOICES;
            if let Some(content) = content.filter(|_| passages > 0 && is_known) {
                let scanner = self
                    .citations
                    .entry(index)
                    .or_insert_with(|| CitationScanner::new(passages));
                scanner.feed(content);
            }
        }
    }

    fn remember_envelope(&mut self, chunk: &Completion) {
        for key in ENVELOPE {
            if let Some(value) = chunk.get(key) {
                self.envelope.insert(key.to_owned(), value.clone());
            }
        }
    }

    /// The backend has nothing more to say.
    fn end(&mut self) {
        let last = self.guard.as_mut().map(StreamGuard::finish).unwrap_or_default();
        for chunk in last {
            self.send(chunk);
        }
        self.send_sources();
        self.close();
    }

    fn is_finished(&self) -> bool {
        !self.finished.is_empty() && self.finished.values().all(|finished| *finished)
    }

    fn break_off(&mut self, error: &ModelError) {
        tracing::warn!(%error, "a stream broke off");
        self.ready.push_back(Bytes::from(error_event(error)));
        self.close();
    }

    fn send_sources(&mut self) {
        let Some(sources) = &self.sources else { return };
        let mut chunk = self.envelope.clone();
        // With a choice that says nothing, since the simplest loop over a stream reads the first choice of every chunk.
        chunk.insert(
            "choices".to_owned(),
            json!([{"index": 0, "delta": {}, "finish_reason": null}]),
        );
        sources.describe_in_stream(&mut chunk);
        let mut annotations = Vec::new();
        for (index, scanner) in std::mem::take(&mut self.citations) {
            for mut annotation in sources.annotations(&scanner.finish()) {
                if let Some(annotation) = annotation.as_object_mut() {
                    annotation.insert("choice".to_owned(), index.into());
                }
                annotations.push(annotation);
            }
        }
        chunk.insert("annotations".to_owned(), Value::Array(annotations));
        self.ready.push_back(Bytes::from(event(&Value::Object(chunk))));
    }

    /// Puts what the scanners found on record, once.
    fn record(&mut self) {
        if let Some(guard) = self.guard.take() {
            let id = self.envelope.get("id").and_then(Value::as_str).unwrap_or_default();
            self.exchange.record(id, Scanned::Answer, &guard.report());
        }
    }

    /// Whatever happened, the stream ends as OpenAI's do, and what the scanners found is on record.
    fn close(&mut self) {
        self.record();
        self.ready.push_back(Bytes::from_static(DONE));
        self.is_over = true;
    }
}

impl Drop for StreamedAnswer {
    /// A client that leaves does not take the record along.
    fn drop(&mut self) {
        self.record();
    }
}

/// One event. JSON has no line breaks outside of strings and escapes them inside, so it is one line.
fn event(data: &Value) -> Vec<u8> {
    let mut bytes = b"data: ".to_vec();
    // A value always serialises into memory.
    if serde_json::to_writer(&mut bytes, data).is_err() {
        bytes.clear();
    }
    bytes.extend_from_slice(b"\n\n");
    bytes
}
