//! The HTTP face: routes, wire types, status codes. KAITO's on the wire, see `COMPATIBILITY.md`.

mod authentication;
mod chat;
mod documents;
mod index_path;
mod indexes;
mod indexing;
mod middleware;
mod monitoring;
mod problem;
mod retrieve;
mod snapshots;
mod state;
mod validation;
mod wire;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, post};
use axum::serve::{Listener, ListenerExt};
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

pub use self::state::{AppState, AppStateParts, Readiness, Services};
use crate::metrics::Operation;

/// A listener whose connections send every piece at once: the chunks of a stream are small, and each would otherwise wait
/// for the client to acknowledge the one before, 40 ms with a delayed acknowledgement.
pub fn without_delay(listener: TcpListener) -> impl Listener<Addr = SocketAddr> {
    listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    })
}

/// All routes over one state. All but those for probes and scrapers need a key, if there are keys, and so does asking
/// which routes there are.
pub fn router(state: AppState) -> Router {
    let counted = |operation: Operation| from_fn_with_state((state.clone(), operation), middleware::count_operation);
    let indexed = Router::new()
        .route("/index", post(indexing::create.layer(counted(Operation::Index))))
        .route("/indexes", get(indexes::list.layer(counted(Operation::ListIndexes))))
        .route(
            "/indexes/{index_name}",
            delete(indexes::remove.layer(counted(Operation::DeleteIndex))),
        )
        .route(
            "/indexes/{index_name}/documents",
            get(documents::list.layer(counted(Operation::ListDocuments)))
                .post(documents::update.layer(counted(Operation::UpdateDocuments))),
        )
        .route(
            "/indexes/{index_name}/documents/delete",
            post(documents::remove.layer(counted(Operation::DeleteDocuments))),
        )
        .route(
            "/persist/{index_name}",
            post(snapshots::persist.layer(counted(Operation::Persist))),
        )
        .route(
            "/load/{index_name}",
            post(snapshots::load.layer(counted(Operation::Load))),
        )
        .route(
            "/retrieve",
            post(retrieve::retrieve.layer(counted(Operation::Retrieve))),
        )
        .route_layer(from_fn_with_state(state.clone(), middleware::admit));
    // Not among the others' number: chats that wait for a slow model must not keep anybody from retrieving.
    let chats = Router::new()
        .route(
            "/v1/chat/completions",
            post(chat::complete.layer(counted(Operation::Chat))),
        )
        .route("/v1/models", get(chat::models.layer(counted(Operation::ListModels))))
        .route_layer(DefaultBodyLimit::max(state.limits.max_chat_body_bytes))
        .route_layer(from_fn_with_state(state.clone(), middleware::admit_chat));
    let guarded = indexed
        .merge(chats)
        .route_layer(from_fn_with_state(state.clone(), middleware::count_request))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(from_fn_with_state(state.clone(), authentication::authenticate));
    let open = Router::new()
        .route("/health", get(monitoring::health))
        .route("/ready", get(monitoring::ready))
        .route("/metrics", get(monitoring::metrics))
        .method_not_allowed_fallback(problem::method_not_allowed);
    guarded
        .merge(open)
        .layer(DefaultBodyLimit::max(state.limits.max_body_bytes))
        .layer(CatchPanicLayer::custom(problem::from_panic))
        .layer(from_fn(middleware::log_request))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .with_state(state)
}
