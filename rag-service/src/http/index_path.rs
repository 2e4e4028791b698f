//! The index a path names.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use rag_core::index_name::IndexName;

use super::problem::Problem;

/// `{index_name}` of the path, percent-decoded once.
pub(super) struct IndexPath(pub(super) IndexName);

impl<State: Send + Sync> FromRequestParts<State> for IndexPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let Path(name) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
        match IndexName::try_from(name.as_str()) {
            Ok(name) => Ok(Self(name)),
            // No index can have such a name.
            Err(_) => Err(Problem::no_such_index(&name)),
        }
    }
}
