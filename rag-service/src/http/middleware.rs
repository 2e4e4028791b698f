//! What happens around every request: counting, admission, one log line.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::request_id::RequestId;
use tracing::Instrument;
use tracing::field::Empty;

use super::problem::{self, Problem};
use super::state::AppState;
use crate::engine::ChatPermit;
use crate::metrics::Operation;

/// Counts a request to a tracked route. Like KAITO, a client's mistake is a served request, not a failed one.
pub(super) async fn count_request(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let _running = state.metrics.start_request();
    let response = next.run(request).await;
    state
        .metrics
        .observe_request(!response.status().is_server_error(), started.elapsed());
    response
}

/// Counts a request for its own route. What was rejected before the route's work began is not counted, as in KAITO.
pub(super) async fn count_operation(
    State((state, operation)): State<(AppState, Operation)>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let response = next.run(request).await;
    if !matches!(
        response.status(),
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::PAYLOAD_TOO_LARGE
    ) {
        state
            .metrics
            .observe_operation(operation, response.status().is_success(), started.elapsed());
    }
    response
}

/// Serves a bounded number of requests at a time and tells the others to come back.
pub(super) async fn admit(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let Ok(_permit) = state.admission.try_acquire() else {
        return Problem::too_many_requests().into_response();
    };
    next.run(request).await
}

/// Serves a bounded number of chats at a time, before their bodies are read. The permit goes along with the request:
/// into work that outlives the client, and into streams.
pub(super) async fn admit_chat(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let Ok(permit) = Arc::clone(&state.chat_admission).try_acquire_owned() else {
        return Problem::too_many_requests().for_openai_clients().into_response();
    };
    request.extensions_mut().insert::<ChatPermit>(Arc::new(permit));
    next.run(request).await
}

/// Gives the request a span with its id, and writes one line when it is done.
pub(super) async fn log_request(request: Request, next: Next) -> Response {
    let id = request
        .extensions()
        .get::<RequestId>()
        .and_then(|id| id.header_value().to_str().ok())
        .unwrap_or_default();
    let id = id.to_owned();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str);
    let span = tracing::info_span!(
        "request",
        request.id = %id,
        http.method = %request.method(),
        http.route = route,
        caller = Empty
    );
    let started = Instant::now();
    let is_probe = matches!(route, "/health" | "/ready" | "/metrics");
    async move {
        let response = next.run(request).await;
        let status = response.status();
        let milliseconds = f64::from(u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX)) / 1000.0;
        if is_probe {
            tracing::debug!(http.status = status.as_u16(), milliseconds, "request served");
        } else {
            tracing::info!(http.status = status.as_u16(), milliseconds, "request served");
        }
        problem::with_request_id(response, &id)
    }
    .instrument(span)
    .await
}
