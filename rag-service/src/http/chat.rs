//! `POST /v1/chat/completions` and `GET /v1/models`: OpenAI's API, with passages of an index when one is named.

mod answer;
mod options;
mod passthrough;
mod pump;
mod sources;
mod stream;

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use rag_guardrails::Policy;
use rag_guardrails::openai::GuardReport;
use serde_json::{Map, Value};
use tracing::Span;

use self::options::ChatOptions;
use super::problem::Problem;
use super::state::AppState;
use super::validation::{BodyShape, read_object};
use crate::engine::{ChatPermit, Grounding, PreparedChat};
use crate::guardrails::{Guardrails, Scanned};
use crate::llm::ModelError;
use crate::metrics::Metrics;

/// What goes along with one chat until its last byte.
struct Exchange {
    guardrails: Arc<Guardrails>,
    policy: Option<Arc<Policy>>,
    metrics: Arc<Metrics>,
    options: ChatOptions,
    /// Of the request, for what is logged elsewhere than where it was received.
    span: Span,
    /// Chats are admitted by number; a streamed one counts until it has ended.
    _permit: ChatPermit,
}

/// Answers a chat.
pub(super) async fn complete(
    State(state): State<AppState>,
    Extension(permit): Extension<ChatPermit>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let answered = match read_object(&headers, body, BodyShape::Dictionary) {
        Ok(body) => answer(state, permit, body).await,
        Err(problem) => Err(problem),
    };
    answered.map_err(Problem::for_openai_clients)
}

async fn answer(state: AppState, permit: ChatPermit, body: Map<String, Value>) -> Result<Response, Problem> {
    let chat = state.chat()?;
    let policy = state.guardrails.policy()?;
    // Only JSON's true asks for a stream, as in KAITO.
    let is_streamed = body.get("stream") == Some(&Value::Bool(true));
    if is_streamed && let Some(policy) = &policy {
        policy
            .streamability()
            .map_err(|reason| Problem::bad_request(reason.to_string()))?;
    }
    let index = options::index(&body)?;
    if let Some(index) = &index {
        // Before the other options are looked at, as in KAITO.
        state.engine()?.require_index(index).await?;
    }
    let (grounding, options) = options::read(&body, index, state.max_top_k)?;
    let prepared = chat.prepare(body, grounding, Arc::clone(&permit)).await?;
    state.metrics.chats().observe_chat(prepared.grounding.kind());
    let exchange = Exchange {
        guardrails: Arc::clone(&state.guardrails),
        policy,
        metrics: Arc::clone(&state.metrics),
        options,
        span: Span::current(),
        _permit: permit,
    };
    let PreparedChat { body, grounding } = prepared;
    let started = Instant::now();
    if !is_streamed {
        let completion = exchange.observe_model(chat.model().complete(body).await, started);
        return Ok(Json(answer::finish(completion?, grounding, exchange).await?).into_response());
    }
    if matches!(grounding, Grounding::Passthrough) && exchange.policy.is_none() && chat.model().streams_chats() {
        let bytes = exchange.observe_model(chat.model().stream_bytes(body).await, started);
        return Ok(passthrough::respond(bytes?, exchange).await);
    }
    let chunks = exchange.observe_model(chat.model().stream(body).await, started);
    stream::respond(chunks?, grounding, exchange).await
}

/// The backend's models.
pub(super) async fn models(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    let chat = state.chat().map_err(Problem::for_openai_clients)?;
    let listed = chat.model().models().await;
    Ok(Json(listed.map_err(|error| Problem::from(error).for_openai_clients())?))
}

impl Exchange {
    /// Puts on record what the policy found in one part of the answer.
    fn record(&self, response_id: &str, scanned: Scanned, report: &GuardReport) {
        let _in_request = self.span.enter();
        if let Some(policy) = &self.policy {
            self.guardrails.record(response_id, scanned, policy, report);
        }
    }

    /// Counts the model's answer. What it says against a request may quote the request, and so is scanned.
    fn observe_model<T>(&self, outcome: Result<T, ModelError>, started: Instant) -> Result<T, ModelError> {
        self.metrics.chats().observe_model(outcome.is_ok(), started.elapsed());
        outcome.map_err(|error| match (error, &self.policy) {
            (
                ModelError::Refuse {
                    status,
                    body,
                    retry_after_seconds,
                },
                Some(policy),
            ) => ModelError::Refuse {
                status,
                body: policy.scan_fragment(&body).text,
                retry_after_seconds,
            },
            (error, _) => error,
        })
    }
}
