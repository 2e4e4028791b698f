//! Parts that are the same in every version.

mod data;
mod embedding;

pub use data::{DataDestination, DataSource};
pub use embedding::{EmbeddingSpec, LocalEmbeddingSpec, RemoteEmbeddingSpec};

/// An object that is stored as it comes, such as a pod template: what is in it is checked when it is used.
pub type RawObject = serde_json::Map<String, serde_json::Value>;
