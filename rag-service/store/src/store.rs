//! The store as the engine sees it: indexes of documents that can be written, listed and searched.

use async_trait::async_trait;
use rag_core::document::{DigestedDocument, Document, DocumentDigest, DocumentId};
use rag_core::embedding::Embedding;
use rag_core::filter::Filter;
use rag_core::index_name::IndexName;
use rag_core::metadata::Metadata;
use rag_core::node::{CharSpan, Node, NodeId};
use rag_core::retrieval::{Hit, NodeKey, RetrievalMode};

use crate::error::StoreError;

/// A node and its vector, ready to be stored.
#[derive(Clone, Debug)]
pub struct IndexedNode {
    /// The passage.
    pub node: Node,
    /// Its vector.
    pub embedding: Embedding,
}

/// A document cut into embedded nodes, ready to be stored.
#[derive(Clone, Debug)]
pub struct IndexedDocument {
    /// The document.
    pub document: DigestedDocument,
    /// Chosen metadata lines that are searched together with each node's text; may be empty.
    pub search_header: String,
    /// The document's passages in reading order; none for a blank text.
    pub nodes: Vec<IndexedNode>,
}

/// What became of one inserted document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InsertOutcome {
    /// It was stored.
    Inserted,
    /// The same text is there already, under this id; nothing was changed.
    Duplicate(DocumentId),
}

/// What became of one updated document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateOutcome {
    /// Its text or metadata differed and was replaced.
    Updated,
    /// Text and metadata were the same already.
    Unchanged,
    /// No document has this id.
    NotFound,
}

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Items to skip.
    pub offset: u64,
    /// Items to return at the most.
    pub limit: u64,
}

/// A passage as it is stored, with its document's metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredNode {
    /// Number inside the index.
    pub key: NodeKey,
    /// Stable identity.
    pub id: NodeId,
    /// The document it belongs to.
    pub document_id: DocumentId,
    /// 0-based place in the document.
    pub position: u32,
    /// Where the passage stands in the document.
    pub span: CharSpan,
    /// The passage.
    pub text: String,
    /// The document's metadata.
    pub metadata: Metadata,
}

/// A document as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDocument {
    /// The document.
    pub document: Document,
    /// Digest of its text and metadata.
    pub content_hash: String,
}

/// Nodes of one page, and how many there are in all.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePage {
    /// The nodes, in the order their documents were stored.
    pub nodes: Vec<StoredNode>,
    /// All nodes that match, this page's and the others'.
    pub total: u64,
}

/// Documents of one page, and how many there are in all.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentPage {
    /// The documents, in the order they were stored.
    pub documents: Vec<StoredDocument>,
    /// All documents that match, this page's and the others'.
    pub total: u64,
}

/// What to search for.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// Which searches to run.
    pub mode: RetrievalMode,
    /// The query's vector; needed unless the mode is lexical.
    pub embedding: Option<Embedding>,
    /// The query's words.
    pub query: String,
    /// How many hits each search returns at the most.
    pub limit: usize,
    /// Only nodes of documents whose metadata match.
    pub filter: Option<Filter>,
}

/// What each search found, best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidates {
    /// Hits by cosine similarity.
    pub dense: Vec<Hit>,
    /// Hits by BM25 score; none scores zero.
    pub lexical: Vec<Hit>,
}

/// Where a snapshot is read from and what it may replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadRequest {
    /// The directory, relative to the persist root or absolute inside it; `None` for the root's own place for the index.
    pub path: Option<String>,
    /// Whether an index of the same name may be replaced.
    pub overwrite: bool,
}

/// How an index is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexState {
    /// It can be served.
    Available,
    /// It cannot be opened, and why.
    Unavailable(String),
}

/// How much is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Indexes.
    pub indexes: u64,
    /// Nodes in all of them; those of an index that cannot be read are not counted.
    pub nodes: u64,
}

/// Why a derived index was built anew from the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RebuildCause {
    /// Its files are missing, torn, or belong to another state of the index.
    StaleFiles,
    /// A change could not be applied to it.
    FailedApply,
}

/// Told about events that operators want to count.
pub trait StoreObserver: Send + Sync {
    /// The vector index of some index was rebuilt.
    fn dense_rebuilt(&self, cause: RebuildCause);
    /// The lexical index of some index was rebuilt.
    fn lexical_rebuilt(&self, cause: RebuildCause);
}

/// Indexes of documents.
///
/// Every call that changes something returns when the change is durable and will be seen by the next search.
#[async_trait]
pub trait DocumentStore: Send + Sync {
    /// Names of all indexes in the order they were made.
    async fn index_names(&self) -> Result<Vec<IndexName>, StoreError>;

    /// State of every index, for readiness and metrics.
    async fn index_states(&self) -> Result<Vec<(IndexName, IndexState)>, StoreError>;

    /// How much is stored in all indexes, for metrics.
    async fn totals(&self) -> Result<Totals, StoreError>;

    /// Whether an index of this name exists.
    async fn contains(&self, name: &IndexName) -> Result<bool, StoreError>;

    /// For each document, the id under which the same text is stored already.
    async fn find_duplicates(
        &self,
        name: &IndexName,
        documents: Vec<DocumentDigest>,
    ) -> Result<Vec<Option<DocumentId>>, StoreError>;

    /// For each document, what an update would do.
    async fn plan_update(
        &self,
        name: &IndexName,
        documents: Vec<DocumentDigest>,
    ) -> Result<Vec<UpdateOutcome>, StoreError>;

    /// Stores documents, creating the index when there is none.
    async fn insert(&self, name: &IndexName, documents: Vec<IndexedDocument>)
    -> Result<Vec<InsertOutcome>, StoreError>;

    /// Replaces documents by id.
    async fn update(&self, name: &IndexName, documents: Vec<IndexedDocument>)
    -> Result<Vec<UpdateOutcome>, StoreError>;

    /// Deletes documents by id; for each whether it was there.
    async fn delete_documents(&self, name: &IndexName, ids: Vec<DocumentId>) -> Result<Vec<bool>, StoreError>;

    /// Deletes the index and everything in it.
    async fn delete_index(&self, name: &IndexName) -> Result<(), StoreError>;

    /// Lists nodes, in the order their documents were stored.
    async fn list_nodes(&self, name: &IndexName, page: Page, filter: Option<Filter>) -> Result<NodePage, StoreError>;

    /// Lists whole documents, in the order they were stored.
    async fn list_documents(
        &self,
        name: &IndexName,
        page: Page,
        filter: Option<Filter>,
    ) -> Result<DocumentPage, StoreError>;

    /// Finds candidate nodes.
    async fn search(&self, name: &IndexName, request: SearchRequest) -> Result<Candidates, StoreError>;

    /// Reads nodes by key. A node that was deleted in the meantime is left out.
    async fn nodes(&self, name: &IndexName, keys: Vec<NodeKey>) -> Result<Vec<StoredNode>, StoreError>;

    /// Writes a snapshot; returns the path it was written to, as the user would write it.
    async fn persist(&self, name: &IndexName, path: Option<String>) -> Result<String, StoreError>;

    /// Restores a snapshot; returns the path it was read from, as the user would write it.
    async fn load(&self, name: &IndexName, request: LoadRequest) -> Result<String, StoreError>;

    /// Finishes what is queued, saves what is derived, and closes every index.
    async fn shutdown(&self);
}
