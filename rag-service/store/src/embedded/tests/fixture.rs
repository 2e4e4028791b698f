//! A store in a temporary directory, with vectors made from text.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rag_core::document::Document;
use rag_core::embedding::Embedding;
use rag_core::filter::Filter;
use rag_core::index_name::IndexName;
use rag_core::node::{CharSpan, Chunk, TextKind, link_nodes};
use rag_core::retrieval::RetrievalMode;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::embedded::{EmbeddedStore, EmbeddedStoreSettings, EmbeddingSpace};
use crate::error::OpenStore;
use crate::store::{
    Candidates, DocumentStore, IndexedDocument, IndexedNode, RebuildCause, SearchRequest, StoreObserver,
};

pub(super) const MODEL: &str = "test/model";
const DIMENSION: usize = 8;

pub(super) struct Fixture {
    directory: TempDir,
    open_indexes: usize,
    pub(super) store: EmbeddedStore,
    pub(super) observer: Arc<Rebuilds>,
}

#[derive(Default)]
pub(super) struct Rebuilds {
    dense: AtomicUsize,
    lexical: AtomicUsize,
}

impl Rebuilds {
    pub(super) fn lexical_rebuilds(&self) -> usize {
        self.lexical.load(Ordering::Relaxed)
    }
}

impl StoreObserver for Rebuilds {
    fn dense_rebuilt(&self, _cause: RebuildCause) {
        self.dense.fetch_add(1, Ordering::Relaxed);
    }

    fn lexical_rebuilt(&self, _cause: RebuildCause) {
        self.lexical.fetch_add(1, Ordering::Relaxed);
    }
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::with_open_indexes(64)
    }

    pub(super) fn with_open_indexes(open_indexes: usize) -> Self {
        Self::in_directory(tempfile::tempdir().unwrap(), open_indexes)
    }

    fn in_directory(directory: TempDir, open_indexes: usize) -> Self {
        let (store, observer) = Self::open_at(&directory.path().join("data"), open_indexes).unwrap();
        Self {
            directory,
            open_indexes,
            store,
            observer,
        }
    }

    pub(super) fn open_at(data_dir: &Path, open: usize) -> Result<(EmbeddedStore, Arc<Rebuilds>), OpenStore> {
        let observer = Arc::new(Rebuilds::default());
        let settings = EmbeddedStoreSettings {
            data_dir: data_dir.to_owned(),
            persist_root: data_dir.with_file_name("persist"),
            space: EmbeddingSpace {
                model_id: MODEL.to_owned(),
                dimension: DIMENSION,
            },
            max_open_indexes: open,
            write_queue: 64,
        };
        Ok((
            EmbeddedStore::open(settings, Arc::clone(&observer) as Arc<dyn StoreObserver>)?,
            observer,
        ))
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(super) fn persist_root(&self) -> PathBuf {
        self.directory.path().join("persist")
    }

    pub(super) fn index_directory(&self, index: &str) -> PathBuf {
        self.directory
            .path()
            .join("data/indexes")
            .join(name(index).directory_name())
    }

    pub(super) async fn insert(&self, index: &str, texts: &[&str]) {
        let documents = texts
            .iter()
            .map(|text| document(text, Value::Object(serde_json::Map::new())))
            .collect();
        self.store.insert(&name(index), documents).await.unwrap();
    }

    /// Stops and starts again.
    pub(super) fn restart(self) -> Self {
        self.stop_and(|| {})
    }

    /// Stops, does something to the files, and starts again.
    pub(super) fn stop_and(self, meanwhile: impl FnOnce()) -> Self {
        let Self {
            directory,
            open_indexes,
            store,
            ..
        } = self;
        block_on(store.shutdown());
        drop(store);
        meanwhile();
        Self::in_directory(directory, open_indexes)
    }

    /// Goes on with a copy of the files as they are at this moment: what a `kill -9` leaves behind.
    pub(super) fn crash(self) -> Self {
        let copy = tempfile::tempdir().unwrap();
        copy_tree(self.directory.path(), copy.path());
        Self::in_directory(copy, self.open_indexes)
    }
}

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

pub(super) fn name(text: &str) -> IndexName {
    IndexName::try_from(text).unwrap()
}

/// A document whose nodes are the parts of its text between bars.
pub(super) fn document(text: &str, metadata: Value) -> IndexedDocument {
    let document = Document::new(text.to_owned(), serde_json::from_value(metadata).unwrap());
    indexed(document)
}

pub(super) fn indexed(document: Document) -> IndexedDocument {
    let chunks = document
        .text
        .split('|')
        .filter(|part| !part.is_empty())
        .map(|part| Chunk {
            text: part.to_owned(),
            span: CharSpan { start: 0, end: 1 },
        })
        .collect();
    let nodes = link_nodes(&document.id, TextKind::Prose, chunks)
        .into_iter()
        .map(|node| IndexedNode {
            embedding: embedding(&node.text),
            node,
        })
        .collect();
    IndexedDocument {
        document: document.into(),
        search_header: String::new(),
        nodes,
    }
}

pub(super) fn embedding(text: &str) -> Embedding {
    let digest = Sha256::digest(text.as_bytes());
    Embedding::normalised(
        digest
            .iter()
            .take(DIMENSION)
            .map(|byte| f32::from(*byte) - 127.5)
            .collect(),
    )
    .unwrap()
}

pub(super) async fn search(
    store: &EmbeddedStore,
    index: &str,
    query: &str,
    mode: RetrievalMode,
    filter: Option<Filter>,
) -> Candidates {
    let request = SearchRequest {
        mode,
        embedding: Some(embedding(query)),
        query: query.to_owned(),
        limit: 100,
        filter,
    };
    store.search(&name(index), request).await.unwrap()
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else if let Err(error) = std::fs::copy(entry.path(), &target) {
            // tantivy may remove a merged segment's file between listing and copying.
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
    }
}
