//! The body of a request as a JSON object.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value, json};

use super::{Location, ValidationErrors};
use crate::http::problem::Problem;

/// What pydantic calls a body that is to be an object; its errors differ.
#[derive(Clone, Copy)]
pub(in crate::http) enum BodyShape {
    /// One with known fields.
    Model,
    /// Any.
    Dictionary,
}

/// Reads a body that must be a JSON object.
///
/// # Errors
/// 413 for a body over the limit; 422 in pydantic's shape for one that is missing, not declared as JSON, not JSON, or
/// not an object.
pub(in crate::http) fn read_object(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
    shape: BodyShape,
) -> Result<Map<String, Value>, Problem> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            match shape {
                BodyShape::Model => {
                    "The request body is larger than RAG_MAX_BODY_BYTES allows. Send fewer documents at a time."
                }
                BodyShape::Dictionary => "The request body is larger than RAG_MAX_CHAT_BODY_BYTES allows.",
            },
        ),
        status => Problem::new(status, rejection.body_text()),
    })?;
    let mut errors = ValidationErrors::default();
    if body.is_empty() {
        errors.push("missing", &Location::body(), "Field required", &Value::Null);
        return errors.into_result(None);
    }
    if !is_json(headers) {
        let text = Value::String(String::from_utf8_lossy(&body).into_owned());
        not_an_object(&mut errors, shape, &text);
        return errors.into_result(None);
    }
    match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(object)) => return Ok(object),
        Ok(other) => not_an_object(&mut errors, shape, &other),
        Err(error) => {
            let place = Location::body().item(character_of(&body, &error));
            errors
                .push("json_invalid", &place, "JSON decode error", &json!({}))
                .context(json!({"error": error.to_string()}));
        }
    }
    errors.into_result(None)
}

fn not_an_object(errors: &mut ValidationErrors, shape: BodyShape, input: &Value) {
    let (kind, message) = match shape {
        BodyShape::Model => (
            "model_attributes_type",
            "Input should be a valid dictionary or object to extract fields from",
        ),
        BodyShape::Dictionary => ("dict_type", "Input should be a valid dictionary"),
    };
    errors.push(kind, &Location::body(), message, input);
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Offset of a syntax error, in characters from the beginning.
fn character_of(body: &[u8], error: &serde_json::Error) -> usize {
    let lines_before = error.line().saturating_sub(1);
    let before: usize = body
        .split_inclusive(|byte| *byte == b'\n')
        .take(lines_before)
        .map(<[u8]>::len)
        .sum();
    let offset = (before + error.column().saturating_sub(1)).min(body.len());
    String::from_utf8_lossy(body.get(..offset).unwrap_or_default())
        .chars()
        .count()
}
