//! What is answered in place of the API server: a `Status`, as it would.

use std::time::Duration;

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A refusal.
#[derive(Clone, Debug)]
pub struct Reply {
    code: u16,
    reason: &'static str,
    message: String,
    retry_after_seconds: Option<u64>,
}

impl Reply {
    /// Any refusal, with the `reason` of its `Status`, such as `Forbidden`.
    pub fn new(status: StatusCode, reason: &'static str, message: &str) -> Self {
        Self {
            code: status.as_u16(),
            reason,
            message: message.to_owned(),
            retry_after_seconds: None,
        }
    }

    /// 409: the object has changed since it was read.
    pub fn conflict() -> Self {
        let message = "Operation cannot be fulfilled: the object has been modified; please apply your changes to the \
                       latest version and try again";
        Self::new(StatusCode::CONFLICT, "Conflict", message)
    }

    /// 410: what was asked for is too old.
    pub fn gone() -> Self {
        Self::new(StatusCode::GONE, "Expired", "too old resource version")
    }

    /// 429, with Retry-After in whole seconds, rounded up.
    pub fn too_many_requests(retry_after: Duration) -> Self {
        let message = "the server has received too many requests and has asked us to try again later";
        let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
        Self {
            retry_after_seconds: Some(seconds),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message)
        }
    }

    /// 500.
    pub fn internal_error() -> Self {
        let message = "Internal error occurred: the test wants it";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }

    /// 503.
    pub fn unavailable() -> Self {
        let message = "the server is currently unable to handle the request";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
    }

    /// The `Status`.
    pub(super) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Failure", "message": self.message, "reason": self.reason, "code": self.code,
        });
        if let (Some(seconds), Some(status)) = (self.retry_after_seconds, status.as_object_mut()) {
            status.insert("details".to_owned(), json!({"retryAfterSeconds": seconds}));
        }
        status
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let code = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (code, Json(self.status())).into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
