//! Catalogues that ship with kaito-rs: YAML files under `data/`, compiled in, and typed loaders for them. Besides, the
//! arithmetic that needs nothing but the catalogues: how many machines a model takes, and how it is spread over them.
//!
//! The files are the interface: each one's header says how to add a row. Nothing here reads the environment or the disk.

mod byte_size;
mod chat_context_prompt;
mod embedding_models;
mod estimate;
mod gpus;
mod hub_id;
mod instance_types;
mod models;
mod parallelism;
mod rows;
mod secret_detectors;
mod sizing;

pub use byte_size::{ByteSize, ParseByteSize};
pub use chat_context_prompt::{ChatContextPrompt, ChatContextPromptError};
pub use embedding_models::{CatalogueError, EmbeddingCatalogue, EmbeddingModel, ModelFiles, Pooling};
pub use estimate::{DEFAULT_CONTEXT_TOKENS, Demand, Estimate, EstimateError, GpuRoom, estimate};
pub use gpus::{Gpus, NodeLabelError, ParseMigProfile, TooFewGpus};
pub use hub_id::{HubId, ParseHubId};
pub use instance_types::{Cloud, ComputeCapability, InstanceType, InstanceTypes};
pub use models::{
    Attention, AttentionKind, BaseImage, GenerateModelError, HubFile, HubModel, Model, ModelCatalogue, ModelFacts,
    ModelSources, Quantisation, Resolution, RunParameter, RunParameters, Tuning, WeightFormat,
};
pub use parallelism::{Parallelism, ParallelismPlan};
pub use rows::DataError;
pub use secret_detectors::{
    AssignedRow, Charset, ParseShape, Part, SecretCatalogue, SecretCatalogueError, SecretCheck, Shape, TokenRow,
};
pub use sizing::{ServingRuntime, Sizing, SizingError, size, smallest_that_fit};

/// The output guardrails that apply when no other policy is given, in YAML.
pub const DEFAULT_GUARDRAILS_POLICY: &str = include_str!("../data/guardrails/default_policy.yaml");
