//! Probes and metrics, over plain HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// What is counted.
#[derive(Clone)]
pub struct Counted {
    /// All metrics.
    pub registry: Arc<Registry>,
    /// Those that are sampled.
    pub metrics: Metrics,
}

/// Serves `/metrics` until `stop`.
///
/// # Errors
///
/// The address cannot be listened on.
pub async fn metrics(address: SocketAddr, counted: Counted, stop: CancellationToken) -> std::io::Result<()> {
    let router = Router::new().route("/metrics", get(tell)).with_state(counted);
    serve(address, router, "metrics", stop).await
}

/// Serves `/healthz` and `/readyz` until `stop`. Ready is what `is_ready` says.
///
/// # Errors
///
/// The address cannot be listened on.
pub async fn probes(
    address: SocketAddr,
    is_ready: impl Fn() -> bool + Clone + Send + Sync + 'static,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let ready = async move || {
        if is_ready() {
            (StatusCode::OK, "ok")
        } else {
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "not ready: the webhooks do not serve yet",
            )
        }
    };
    let router = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready));
    serve(address, router, "probes", stop).await
}

async fn serve(address: SocketAddr, router: Router, what: &str, stop: CancellationToken) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    tracing::info!(server.address = %listener.local_addr()?, "serving {what}");
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

async fn tell(State(counted): State<Counted>) -> impl IntoResponse {
    counted.metrics.sample();
    let mut text = String::new();
    match encode(&mut text, &counted.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
