//! `index.json`: what an index is, beside its data.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rag_core::index_name::IndexName;
use serde::{Deserialize, Serialize};

use super::EmbeddingSpace;
use super::files::write_file_atomically;
use crate::error::Fault;

const FILE_NAME: &str = "index.json";
/// Bumped when an older program could not serve the index any more.
const FORMAT: u32 = 1;

/// Identity and shape of one index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) name: String,
    pub(super) format: u32,
    pub(super) embedding_model_id: String,
    pub(super) dimension: usize,
    pub(super) metric: Metric,
    pub(super) dense_index: DenseKind,
    pub(super) created_at_unix_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Metric {
    InnerProductOfUnitVectors,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DenseKind {
    Flat,
}

impl Manifest {
    pub(super) fn new(name: &IndexName, space: &EmbeddingSpace) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            name: name.as_str().to_owned(),
            format: FORMAT,
            embedding_model_id: space.model_id.clone(),
            dimension: space.dimension,
            metric: Metric::InnerProductOfUnitVectors,
            dense_index: DenseKind::Flat,
            created_at_unix_ms: u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX),
        }
    }

    pub(super) fn read(directory: &Path) -> Result<Self, Fault> {
        let path = directory.join(FILE_NAME);
        let content = std::fs::read(&path).map_err(Fault::file("read", &path))?;
        Ok(serde_json::from_slice(&content)?)
    }

    pub(super) fn write(&self, directory: &Path) -> Result<(), Fault> {
        write_file_atomically(&directory.join(FILE_NAME), &serde_json::to_vec_pretty(self)?)
    }

    /// Why this program, configured as it is, cannot serve the index; with what to do about it.
    pub(super) fn mismatch(&self, space: &EmbeddingSpace) -> Option<String> {
        if self.format != FORMAT {
            return Some(format!(
                "its format is version {} where this program knows version {FORMAT}; use the program that wrote it",
                self.format
            ));
        }
        if self.embedding_model_id != space.model_id || self.dimension != space.dimension {
            return Some(format!(
                "it was made with the embedding model {:?} ({} dimensions) and the service runs {:?} ({}); install that \
                 model and set LOCAL_EMBEDDING_MODEL_ID={} (or the remote embedding settings it was made with), or \
                 delete the index and index its documents again",
                self.embedding_model_id, self.dimension, space.model_id, space.dimension, self.embedding_model_id
            ));
        }
        None
    }
}
