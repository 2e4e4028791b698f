//! Catalogues that ship with kaito-rs: YAML files under `data/`, compiled in, and typed loaders for them.
//!
//! The files are the interface: each one's header says how to add a row. Nothing here reads the environment or the disk.

mod chat_context_prompt;
mod embedding_models;
mod secret_detectors;

pub use chat_context_prompt::{ChatContextPrompt, ChatContextPromptError};
pub use embedding_models::{CatalogueError, EmbeddingCatalogue, EmbeddingModel, ModelFiles, Pooling};
pub use secret_detectors::{
    AssignedRow, Charset, ParseShape, Part, SecretCatalogue, SecretCatalogueError, SecretCheck, Shape, TokenRow,
};

/// The output guardrails that apply when no other policy is given, in YAML.
pub const DEFAULT_GUARDRAILS_POLICY: &str = include_str!("../data/guardrails/default_policy.yaml");
