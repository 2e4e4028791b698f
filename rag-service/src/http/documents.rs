//! `/indexes/{index_name}/documents`: list, update, delete.

use std::collections::HashMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use rag_core::document::DocumentId;
use rag_core::filter::Filter;
use rag_core::index_name::IndexName;
use rag_store::{Page, StoreError};
use serde::Serialize;
use serde_json::Value;

use super::index_path::IndexPath;
use super::indexing::documents;
use super::problem::Problem;
use super::state::AppState;
use super::validation::{BodyShape, Bounds, Location, QueryParameters, ValidationErrors, read_object};
use super::wire::WireDocument;
use crate::engine::{Engine, EngineError, ListRequest};

const DEFAULT_LIMIT: u64 = 10;
const MAX_LIMIT: u64 = 100;
const DEFAULT_TEXT_LENGTH: u64 = 1000;

/// What one item of a listing is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    /// One node, as in KAITO.
    Nodes,
    /// One whole document.
    Documents,
}

#[derive(Serialize)]
pub(super) struct ListResponse {
    documents: Vec<WireDocument>,
    count: usize,
    total_items: u64,
}

#[derive(Serialize)]
pub(super) struct UpdateResponse {
    updated_documents: Vec<WireDocument>,
    unchanged_documents: Vec<WireDocument>,
    not_found_documents: Vec<WireDocument>,
}

#[derive(Serialize)]
pub(super) struct DeleteResponse {
    deleted_doc_ids: Vec<String>,
    not_found_doc_ids: Vec<String>,
}

/// Lists what is in an index, in the order it was stored.
pub(super) async fn list(
    State(state): State<AppState>,
    IndexPath(name): IndexPath,
    Query(parameters): Query<HashMap<String, String>>,
) -> Result<Json<ListResponse>, Problem> {
    let parameters = QueryParameters::new(parameters);
    let mut errors = ValidationErrors::default();
    let any = u64::MAX;
    let limit = parameters.integer(
        &mut errors,
        "limit",
        DEFAULT_LIMIT,
        Bounds {
            least: 1,
            most: MAX_LIMIT,
        },
    );
    let offset = parameters.integer(&mut errors, "offset", 0, Bounds { least: 0, most: any });
    let length = parameters.integer(
        &mut errors,
        "max_text_length",
        DEFAULT_TEXT_LENGTH,
        Bounds { least: 1, most: any },
    );
    let views = [("nodes", View::Nodes), ("documents", View::Documents)];
    let view = parameters.choice(&mut errors, "view", View::Nodes, &views);
    let values = limit.zip(offset).zip(length).zip(view);
    let (((limit, offset), length), view) = errors.into_result(values)?;
    let filter = filter_from_text(parameters.text("metadata_filter"))?;
    let max_characters = usize::try_from(length).unwrap_or(usize::MAX);
    let request = ListRequest {
        page: Page { offset, limit },
        filter,
    };
    let engine = state.engine()?;
    let listed = list_view(engine, &name, request.clone(), view, max_characters).await;
    let response = match (listed, decoded_again(&name)) {
        // KAITO decodes the name a second time on this route alone, and its client encodes it twice.
        (Err(EngineError::UseStore(StoreError::FindIndex(_))), Some(decoded)) => {
            list_view(engine, &decoded, request, view, max_characters).await
        }
        (listed, _) => listed,
    };
    Ok(Json(response?))
}

/// Replaces documents by id.
pub(super) async fn update(
    State(state): State<AppState>,
    IndexPath(name): IndexPath,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<UpdateResponse>, Problem> {
    let object = read_object(&headers, body, BodyShape::Model)?;
    let mut errors = ValidationErrors::default();
    let documents = documents(&object, &mut errors, &state.limits, |id, mut document| {
        document.id = id.unwrap_or_else(|| DocumentId::from(String::new()));
        document
    });
    let documents = errors.into_result(documents)?;
    let result = state.engine()?.update_documents(&name, documents).await?;
    let echo = |documents: Vec<rag_core::document::Document>| {
        documents
            .into_iter()
            .map(|document| WireDocument::echo(&document.id.clone(), document))
            .collect()
    };
    Ok(Json(UpdateResponse {
        updated_documents: echo(result.updated),
        unchanged_documents: echo(result.unchanged),
        not_found_documents: echo(result.not_found),
    }))
}

/// Deletes documents by id.
pub(super) async fn remove(
    State(state): State<AppState>,
    IndexPath(name): IndexPath,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<DeleteResponse>, Problem> {
    let object = read_object(&headers, body, BodyShape::Model)?;
    let mut errors = ValidationErrors::default();
    let location = Location::body().key("doc_ids");
    let ids = errors
        .required(&object, &Location::body(), "doc_ids")
        .and_then(|value| errors.list(value, &location))
        .map(|items| {
            let ids: Vec<Option<String>> = items
                .iter()
                .enumerate()
                .map(|(position, item)| errors.string(item, &location.item(position)))
                .collect();
            ids.into_iter().collect::<Option<Vec<String>>>()
        });
    let ids = errors.into_result(ids.flatten())?;
    let wanted = ids.iter().cloned().map(DocumentId::from).collect();
    let was_there = state.engine()?.delete_documents(&name, wanted).await?;
    let (deleted, not_found): (Vec<_>, Vec<_>) = ids.into_iter().zip(was_there).partition(|(_, was_there)| *was_there);
    let ids_of = |pairs: Vec<(String, bool)>| pairs.into_iter().map(|(id, _)| id).collect();
    Ok(Json(DeleteResponse {
        deleted_doc_ids: ids_of(deleted),
        not_found_doc_ids: ids_of(not_found),
    }))
}

async fn list_view(
    engine: &Engine,
    name: &IndexName,
    request: ListRequest,
    view: View,
    max_characters: usize,
) -> Result<ListResponse, EngineError> {
    let (documents, total_items): (Vec<WireDocument>, u64) = match view {
        View::Nodes => {
            let page = engine.list_nodes(name, request).await?;
            let listed = page
                .nodes
                .into_iter()
                .map(|node| WireDocument::of_node(node, max_characters));
            (listed.collect(), page.total)
        }
        View::Documents => {
            let page = engine.list_documents(name, request).await?;
            let listed = page
                .documents
                .into_iter()
                .map(|stored| WireDocument::of_document(stored, max_characters));
            (listed.collect(), page.total)
        }
    };
    Ok(ListResponse {
        count: documents.len(),
        documents,
        total_items,
    })
}

fn filter_from_text(text: Option<&str>) -> Result<Option<Filter>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let value: Value = serde_json::from_str(text)
        .map_err(|_| Problem::bad_request("Invalid metadata filter format. Must be a valid JSON string."))?;
    match value {
        Value::Null => Ok(None),
        Value::Object(object) => filter(&object),
        _ => Err(Problem::bad_request(
            "Invalid metadata filter format. Must be a JSON object.",
        )),
    }
}

/// A filter from a JSON object; `None` when it lets everything through.
pub(super) fn filter(object: &serde_json::Map<String, Value>) -> Result<Option<Filter>, Problem> {
    let filter = Filter::parse(object)
        .map_err(|error| Problem::bad_request(format!("Invalid metadata filter format. {error}")))?;
    Ok((!filter.is_empty()).then_some(filter))
}

fn decoded_again(name: &IndexName) -> Option<IndexName> {
    let decoded = percent_encoding::percent_decode_str(name.as_str()).decode_utf8().ok()?;
    IndexName::try_from(decoded.as_ref())
        .ok()
        .filter(|decoded| decoded != name)
}
