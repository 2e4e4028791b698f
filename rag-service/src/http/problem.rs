//! Errors on the wire: `application/problem+json` with KAITO's `detail` member, and the one table of status codes.

use std::any::Any;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kaito_embeddings::EmbedError;
use rag_core::error_chain;
use rag_store::StoreError;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::engine::{ChatError, EngineError};
use crate::guardrails::FindPolicy;
use crate::llm::ModelError;

/// Seconds after which a client that was sent away should try again.
const RETRY_AFTER_SECONDS: u64 = 1;

/// An answer that is not a success.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: Value,
    /// What somebody else's server said, in OpenAI's shape.
    error: Option<Box<Value>>,
    retry_after_seconds: Option<u64>,
}

/// The members of RFC 9457 that KAITO's clients know; the others have their defaults.
#[derive(Serialize)]
struct Body {
    detail: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Box<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

/// Marks a response whose body is to name the request.
#[derive(Clone)]
struct ServerFault {
    detail: Value,
    error: Option<Box<Value>>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: Value::String(detail.into()),
            error: None,
            retry_after_seconds: None,
        }
    }

    /// The request does not have the right shape; `errors` say where.
    pub(super) fn invalid(errors: Vec<Value>) -> Self {
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            detail: Value::Array(errors),
            error: None,
            retry_after_seconds: None,
        }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn starting() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The service is starting. GET /ready says when it is done.",
        )
        .retry_after(RETRY_AFTER_SECONDS)
    }

    pub(super) fn too_many_requests() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many requests are being served. Try again shortly.",
        )
        .retry_after(RETRY_AFTER_SECONDS)
    }

    pub(super) fn no_such_index(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("No such index: '{name}' exists."))
    }

    pub(super) fn no_model() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "InferenceService not configured. This RAGEngine instance only supports document retrieve via /retrieve \
             API. To use chat completions, configure an InferenceService in the RAGEngine spec.",
        )
    }

    /// The request has no API key, or not in the way that is understood.
    pub(super) fn no_key() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "An API key is needed. Send it in the header 'Authorization: Bearer <key>'.",
        )
    }

    /// The request's API key is nobody's.
    pub(super) fn unknown_key() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "The API key in the header 'Authorization: Bearer <key>' is not known to this service.",
        )
    }

    /// Scanning an answer failed; it does not leave unscanned.
    pub(super) fn guardrails_failed() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Output guardrails failed while scanning the model response.",
        )
    }

    /// Something here is broken. What it is goes to the log.
    fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "An internal error occurred. The log tells more under this request id.",
        )
    }

    /// With the member that OpenAI's SDKs read the message from.
    pub(super) fn for_openai_clients(mut self) -> Self {
        let message = match &self.detail {
            Value::String(detail) => detail.clone(),
            other => other.to_string(),
        };
        let kind = if self.status.is_server_error() {
            "server_error"
        } else {
            "invalid_request_error"
        };
        let code = (self.status == StatusCode::UNAUTHORIZED).then_some("invalid_api_key");
        self.error
            .get_or_insert_with(|| Box::new(json!({"message": message, "type": kind, "param": null, "code": code})));
        self
    }

    fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let fault = self.status.is_server_error().then(|| ServerFault {
            detail: self.detail.clone(),
            error: self.error.clone(),
        });
        let mut response = (
            self.status,
            Json(Body {
                detail: self.detail,
                error: self.error,
                request_id: None,
            }),
        )
            .into_response();
        if let Some(fault) = fault {
            response.extensions_mut().insert(fault);
        }
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::UseStore(error) => error.into(),
            EngineError::Embed(error) => error.into(),
            EngineError::ParseDocument(error) => Self::bad_request(error.to_string()),
            EngineError::ReadQuery => Self::bad_request("Query string cannot be empty."),
            EngineError::ReadVector(_) => {
                tracing::error!(%error, cause = ?std::error::Error::source(&error), "embedding failed");
                Self::new(
                    StatusCode::BAD_GATEWAY,
                    "The embedding model returned an unusable vector.",
                )
            }
            EngineError::Stopped => Self::new(StatusCode::SERVICE_UNAVAILABLE, "The service is shutting down."),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::FindIndex(name) => Self::no_such_index(name.as_str()),
            StoreError::CreateIndex(name) => Self::new(
                StatusCode::CONFLICT,
                format!("Index '{name}' already exists. Use a different name or delete the existing index first."),
            ),
            StoreError::OpenIndex { .. } => Self::new(StatusCode::SERVICE_UNAVAILABLE, sentence(&error)),
            StoreError::EnqueueWrite(_) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, sentence(&error)).retry_after(RETRY_AFTER_SECONDS)
            }
            StoreError::ResolvePath { .. } | StoreError::ReadSnapshot { .. } => Self::bad_request(sentence(&error)),
            StoreError::FindSnapshot(path) => Self::new(StatusCode::NOT_FOUND, format!("Path does not exist: {path}")),
            StoreError::MatchDimension { .. } | StoreError::Run(_) => {
                tracing::error!(error = error_chain(&error), "the store failed");
                Self::internal()
            }
        }
    }
}

impl From<ChatError> for Problem {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::Retrieve(error) => error.into(),
            ChatError::ReadMessages(error) => Self::bad_request(error.to_string()),
            ChatError::ExceedWindow(error) => Self::bad_request(error.to_string()),
            ChatError::Stopped => EngineError::Stopped.into(),
        }
    }
}

impl From<FindPolicy> for Problem {
    fn from(error: FindPolicy) -> Self {
        tracing::error!(%error, "a chat was refused");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Output guardrails are enabled and their policy cannot be used. GET /ready says why.",
        )
    }
}

impl From<ModelError> for Problem {
    /// The backend's status is kept. What it says about the request is passed on, what it says about itself is not.
    fn from(error: ModelError) -> Self {
        match &error {
            ModelError::Flatten(_) => {}
            ModelError::Refuse { status: 401 | 403, .. } => {
                tracing::warn!(%error, "the model's server does not accept LLM_ACCESS_SECRET");
            }
            ModelError::Refuse { .. } => tracing::debug!(%error, "the model's server found fault with a request"),
            _ => tracing::error!(%error, "the model did not answer"),
        }
        let sentence = format!("An unexpected error occurred: {error}.");
        match error {
            ModelError::Refuse {
                status,
                body,
                retry_after_seconds,
            } => Self {
                status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
                error: Some(Box::new(backend_error(status, &body))),
                detail: Value::String(if body.trim().is_empty() { sentence } else { body }),
                retry_after_seconds,
            },
            ModelError::Fail {
                status,
                retry_after_seconds,
            } => {
                let status = StatusCode::from_u16(status).ok().filter(StatusCode::is_server_error);
                let mut problem = Self::new(status.unwrap_or(StatusCode::BAD_GATEWAY), sentence);
                problem.retry_after_seconds = retry_after_seconds;
                problem
            }
            ModelError::TimeOut => Self::new(StatusCode::GATEWAY_TIMEOUT, sentence),
            ModelError::Connect | ModelError::BreakOff | ModelError::Exceed | ModelError::Decode => {
                Self::new(StatusCode::BAD_GATEWAY, sentence)
            }
            ModelError::Flatten(error) => Self::bad_request(error.to_string()),
        }
    }
}

/// What the backend said about a request, in OpenAI's shape, marked as the backend's.
fn backend_error(status: u16, body: &str) -> Value {
    let said: Option<Value> = serde_json::from_str(body).ok();
    let mut error = match said
        .as_ref()
        .and_then(|said| said.get("error").unwrap_or(said).as_object())
    {
        Some(error) => error.clone(),
        None => Map::new(),
    };
    error.entry("message").or_insert_with(|| body.into());
    error.entry("type").or_insert_with(|| "backend_error".into());
    error.entry("code").or_insert_with(|| status.into());
    error.insert("source".to_owned(), "backend".into());
    Value::Object(error)
}

impl From<EmbedError> for Problem {
    fn from(error: EmbedError) -> Self {
        match error {
            EmbedError::QueueFull { retry_after } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "The embedding queue is full. Try again shortly.",
            )
            .retry_after(retry_after.as_secs().max(RETRY_AFTER_SECONDS)),
            other => {
                tracing::error!(error = %other, cause = ?std::error::Error::source(&other), "embedding failed");
                Self::internal()
            }
        }
    }
}

pub(super) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "Not Found")
}

pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}

/// Puts the request's id into the body of a server error: all that it says about the cause, which the log knows.
pub(super) fn with_request_id(mut response: Response, id: &str) -> Response {
    let Some(ServerFault { detail, error }) = response.extensions_mut().remove::<ServerFault>() else {
        return response;
    };
    let body = Json(Body {
        detail,
        error,
        request_id: Some(id.to_owned()),
    })
    .into_response()
    .into_body();
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, body)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature that the panic layer asks for"
)]
pub(super) fn from_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic.message = message, "a handler panicked");
    Problem::internal().into_response()
}

/// An error message as a sentence for people.
fn sentence(error: &StoreError) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), characters.as_str()),
        None => text,
    }
}
