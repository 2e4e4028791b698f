//! One open index: its documents, what is derived from them, and its writer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rag_core::document::{DocumentDigest, DocumentId};
use rag_core::embedding::Embedding;
use rag_core::error_chain;
use rag_core::filter::Filter;
use rag_core::index_name::IndexName;
use rag_core::retrieval::{Hit, NodeKey};
use roaring::RoaringTreemap;
use rusqlite::Connection;

use super::EmbeddingSpace;
use super::derived::Derived;
use super::files::sync_directory;
use super::manifest::Manifest;
use super::writer::Writer;
use crate::docstore::{self, ReaderPool};
use crate::error::{Fault, StoreError};
use crate::store::{
    DocumentPage, IndexedDocument, InsertOutcome, NodePage, Page, StoreObserver, StoredNode, UpdateOutcome,
};

/// An index that can be read and written.
pub(super) struct OpenIndex {
    manifest: Manifest,
    space: EmbeddingSpace,
    readers: ReaderPool,
    derived: Arc<Derived>,
    writer: Writer,
}

/// What an index needs to know to open.
#[derive(Clone)]
pub(super) struct OpenOptions {
    pub(super) space: EmbeddingSpace,
    pub(super) write_queue: usize,
    pub(super) observer: Arc<dyn StoreObserver>,
}

/// Makes the directory of a new, empty index. After a crash it is there with its manifest, or not at all.
pub(super) fn create(directory: &Path, staging: &Path, name: &IndexName, space: &EmbeddingSpace) -> Result<(), Fault> {
    std::fs::create_dir_all(staging).map_err(Fault::file("create", staging))?;
    Manifest::new(name, space).write(staging)?;
    drop(docstore::open_writer(&database(staging))?);
    sync_directory(staging)?;
    std::fs::rename(staging, directory).map_err(Fault::file("rename", staging))?;
    directory.parent().map_or(Ok(()), sync_directory)
}

/// Path of the document database of an index.
pub(super) fn database(directory: &Path) -> PathBuf {
    directory.join("documents.sqlite")
}

/// Number of nodes of an index that is not open.
pub(super) fn count_nodes(directory: &Path) -> Result<u64, Fault> {
    docstore::count_nodes(&docstore::open_reader(&database(directory))?)
}

impl OpenIndex {
    /// Opens the index in a directory. The error says why it cannot be served.
    pub(super) fn open(directory: &Path, options: OpenOptions) -> Result<Self, String> {
        let manifest = Manifest::read(directory).map_err(|fault| error_chain(&fault))?;
        if let Some(reason) = manifest.mismatch(&options.space) {
            return Err(reason);
        }
        let name = IndexName::try_from(manifest.name.as_str()).map_err(|error| error.to_string())?;
        Self::open_checked(directory, manifest, name, options).map_err(|fault| error_chain(&fault))
    }

    fn open_checked(
        directory: &Path,
        manifest: Manifest,
        name: IndexName,
        options: OpenOptions,
    ) -> Result<Self, Fault> {
        let database = database(directory);
        let connection = docstore::open_writer(&database)?;
        let derived = Arc::new(Derived::open(
            &connection,
            directory,
            options.space.dimension,
            options.observer,
        )?);
        let writer = Writer::start(name, connection, Arc::clone(&derived), options.write_queue)?;
        Ok(Self {
            manifest,
            space: options.space,
            readers: ReaderPool::new(&database),
            derived,
            writer,
        })
    }

    /// Number of nodes that can be found.
    pub(super) fn node_count(&self) -> u64 {
        self.derived.dense().len()
    }

    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(super) async fn insert(&self, documents: Vec<IndexedDocument>) -> Result<Vec<InsertOutcome>, StoreError> {
        self.check_dimensions(&documents)?;
        self.writer.insert(documents).await
    }

    pub(super) async fn update(&self, documents: Vec<IndexedDocument>) -> Result<Vec<UpdateOutcome>, StoreError> {
        self.check_dimensions(&documents)?;
        self.writer.update(documents).await
    }

    pub(super) async fn delete(&self, ids: Vec<DocumentId>) -> Result<Vec<bool>, StoreError> {
        self.writer.delete(ids).await
    }

    pub(super) fn find_duplicates(&self, documents: &[DocumentDigest]) -> Result<Vec<Option<DocumentId>>, StoreError> {
        self.read(|connection| docstore::existing_texts(connection, documents))
    }

    pub(super) fn plan_update(&self, documents: &[DocumentDigest]) -> Result<Vec<UpdateOutcome>, StoreError> {
        self.read(|connection| docstore::update_outcomes(connection, documents))
    }

    pub(super) fn list_nodes(&self, page: Page, filter: Option<&Filter>) -> Result<NodePage, StoreError> {
        self.read(|connection| {
            let matching = filter
                .map(|filter| docstore::matching_documents(connection, filter))
                .transpose()?;
            docstore::list_nodes(connection, page, matching.as_ref())
        })
    }

    pub(super) fn list_documents(&self, page: Page, filter: Option<&Filter>) -> Result<DocumentPage, StoreError> {
        self.read(|connection| {
            let matching = filter
                .map(|filter| docstore::matching_documents(connection, filter))
                .transpose()?;
            docstore::list_documents(connection, page, matching.as_ref())
        })
    }

    pub(super) fn matching_keys(&self, filter: &Filter) -> Result<RoaringTreemap, StoreError> {
        self.read(|connection| docstore::matching_keys(connection, filter))
    }

    pub(super) fn nodes(&self, keys: &[NodeKey]) -> Result<Vec<StoredNode>, StoreError> {
        self.read(|connection| docstore::nodes_by_key(connection, keys))
    }

    pub(super) fn search_dense(
        &self,
        query: &Embedding,
        limit: usize,
        allowed: Option<&RoaringTreemap>,
    ) -> Result<Vec<Hit>, StoreError> {
        if query.dimension() != self.space.dimension {
            return Err(StoreError::MatchDimension {
                expected: self.space.dimension,
                found: query.dimension(),
            });
        }
        Ok(self.derived.dense().search(query, limit, allowed)?)
    }

    pub(super) fn search_lexical(
        &self,
        query: &str,
        limit: usize,
        allowed: Option<&RoaringTreemap>,
    ) -> Result<Vec<Hit>, StoreError> {
        Ok(self.derived.lexical().search(query, limit, allowed)?)
    }

    pub(super) fn merge(&self) -> Result<(), StoreError> {
        Ok(self.derived.lexical().merge()?)
    }

    /// Copies the documents, as they are now, into a new database file.
    pub(super) fn back_up_to(&self, target: &Path) -> Result<(), Fault> {
        let reader = self.readers.reader()?;
        docstore::backup_to(&reader, target)
    }

    /// Finishes what is queued and saves what is derived.
    pub(super) fn close(&self) {
        self.writer.stop();
    }

    /// Runs several questions against one state of the documents.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, StoreError> {
        let reader = self.readers.reader()?;
        let snapshot = reader.unchecked_transaction().map_err(Fault::from)?;
        Ok(read(&snapshot)?)
    }

    fn check_dimensions(&self, documents: &[IndexedDocument]) -> Result<(), StoreError> {
        let expected = self.space.dimension;
        let wrong = documents
            .iter()
            .flat_map(|document| &document.nodes)
            .map(|node| node.embedding.dimension())
            .find(|found| *found != expected);
        wrong.map_or(Ok(()), |found| Err(StoreError::MatchDimension { expected, found }))
    }
}
