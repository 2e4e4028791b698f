//! Version `v1beta1`, which is stored.

pub(crate) mod compute;
mod deployment;
pub(crate) mod inference_service;
pub(crate) mod inference_set;
pub(crate) mod ragengine;
pub(crate) mod storage;
pub(crate) mod workspace;

pub use compute::{PartitionMode, PartitionSpec, ResourceSpec};
pub use deployment::{
    AuthSpec, Fusion, NetworkPolicySpec, PodTemplate, Resources, RetrievalSpec, SecretReference, ServiceType,
};
pub use inference_service::{InferenceServiceSpec, WorkspaceKind, WorkspaceReference, WorkspaceTemplate};
pub use inference_set::{
    AutoUpgradeSpec, AutoUpgradeStrategy, InferenceSet, InferenceSetResource, InferenceSetSpec, InferenceSetStatus,
    InferenceSetTemplate, MaintenanceWindow, RollingUpdate, TemplateMetadata, UpdateStrategy, UpdateStrategyType,
};
pub use ragengine::{
    ConfigMapReference, GuardrailsSpec, IndexesStatus, InferenceStatus, RAGEngine, RAGEngineSpec, RAGEngineStatus,
};
pub use storage::{PersistentVolumeSpec, StorageSpec, VectorDBSpec};
pub use workspace::{
    AccessMode, AdapterSpec, InferenceSpec, Metric, PerformanceStatus, PresetOptions, PresetSpec, TuningSpec,
    Workspace, WorkspaceFields, WorkspaceState, WorkspaceStatus,
};

pub use crate::shared::{
    DataDestination, DataSource, EmbeddingSpec, LocalEmbeddingSpec, RawObject, RemoteEmbeddingSpec,
};
