//! Version `v1alpha1`, as KAITO had it: served, converted, and never stored. Nothing is added to it; what only
//! [`v1beta1`](crate::v1beta1) can say travels in an annotation.

mod compute;
mod inference_set;
mod ragengine;
mod workspace;

pub use compute::ResourceSpec;
pub use inference_set::{
    InferenceSet, InferenceSetResource, InferenceSetSpec, InferenceSetStatus, InferenceSetTemplate, Metric,
    PerformanceStatus,
};
pub use ragengine::{InferenceServiceSpec, RAGEngine, RAGEngineSpec, RAGEngineStatus, StorageSpec};
pub use workspace::{
    InferenceSpec, PresetOptions, PresetSpec, TuningSpec, Workspace, WorkspaceFields, WorkspaceStatus,
};

pub use crate::shared::{
    DataDestination, DataSource, EmbeddingSpec, LocalEmbeddingSpec, RawObject, RemoteEmbeddingSpec,
};
pub use crate::v1beta1::{AccessMode, AdapterSpec};
