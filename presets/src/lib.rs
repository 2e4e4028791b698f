//! Catalogues that ship with kaito-rs: YAML files under `data/`, compiled in, and typed loaders for them.
//!
//! The files are the interface: each one's header says how to add a row. Nothing here reads the environment or the disk.

mod embedding_models;

pub use embedding_models::{CatalogueError, EmbeddingCatalogue, EmbeddingModel, ModelFiles, Pooling};
