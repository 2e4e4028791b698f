//! The service without HTTP: an ingestion pipeline (parse, embed, store) and a query pipeline (embed, retrieve, fuse).

mod chat;
mod documents;
mod embedding;
mod error;
mod indexing;
mod retrieval;

use std::sync::Arc;

use kaito_embeddings::Embedder;
use rag_core::embed_text::EmbeddedKeys;
use rag_core::fusion::Fusion;
use rag_core::index_name::IndexName;
use rag_core::node_parser::NodeParser;
use rag_store::{DocumentStore, IndexState, LoadRequest, Totals};

pub use self::chat::{
    ChatEngine, ChatEngineParts, ChatError, ChatPermit, ChatSettings, Grounding, GroundingRequest, PassageSource,
    PreparedChat, SourceNode, Sources,
};
pub use self::documents::{ListRequest, UpdatedDocuments};
pub use self::embedding::QueryEmbedder;
pub use self::error::EngineError;
pub use self::retrieval::{RetrieveRequest, RetrievedNode};
use crate::metrics::Metrics;

/// How retrieval ranks.
#[derive(Clone, Copy, Debug)]
pub struct RetrievalSettings {
    /// How the two hit lists become one.
    pub fusion: Fusion,
    /// Hits that each search hands to fusion.
    pub candidates: usize,
}

/// What the engine is made of.
pub struct EngineParts {
    /// Where documents live.
    pub store: Arc<dyn DocumentStore>,
    /// What makes vectors.
    pub embedder: Arc<dyn Embedder>,
    /// What cuts documents.
    pub node_parser: NodeParser,
    /// Metadata that is embedded and searched with the text; the same the node parser leaves room for.
    pub embedded_keys: EmbeddedKeys,
    /// How retrieval ranks.
    pub retrieval: RetrievalSettings,
    /// Query vectors kept in memory.
    pub query_cache_entries: u64,
    /// Where operations are counted.
    pub metrics: Arc<Metrics>,
}

/// Use-cases over one store and one embedding model. Shared by all requests; holds nothing of any of them.
pub struct Engine {
    store: Arc<dyn DocumentStore>,
    embedder: Arc<dyn Embedder>,
    queries: QueryEmbedder,
    node_parser: Arc<NodeParser>,
    embedded_keys: EmbeddedKeys,
    retrieval: RetrievalSettings,
    metrics: Arc<Metrics>,
}

impl Engine {
    /// Puts the parts together.
    pub fn new(parts: EngineParts) -> Self {
        let queries = QueryEmbedder::new(Arc::clone(&parts.embedder), parts.query_cache_entries);
        Self {
            store: parts.store,
            embedder: parts.embedder,
            queries,
            node_parser: Arc::new(parts.node_parser),
            embedded_keys: parts.embedded_keys,
            retrieval: parts.retrieval,
            metrics: parts.metrics,
        }
    }

    /// Names of all indexes in the order they were made.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn index_names(&self) -> Result<Vec<IndexName>, EngineError> {
        Ok(self.store.index_names().await?)
    }

    /// How much is stored.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn totals(&self) -> Result<Totals, EngineError> {
        Ok(self.store.totals().await?)
    }

    /// State of every index.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn index_states(&self) -> Result<Vec<(IndexName, IndexState)>, EngineError> {
        Ok(self.store.index_states().await?)
    }

    /// Deletes an index with everything in it.
    ///
    /// # Errors
    /// When there is none of this name or the store fails.
    pub async fn delete_index(&self, name: &IndexName) -> Result<(), EngineError> {
        Ok(self.store.delete_index(name).await?)
    }

    /// Writes a snapshot and returns where, as the user would write it.
    ///
    /// # Errors
    /// When there is no such index, the path is not allowed, or the store fails.
    pub async fn persist(&self, name: &IndexName, path: Option<String>) -> Result<String, EngineError> {
        Ok(self.store.persist(name, path).await?)
    }

    /// Restores a snapshot and returns from where, as the user would write it.
    ///
    /// # Errors
    /// When there is no usable snapshot, the index exists and may not be replaced, or the store fails.
    pub async fn load(&self, name: &IndexName, request: LoadRequest) -> Result<String, EngineError> {
        Ok(self.store.load(name, request).await?)
    }

    /// Finishes what is queued and closes the store.
    pub async fn shutdown(&self) {
        self.store.shutdown().await;
    }
}
