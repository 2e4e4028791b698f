//! `POST /persist/{index_name}` and `POST /load/{index_name}`.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Query, State};
use rag_store::LoadRequest;

use super::index_path::IndexPath;
use super::problem::Problem;
use super::state::AppState;
use super::validation::{QueryParameters, ValidationErrors};
use super::wire::Message;

/// Writes a snapshot of an index below the persist root.
pub(super) async fn persist(
    State(state): State<AppState>,
    IndexPath(name): IndexPath,
    Query(parameters): Query<HashMap<String, String>>,
) -> Result<Json<Message>, Problem> {
    let path = QueryParameters::new(parameters).text("path").map(ToOwned::to_owned);
    let target = state.engine()?.persist(&name, path).await?;
    Ok(Json(Message {
        message: format!("Successfully persisted index {name} to {target}."),
    }))
}

/// Restores an index from a snapshot below the persist root.
pub(super) async fn load(
    State(state): State<AppState>,
    IndexPath(name): IndexPath,
    Query(parameters): Query<HashMap<String, String>>,
) -> Result<Json<Message>, Problem> {
    let parameters = QueryParameters::new(parameters);
    let mut errors = ValidationErrors::default();
    let overwrite = parameters.boolean(&mut errors, "overwrite", false);
    let overwrite = errors.into_result(overwrite)?;
    let path = parameters.text("path").map(ToOwned::to_owned);
    let source = state.engine()?.load(&name, LoadRequest { path, overwrite }).await?;
    Ok(Json(Message {
        message: format!("Successfully loaded index {name} from {source}."),
    }))
}
