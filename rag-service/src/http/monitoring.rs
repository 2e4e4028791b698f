//! `GET /health`, `/ready` and `/metrics`.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rag_store::IndexState;
use serde::Serialize;

use super::problem::Problem;
use super::state::AppState;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Serialize)]
pub(super) struct Health {
    status: &'static str,
    detail: Option<String>,
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    indexes: usize,
    unavailable: Vec<UnavailableIndex>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guardrails: Option<GuardrailsState>,
}

#[derive(Serialize)]
struct GuardrailsState {
    policy_sha256: Option<String>,
    scanners: usize,
    /// What is wrong with the policy's file; an earlier policy, if there is one, goes on being used.
    problem: Option<String>,
}

#[derive(Serialize)]
struct UnavailableIndex {
    name: String,
    reason: String,
}

/// The process lives.
pub(super) async fn health() -> Json<Health> {
    Json(Health {
        status: "Healthy",
        detail: None,
    })
}

/// The model is warm and every index was found. An index that cannot be served is named and keeps nobody waiting.
pub(super) async fn ready(State(state): State<AppState>) -> Result<Response, Problem> {
    let states = state.engine()?.index_states().await?;
    let unavailable: Vec<UnavailableIndex> = states
        .iter()
        .filter_map(|(name, state)| match state {
            IndexState::Available => None,
            IndexState::Unavailable(reason) => Some(UnavailableIndex {
                name: name.to_string(),
                reason: reason.clone(),
            }),
        })
        .collect();
    Ok(Json(Ready {
        status: "Ready",
        indexes: states.len(),
        unavailable,
        guardrails: state.guardrails.state().map(|guardrails| GuardrailsState {
            policy_sha256: guardrails.policy_sha256,
            scanners: guardrails.scanners,
            problem: guardrails.problem,
        }),
    })
    .into_response())
}

/// All metrics as OpenMetrics text.
pub(super) async fn metrics(State(state): State<AppState>) -> Result<Response, Problem> {
    // Before the store is open there is nothing to count, and metrics are told all the same.
    if let Ok(engine) = state.engine() {
        state.metrics.stored(engine.totals().await?);
    }
    match state.metrics.encode() {
        Ok(text) => Ok(([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response()),
        Err(error) => {
            tracing::error!(%error, "metrics could not be encoded");
            Err(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Metrics could not be encoded.",
            ))
        }
    }
}
