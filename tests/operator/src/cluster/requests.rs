//! Who asked what of the API server: its audit log.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// The name of the log in the cluster's directory.
pub(super) const AUDIT_LOG: &str = "audit.log";

/// A request that the API server has answered, or begun to answer if it is a watch.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// Path and query.
    #[serde(rename = "requestURI")]
    pub uri: String,
    /// What the client calls itself.
    #[serde(default)]
    pub user_agent: String,
    /// Who it is.
    pub user: RequestUser,
    /// What it is about; absent for `/version` and the like.
    #[serde(default)]
    pub object_ref: ObjectReference,
    /// The answer's status.
    #[serde(default)]
    pub response_status: ResponseStatus,
    #[serde(rename = "auditID")]
    id: String,
}

/// An authenticated user.
#[derive(Clone, Debug, Deserialize)]
pub struct RequestUser {
    /// Such as `system:serviceaccount:<namespace>:<name>`.
    pub username: String,
}

/// The object or the collection that a request is about; what does not apply is empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectReference {
    /// Plural, such as `deployments`.
    pub resource: String,
    /// Such as `status`.
    pub subresource: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// API group.
    pub api_group: String,
}

/// An answer's status.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ResponseStatus {
    /// HTTP status.
    #[serde(default)]
    pub code: u16,
}

impl Request {
    /// Whether it meant to change something.
    pub fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }
}

/// Reads the log. A long-running request has two entries, one at its beginning; the first counts.
pub(super) fn read(log: &Path, user_agent: &str) -> Result<Vec<Request>> {
    let text = std::fs::read_to_string(log).with_context(|| format!("cannot read {log:?}"))?;
    // What comes after the last newline is being written.
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut seen = std::collections::HashSet::new();
    let mut requests = Vec::new();
    for line in complete.lines() {
        let request: Request = serde_json::from_str(line).with_context(|| format!("cannot read {line:?}"))?;
        if request.user_agent.starts_with(user_agent) && seen.insert(request.id.clone()) {
            requests.push(request);
        }
    }
    Ok(requests)
}
