//! `POST /index`, and reading documents from a request.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use rag_core::document::{Document, DocumentId};
use rag_core::index_name::IndexName;
use rag_core::metadata::Metadata;
use serde_json::{Map, Value, json};

use super::problem::Problem;
use super::state::AppState;
use super::validation::{BodyShape, Location, ValidationErrors, read_object};
use super::wire::WireDocument;
use crate::config::LimitsConfig;

/// Adds documents to an index, which is made if there is none.
pub(super) async fn create(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Vec<WireDocument>>, Problem> {
    let object = read_object(&headers, body, BodyShape::Model)?;
    let mut errors = ValidationErrors::default();
    let name = index_name(&object, &mut errors);
    let documents = documents(&object, &mut errors, &state.limits, |_, document| document);
    let (name, documents) = errors.into_result(name.zip(documents))?;
    let ids = state.engine()?.index_documents(&name, documents.clone()).await?;
    Ok(Json(
        ids.iter()
            .zip(documents)
            .map(|(id, document)| WireDocument::echo(id, document))
            .collect(),
    ))
}

/// The `index_name` of a body.
pub(super) fn index_name(object: &Map<String, Value>, errors: &mut ValidationErrors) -> Option<IndexName> {
    let location = Location::body();
    let value = errors.required(object, &location, "index_name")?;
    let name = errors.string(value, &location.key("index_name"))?;
    match IndexName::try_from(name.as_str()) {
        Ok(name) => Some(name),
        Err(error) => {
            errors.push(
                "value_error",
                &location.key("index_name"),
                &format!("Value error, {error}"),
                value,
            );
            None
        }
    }
}

/// The `documents` of a body. `identify` may give a document the id that came with it.
pub(super) fn documents(
    object: &Map<String, Value>,
    errors: &mut ValidationErrors,
    limits: &LimitsConfig,
    identify: impl Fn(Option<DocumentId>, Document) -> Document,
) -> Option<Vec<Document>> {
    let location = Location::body().key("documents");
    let value = errors.required(object, &Location::body(), "documents")?;
    let items = errors.list(value, &location)?;
    if items.len() > limits.max_documents {
        let message = format!(
            "List should have at most {} items after validation, not {}",
            limits.max_documents,
            items.len()
        );
        let context = json!({"field_type": "List", "max_length": limits.max_documents, "actual_length": items.len()});
        errors
            .push("too_long", &location, &message, &Value::Null)
            .context(context);
        return None;
    }
    let documents: Vec<Option<Document>> = items
        .iter()
        .enumerate()
        .map(|(position, item)| document(item, &location.item(position), errors, limits, &identify))
        .collect();
    documents.into_iter().collect()
}

fn document(
    item: &Value,
    location: &Location,
    errors: &mut ValidationErrors,
    limits: &LimitsConfig,
    identify: &impl Fn(Option<DocumentId>, Document) -> Document,
) -> Option<Document> {
    let Value::Object(object) = item else {
        let message = "Input should be a valid dictionary or object to extract fields from";
        errors.push("model_attributes_type", location, message, item);
        return None;
    };
    let text = errors
        .required(object, location, "text")
        .and_then(|value| errors.string(value, &location.key("text")));
    let metadata = match object.get("metadata") {
        None => Some(Metadata::default()),
        Some(value) => {
            let location = location.key("metadata");
            let metadata = errors.object_or_null(value, &location).map(Metadata::from);
            metadata.filter(|metadata| metadata_fits(metadata, value, &location, errors, limits))
        }
    };
    let id = match object.get("doc_id") {
        None => Some(None),
        Some(value) => errors
            .string(value, &location.key("doc_id"))
            .map(|id| Some(DocumentId::from(id))),
    };
    let document = Document::new(text?, metadata?);
    Some(identify(id?, document))
}

fn metadata_fits(
    metadata: &Metadata,
    input: &Value,
    location: &Location,
    errors: &mut ValidationErrors,
    limits: &LimitsConfig,
) -> bool {
    let bytes = metadata.json_bytes();
    let depth = metadata.depth();
    let problem = if bytes > limits.max_metadata_bytes {
        format!(
            "metadata is {bytes} bytes long where RAG_MAX_METADATA_BYTES allows {}",
            limits.max_metadata_bytes
        )
    } else if depth > limits.max_metadata_depth {
        format!(
            "metadata nests {depth} deep where RAG_MAX_METADATA_DEPTH allows {}",
            limits.max_metadata_depth
        )
    } else {
        return true;
    };
    errors.push("value_error", location, &format!("Value error, {problem}"), input);
    false
}
