//! `POST /v1/chat/completions` and `GET /v1/models`: OpenAI's API, with passages of an index when one is named.

mod answer;
mod options;
mod passthrough;
mod sources;
mod stream;

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use rag_guardrails::Policy;
use rag_guardrails::openai::GuardReport;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use self::options::ChatOptions;
use super::problem::Problem;
use super::state::AppState;
use super::validation::{BodyShape, read_object};
use crate::engine::{Grounding, PreparedChat};
use crate::guardrails::{Guardrails, Scanned};
use crate::llm::ModelError;
use crate::metrics::Metrics;

/// What goes along with one chat until its last byte.
struct Exchange {
    guardrails: Arc<Guardrails>,
    policy: Option<Arc<Policy>>,
    metrics: Arc<Metrics>,
    options: ChatOptions,
    /// Chats are admitted by number; a streamed one counts until it has ended.
    _permit: OwnedSemaphorePermit,
}

/// Answers a chat.
pub(super) async fn complete(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = read_object(&headers, body, BodyShape::Dictionary)?;
    let chat = state.chat()?;
    let permit = Arc::clone(&state.chat_admission)
        .try_acquire_owned()
        .map_err(|_none_left| Problem::too_many_requests())?;
    let policy = state.guardrails.policy()?;
    // Only JSON's true asks for a stream, as in KAITO.
    let is_streamed = body.get("stream") == Some(&Value::Bool(true));
    if is_streamed && let Some(policy) = &policy {
        policy
            .streamability()
            .map_err(|reason| Problem::bad_request(reason.to_string()))?;
    }
    let (grounding, options) = options::read(&body, state.max_top_k)?;
    let prepared = chat.prepare(body, grounding).await?;
    state.metrics.chats().observe_chat(prepared.grounding.kind());
    let exchange = Exchange {
        guardrails: Arc::clone(&state.guardrails),
        policy,
        metrics: Arc::clone(&state.metrics),
        options,
        _permit: permit,
    };
    let PreparedChat { body, grounding } = prepared;
    let started = Instant::now();
    if !is_streamed {
        let completion = chat.model().complete(body).await;
        exchange.observe_model(&completion, started);
        return Ok(Json(answer::finish(completion?, grounding, exchange).await?).into_response());
    }
    if matches!(grounding, Grounding::Passthrough) && exchange.policy.is_none() && chat.model().streams_chats() {
        let bytes = chat.model().stream_bytes(body).await;
        exchange.observe_model(&bytes, started);
        return Ok(passthrough::respond(bytes?, exchange));
    }
    let chunks = chat.model().stream(body).await;
    exchange.observe_model(&chunks, started);
    stream::respond(chunks?, grounding, exchange).await
}

/// The backend's models.
pub(super) async fn models(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    Ok(Json(state.chat()?.model().models().await?))
}

impl Exchange {
    /// Puts on record what the policy found in one part of the answer.
    fn record(&self, response_id: &str, scanned: Scanned, report: &GuardReport) {
        if let Some(policy) = &self.policy {
            self.guardrails.record(response_id, scanned, policy, report);
        }
    }

    fn observe_model<T>(&self, outcome: &Result<T, ModelError>, started: Instant) {
        self.metrics.chats().observe_model(outcome.is_ok(), started.elapsed());
    }
}
