//! Indexes kept by this process in a directory of its own.
//!
//! ```text
//! <data dir>/lock                       held for the life of the process
//! <data dir>/indexes/<SHA-256 of name>/ one index each: index.json, documents.sqlite, dense/, lexical/
//! <data dir>/staging/                   unfinished restores and deletions; emptied at start
//! ```
//!
//! Everything below is synchronous and runs on blocking threads; [`EmbeddedStore`] is the asynchronous face.

mod data_dir;
mod derived;
mod files;
mod index;
mod manifest;
mod persist_root;
mod registry;
mod snapshot;
mod writer;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use rag_core::document::{DocumentDigest, DocumentId};
use rag_core::filter::Filter;
use rag_core::index_name::IndexName;
use rag_core::retrieval::{NodeKey, RetrievalMode};
use roaring::RoaringTreemap;

pub(crate) use self::files::write_file_atomically;
use self::index::OpenIndex;
use self::registry::Registry;
use crate::error::{Fault, OpenStore, StoreError};
use crate::store::{
    Candidates, DocumentPage, DocumentStore, IndexState, IndexedDocument, InsertOutcome, LoadRequest, NodePage, Page,
    SearchRequest, StoreObserver, StoredNode, Totals, UpdateOutcome,
};

/// The vectors every index of a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingSpace {
    /// Id of the model that makes them.
    pub model_id: String,
    /// Components of each.
    pub dimension: usize,
}

/// Where an embedded store keeps its files, and its limits.
#[derive(Clone, Debug)]
pub struct EmbeddedStoreSettings {
    /// Directory that this process owns.
    pub data_dir: PathBuf,
    /// Directory that snapshots are written to and read from.
    pub persist_root: PathBuf,
    /// The configured embedding model.
    pub space: EmbeddingSpace,
    /// Indexes kept open at one time; the least recently used ones are closed.
    pub max_open_indexes: usize,
    /// Writes that may wait for one index.
    pub write_queue: usize,
}

/// [`DocumentStore`] over SQLite, FAISS and tantivy in one directory.
pub struct EmbeddedStore {
    registry: Arc<Registry>,
}

impl EmbeddedStore {
    /// Locks the data directory, finds its indexes, and opens as many as may stay open. An index that cannot be opened
    /// does not keep the others from being served.
    ///
    /// Blocks; call it from a blocking thread.
    ///
    /// # Errors
    /// When the directory is locked by another process, lies on a network file system, or cannot be used.
    pub fn open(settings: EmbeddedStoreSettings, observer: Arc<dyn StoreObserver>) -> Result<Self, OpenStore> {
        Ok(Self {
            registry: Arc::new(Registry::open(settings, observer)?),
        })
    }

    /// Merges the lexical index of one index, so that its scores depend on the live texts alone.
    ///
    /// # Errors
    /// When there is no such index or tantivy fails.
    pub async fn merge(&self, name: &IndexName) -> Result<(), StoreError> {
        self.with_index(name, OpenIndex::merge).await
    }

    async fn with_index<T: Send + 'static>(
        &self,
        name: &IndexName,
        work: impl FnOnce(&OpenIndex) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let name = name.clone();
        self.blocking(move |registry| work(&*registry.index(&name)?)).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Registry) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let registry = Arc::clone(&self.registry);
        let span = tracing::Span::current();
        tokio::task::spawn_blocking(move || span.in_scope(|| work(&registry)))
            .await
            .unwrap_or_else(|_| Err(Fault::Stopped.into()))
    }
}

#[async_trait]
impl DocumentStore for EmbeddedStore {
    async fn index_names(&self) -> Result<Vec<IndexName>, StoreError> {
        Ok(self.registry.names())
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        self.blocking(|registry| Ok(registry.totals())).await
    }

    async fn index_states(&self) -> Result<Vec<(IndexName, IndexState)>, StoreError> {
        self.blocking(|registry| Ok(registry.states())).await
    }

    async fn contains(&self, name: &IndexName) -> Result<bool, StoreError> {
        Ok(self.registry.contains(name))
    }

    async fn find_duplicates(
        &self,
        name: &IndexName,
        documents: Vec<DocumentDigest>,
    ) -> Result<Vec<Option<DocumentId>>, StoreError> {
        self.with_index(name, move |index| index.find_duplicates(&documents))
            .await
    }

    async fn plan_update(
        &self,
        name: &IndexName,
        documents: Vec<DocumentDigest>,
    ) -> Result<Vec<UpdateOutcome>, StoreError> {
        self.with_index(name, move |index| index.plan_update(&documents)).await
    }

    async fn insert(
        &self,
        name: &IndexName,
        documents: Vec<IndexedDocument>,
    ) -> Result<Vec<InsertOutcome>, StoreError> {
        let name = name.clone();
        let index = self.blocking(move |registry| registry.index_or_create(&name)).await?;
        index.insert(documents).await
    }

    async fn update(
        &self,
        name: &IndexName,
        documents: Vec<IndexedDocument>,
    ) -> Result<Vec<UpdateOutcome>, StoreError> {
        let name = name.clone();
        let index = self.blocking(move |registry| registry.index(&name)).await?;
        index.update(documents).await
    }

    async fn delete_documents(&self, name: &IndexName, ids: Vec<DocumentId>) -> Result<Vec<bool>, StoreError> {
        let name = name.clone();
        let index = self.blocking(move |registry| registry.index(&name)).await?;
        index.delete(ids).await
    }

    async fn delete_index(&self, name: &IndexName) -> Result<(), StoreError> {
        let name = name.clone();
        self.blocking(move |registry| registry.delete(&name)).await
    }

    async fn list_nodes(&self, name: &IndexName, page: Page, filter: Option<Filter>) -> Result<NodePage, StoreError> {
        self.with_index(name, move |index| index.list_nodes(page, filter.as_ref()))
            .await
    }

    async fn list_documents(
        &self,
        name: &IndexName,
        page: Page,
        filter: Option<Filter>,
    ) -> Result<DocumentPage, StoreError> {
        self.with_index(name, move |index| index.list_documents(page, filter.as_ref()))
            .await
    }

    async fn search(&self, name: &IndexName, request: SearchRequest) -> Result<Candidates, StoreError> {
        let SearchRequest {
            mode,
            embedding,
            query,
            limit,
            filter,
        } = request;
        let allowed: Option<Arc<RoaringTreemap>> = match filter {
            None => None,
            Some(filter) => Some(Arc::new(
                self.with_index(name, move |index| index.matching_keys(&filter)).await?,
            )),
        };
        let embedding = embedding.filter(|_| mode != RetrievalMode::Lexical);
        let allowed_for_dense = allowed.clone();
        let dense = async {
            let Some(embedding) = embedding else {
                return Ok(Vec::new());
            };
            self.with_index(name, move |index| {
                index.search_dense(&embedding, limit, allowed_for_dense.as_deref())
            })
            .await
        };
        let lexical = async {
            if mode == RetrievalMode::Dense {
                return Ok(Vec::new());
            }
            self.with_index(name, move |index| {
                index.search_lexical(&query, limit, allowed.as_deref())
            })
            .await
        };
        let (dense, lexical) = tokio::try_join!(dense, lexical)?;
        Ok(Candidates { dense, lexical })
    }

    async fn nodes(&self, name: &IndexName, keys: Vec<NodeKey>) -> Result<Vec<StoredNode>, StoreError> {
        self.with_index(name, move |index| index.nodes(&keys)).await
    }

    async fn persist(&self, name: &IndexName, path: Option<String>) -> Result<String, StoreError> {
        let name = name.clone();
        self.blocking(move |registry| registry.persist(&name, path.as_deref()))
            .await
    }

    async fn load(&self, name: &IndexName, request: LoadRequest) -> Result<String, StoreError> {
        let name = name.clone();
        self.blocking(move |registry| registry.load(&name, &request)).await
    }

    async fn shutdown(&self) {
        let registry = Arc::clone(&self.registry);
        // A join error means that closing panicked; there is nothing left to do about it but to say so.
        if let Err(error) = tokio::task::spawn_blocking(move || registry.close()).await {
            tracing::error!(%error, "closing the indexes failed");
        }
    }
}
