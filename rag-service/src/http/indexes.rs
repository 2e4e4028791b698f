//! `GET /indexes` and `DELETE /indexes/{index_name}`.

use axum::Json;
use axum::extract::State;

use super::index_path::IndexPath;
use super::problem::Problem;
use super::state::AppState;
use super::wire::Message;

/// Names of all indexes in the order they were made.
pub(super) async fn list(State(state): State<AppState>) -> Result<Json<Vec<String>>, Problem> {
    let names = state.engine()?.index_names().await?;
    Ok(Json(names.iter().map(ToString::to_string).collect()))
}

/// Deletes an index with everything in it.
pub(super) async fn remove(
    State(state): State<AppState>,
    IndexPath(name): IndexPath,
) -> Result<Json<Message>, Problem> {
    state.engine()?.delete_index(&name).await?;
    Ok(Json(Message {
        message: format!("Successfully deleted index {name}."),
    }))
}
