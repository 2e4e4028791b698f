//! What can go wrong in a use-case.

use kaito_embeddings::EmbedError;
use rag_core::embedding::ParseEmbedding;
use rag_core::node_parser::ParseNodes;
use rag_store::StoreError;

/// A use-case did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store refused or failed.
    #[error(transparent)]
    UseStore(#[from] StoreError),
    /// The texts could not be embedded.
    #[error("could not embed the text")]
    Embed(#[from] EmbedError),
    /// A document could not be cut into nodes; its metadata are at fault.
    #[error(transparent)]
    ParseDocument(#[from] ParseNodes),
    /// The model answered with something that is not a direction.
    #[error("the embedding model returned an unusable vector")]
    ReadVector(#[from] ParseEmbedding),
    /// The query is blank.
    #[error("the query is empty")]
    ReadQuery,
    /// The process is going down.
    #[error("the service is shutting down")]
    Stopped,
}
