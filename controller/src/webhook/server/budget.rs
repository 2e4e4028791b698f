//! How much may be asked at the same time, in bytes and in requests.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::webhook::metrics::{Path, Verdict, WebhookMetrics};

/// What all requests that are read or answered may hold together. A request takes one of these at least, so that this
/// bounds their number, too.
const MEBIBYTES: usize = 128;

/// What all requests share.
#[derive(Clone)]
pub(super) struct Budget(Arc<Semaphore>);

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MEBIBYTES)))
    }
}

/// One route's share.
#[derive(Clone)]
pub(super) struct Share {
    pub(super) budget: Budget,
    pub(super) metrics: WebhookMetrics,
    pub(super) path: Path,
    /// Most bytes of a request.
    pub(super) limit: usize,
    /// How long an answer may take.
    pub(super) patience: Duration,
}

/// Lets a request wait until there is room for it, and ends it when it takes too long.
pub(super) async fn bounded(State(share): State<Share>, request: Request, next: Next) -> Response {
    let length = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    let size = length.and_then(|length| length.parse().ok()).unwrap_or(share.limit);
    if size > share.limit {
        share.metrics.count(share.path, Verdict::dropped);
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let answer = async {
        let permit = share.budget.0.acquire_many(mebibytes(size)).await;
        let answer = next.run(request).await;
        drop(permit);
        answer
    };
    timeout(share.patience, answer).await.unwrap_or_else(|_| {
        share.metrics.count(share.path, Verdict::dropped);
        tracing::warn!(path = ?share.path, "a request to the webhooks took too long");
        (StatusCode::GATEWAY_TIMEOUT, "this took too long; try again").into_response()
    })
}

/// Rounded up, and at least one.
fn mebibytes(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1 << 20).clamp(1, MEBIBYTES)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_takes_something_and_none_more_than_there_is() {
        assert_eq!(mebibytes(0), 1);
        assert_eq!(mebibytes(1 << 20), 1);
        assert_eq!(mebibytes((1 << 20) + 1), 2);
        assert_eq!(mebibytes(64 << 20), 64);
        assert_eq!(mebibytes(usize::MAX), 128);
    }
}
