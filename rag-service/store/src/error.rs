//! What can go wrong in the store, sorted by whose fault it is.

use std::path::PathBuf;
use std::sync::Arc;

use rag_core::index_name::IndexName;

/// An operation on the store did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// No index has this name.
    #[error("no such index: {0:?}")]
    FindIndex(IndexName),
    /// An index of this name exists and may not be replaced.
    #[error("index {0:?} already exists")]
    CreateIndex(IndexName),
    /// The index exists and cannot be served; the reason says what to do.
    #[error("index {name:?} cannot be opened: {reason}")]
    OpenIndex {
        /// The index.
        name: IndexName,
        /// Why, and what to do about it.
        reason: String,
    },
    /// The write queue of the index is full.
    #[error("index {0:?} has too many writes waiting")]
    EnqueueWrite(IndexName),
    /// A persist or load path leads out of the persist root, or the root is missing.
    #[error("path {path:?} is not allowed: {reason}")]
    ResolvePath {
        /// The path as it was given.
        path: String,
        /// Why.
        reason: String,
    },
    /// A load path does not exist.
    #[error("path does not exist: {0:?}")]
    FindSnapshot(String),
    /// A load path holds something that is not a usable snapshot.
    #[error("snapshot {path:?} cannot be loaded: {reason}")]
    ReadSnapshot {
        /// The path as it was given.
        path: String,
        /// Why, and what to do about it.
        reason: String,
    },
    /// A vector has the wrong number of components for the index.
    #[error("a vector has {found} components where the index has {expected}")]
    MatchDimension {
        /// Components of the index's vectors.
        expected: usize,
        /// Components of the vector handed in.
        found: usize,
    },
    /// The machine, not the request, is at fault.
    #[error("{0}")]
    Run(#[source] Arc<Fault>),
}

/// A failure below the store: disk, database, library.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A file operation failed.
    #[error("could not {action} {path:?}")]
    AccessFile {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("could not use the document database")]
    UseDatabase(#[from] rusqlite::Error),
    /// FAISS refused.
    #[error("could not use the vector index: {0}")]
    UseDense(String),
    /// tantivy refused.
    #[error("could not use the lexical index")]
    UseLexical(#[from] tantivy::TantivyError),
    /// Stored JSON does not parse.
    #[error("could not read stored JSON")]
    ReadJson(#[from] serde_json::Error),
    /// A stored value is impossible.
    #[error("stored data is damaged: {0}")]
    TrustData(String),
    /// A thread of the store is gone.
    #[error("the store is shutting down")]
    Stopped,
}

impl Fault {
    /// Wraps an I/O error with what was tried; for `map_err`.
    pub fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::AccessFile { action, path, source }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        Self::Run(Arc::new(fault))
    }
}

/// The store could not be opened at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenStore {
    /// Another process owns the data directory.
    #[error("data directory {0:?} is in use by another process; stop it, or set RAG_DATA_DIR to another directory")]
    LockDirectory(PathBuf),
    /// The file system has no dependable locks.
    #[error(
        "data directory {path:?} is on {kind}, which cannot guard it against a second process; set RAG_DATA_DIR to a \
         local or block-device file system"
    )]
    AcceptFileSystem {
        /// The directory.
        path: PathBuf,
        /// Name of the file system.
        kind: &'static str,
    },
    /// A file or directory could not be used.
    #[error(transparent)]
    Prepare(#[from] Fault),
}
