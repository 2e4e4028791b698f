//! The HTTPS server: who may take how much of it, and what answers what.

mod budget;
mod connections;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use kaito_api::crds::CONVERSION_PATH;
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

use super::WebhookError;
use super::admission::{Reviewer, Subject};
use super::certificate::{Identity, provider};
use super::conversion;
use super::injection::{INFERENCE_SET_PATH, RAGENGINE_PATH, WORKSPACE_PATH};
use super::metrics::{Path, Verdict, WebhookMetrics};
use budget::{Budget, Share};
use connections::Limited;

/// The API server lets objects of 3 MiB in, and a review of a change holds two, in JSON.
const REVIEW_BYTES: usize = 8 << 20;
/// A list is converted in one request.
const CONVERSION_BYTES: usize = 64 << 20;
/// Just under what the charts say an API server waits for.
const REVIEW_TIMEOUT: Duration = Duration::from_secs(9);
/// Just under what an API server waits for a conversion.
const CONVERSION_TIMEOUT: Duration = Duration::from_secs(29);
/// For the first request of a connection to come, and between two pings of a connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long open requests have when the controller stops.
const GRACE: Duration = Duration::from_secs(10);

/// The certificate that is served. It changes while the server runs; connections that are open keep the one they began
/// with.
#[derive(Debug, Default)]
pub(super) struct Resolver(RwLock<Option<Arc<CertifiedKey>>>);

impl Resolver {
    pub(super) fn serve(&self, identity: &Identity) {
        *self.0.write() = Some(Arc::clone(&identity.certified));
    }

    pub(super) fn has_certificate(&self) -> bool {
        self.0.read().is_some()
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.read().clone()
    }
}

/// Listens, and does not answer yet.
pub(super) struct Server {
    listener: std::net::TcpListener,
    address: SocketAddr,
    tls: RustlsConfig,
}

impl Server {
    pub(super) fn bind(address: SocketAddr, resolver: &Arc<Resolver>) -> Result<Self, WebhookError> {
        let listen = |source| WebhookError::Listen { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        let certificate: Arc<dyn ResolvesServerCert> = Arc::<Resolver>::clone(resolver);
        let mut tls = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(WebhookError::Tls)?
            .with_no_client_auth()
            .with_cert_resolver(certificate);
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            listener,
            address: bound,
            tls: RustlsConfig::from_config(Arc::new(tls)),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` is cancelled, then finishes the requests that are open.
    pub(super) async fn run(self, router: Router, shutdown: CancellationToken) {
        let handle = Handle::new();
        let serve = async {
            let acceptor = RustlsAcceptor::new(self.tls);
            let mut server = axum_server::from_tcp(self.listener)?
                .acceptor(Limited::new(acceptor, handle.clone()))
                .handle(handle.clone())
                .first_request_timeout(IDLE_TIMEOUT);
            server.http_builder().http1().header_read_timeout(IDLE_TIMEOUT);
            server.http_builder().http2().keep_alive_interval(IDLE_TIMEOUT);
            server.serve(router.into_make_service()).await
        };
        let stop = async {
            shutdown.cancelled().await;
            handle.graceful_shutdown(Some(GRACE));
        };
        let (served, ()): (io::Result<()>, ()) = tokio::join!(serve, stop);
        if let Err(error) = served {
            tracing::error!(error = %error, "the webhook server has ended");
        }
    }
}

#[derive(Clone)]
struct Context {
    reviewer: Arc<Reviewer>,
    metrics: WebhookMetrics,
}

/// What answers what.
pub(super) fn router(reviewer: Reviewer, metrics: &WebhookMetrics) -> Router {
    let budget = Budget::default();
    let share = |path, limit, patience| {
        let share = Share {
            budget: budget.clone(),
            metrics: metrics.clone(),
            path,
            limit,
            patience,
        };
        (DefaultBodyLimit::max(limit), from_fn_with_state(share, budget::bounded))
    };
    let review = |path| share(path, REVIEW_BYTES, REVIEW_TIMEOUT);
    let context = Context {
        reviewer: Arc::new(reviewer),
        metrics: metrics.clone(),
    };
    Router::new()
        .route(
            RAGENGINE_PATH,
            post(validate_ragengine).layer(review(Path::validate_ragengine)),
        )
        .route(
            WORKSPACE_PATH,
            post(validate_workspace).layer(review(Path::validate_workspace)),
        )
        .route(
            INFERENCE_SET_PATH,
            post(validate_inference_set).layer(review(Path::validate_inferenceset)),
        )
        .route(
            CONVERSION_PATH,
            post(convert).layer(share(Path::convert, CONVERSION_BYTES, CONVERSION_TIMEOUT)),
        )
        .with_state(context)
}

async fn validate_ragengine(State(context): State<Context>, body: Bytes) -> Response {
    validate(&context, Subject::RAGEngine, Path::validate_ragengine, &body).await
}

async fn validate_workspace(State(context): State<Context>, body: Bytes) -> Response {
    validate(&context, Subject::Workspace, Path::validate_workspace, &body).await
}

async fn validate_inference_set(State(context): State<Context>, body: Bytes) -> Response {
    validate(&context, Subject::InferenceSet, Path::validate_inferenceset, &body).await
}

async fn validate(context: &Context, subject: Subject, path: Path, body: &Bytes) -> Response {
    match context.reviewer.review(subject, body).await {
        Ok(review) => {
            let allowed = review.response.as_ref().is_some_and(|response| response.allowed);
            let verdict = if allowed { Verdict::allowed } else { Verdict::refused };
            context.metrics.count(path, verdict);
            axum::Json(review).into_response()
        }
        Err(reason) => unreadable(context, path, &reason),
    }
}

async fn convert(State(context): State<Context>, body: Bytes) -> Response {
    let path = Path::convert;
    // A long list takes a while, and others should not wait for it.
    let converted = tokio::task::spawn_blocking(move || conversion::convert(&body)).await;
    match converted {
        Ok(Ok(review)) => {
            let succeeded = review
                .response
                .as_ref()
                .is_some_and(|response| response.result.is_success());
            let verdict = if succeeded { Verdict::converted } else { Verdict::failed };
            context.metrics.count(path, verdict);
            axum::Json(review).into_response()
        }
        Ok(Err(reason)) => unreadable(&context, path, &reason),
        Err(_) => {
            context.metrics.count(path, Verdict::failed);
            (StatusCode::INTERNAL_SERVER_ERROR, "the conversion broke off").into_response()
        }
    }
}

fn unreadable(context: &Context, path: Path, reason: &str) -> Response {
    context.metrics.count(path, Verdict::unreadable);
    (StatusCode::BAD_REQUEST, reason.to_owned()).into_response()
}
