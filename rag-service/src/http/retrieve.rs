//! `POST /retrieve`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use rag_core::retrieval::RetrievalMode;
use serde::Serialize;
use serde_json::Value;

use super::documents::filter;
use super::indexing::index_name;
use super::problem::Problem;
use super::state::AppState;
use super::validation::{BodyShape, Bounds, Location, ValidationErrors, read_object};
use super::wire::NodeWithScore;
use crate::engine::RetrieveRequest;

const DEFAULT_NODE_COUNT: u64 = 5;
const MODES: [(&str, RetrievalMode); 3] = [
    ("hybrid", RetrievalMode::Hybrid),
    ("dense", RetrievalMode::Dense),
    ("lexical", RetrievalMode::Lexical),
];

#[derive(Serialize)]
pub(super) struct RetrieveResponse {
    query: String,
    results: Vec<NodeWithScore>,
    count: usize,
}

/// Finds the passages that fit a query best, best first.
pub(super) async fn retrieve(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<RetrieveResponse>, Problem> {
    let object = read_object(&headers, body, BodyShape::Model)?;
    let location = Location::body();
    let mut errors = ValidationErrors::default();
    let name = index_name(&object, &mut errors);
    let query = errors
        .required(&object, &location, "query")
        .and_then(|value| errors.string(value, &location.key("query")))
        .filter(|query| fits(query, state.limits.max_query_characters, &mut errors));
    let most = u64::try_from(state.max_top_k).unwrap_or(u64::MAX);
    let count = match object.get("max_node_count") {
        None => Some(DEFAULT_NODE_COUNT.min(most)),
        Some(value) => errors.integer(value, &location.key("max_node_count"), Bounds { least: 1, most }),
    };
    let mode = match object.get("mode") {
        None | Some(Value::Null) => Some(RetrievalMode::Hybrid),
        Some(value) => errors.choice(value, &location.key("mode"), &MODES),
    };
    let conditions = match object.get("metadata_filter") {
        None => Some(serde_json::Map::new()),
        Some(value) => errors.object_or_null(value, &location.key("metadata_filter")),
    };
    let values = name.zip(query).zip(count).zip(mode).zip(conditions);
    let ((((name, query), count), mode), conditions) = errors.into_result(values)?;
    let request = RetrieveRequest {
        query: query.clone(),
        max_node_count: usize::try_from(count).unwrap_or(usize::MAX),
        filter: filter(&conditions)?,
        mode,
    };
    let found = state.engine()?.retrieve(&name, request).await?;
    let results: Vec<NodeWithScore> = found.into_iter().map(NodeWithScore::from).collect();
    Ok(Json(RetrieveResponse {
        query,
        count: results.len(),
        results,
    }))
}

fn fits(query: &str, most: usize, errors: &mut ValidationErrors) -> bool {
    if query.chars().count() <= most {
        return true;
    }
    let message = format!("String should have at most {most} characters");
    let context = serde_json::json!({"max_length": most});
    errors
        .push(
            "string_too_long",
            &Location::body().key("query"),
            &message,
            &Value::String(query.to_owned()),
        )
        .context(context);
    false
}
