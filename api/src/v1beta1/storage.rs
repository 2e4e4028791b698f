//! Where a RAGEngine keeps its indexes.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

pub(crate) const MOUNT_PATH: &str = "self == '' || self.startsWith('/') && !self.contains(':')";
pub(crate) const MOUNT_PATH_MESSAGE: &str = "mountPath must be an absolute path without a colon, for example /mnt/data";

/// Where indexes are kept. Without a persistent volume and without an external vector database they are lost when the
/// pod ends, and the condition Ephemeral says so.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageSpec {
    /// A volume that outlives the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_volume: Option<PersistentVolumeSpec>,
    /// An external vector database instead of the embedded index.
    #[serde(rename = "vectorDB", default, skip_serializing_if = "Option::is_none")]
    pub vector_db: Option<VectorDBSpec>,
}

/// A volume that outlives the pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersistentVolumeSpec {
    /// Name of the PersistentVolumeClaim of this namespace. It must exist; it is neither made nor deleted here. Empty
    /// for a volume that ends with the pod.
    #[schemars(length(max = schema::OBJECT_NAME))]
    pub persistent_volume_claim: String,
    /// Where the volume appears in the container; /mnt/data when missing or empty. Indexes lie in a directory of the
    /// engine's name under it, so that engines can share a volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::LONG_TEXT))]
    #[x_kube(validation = Rule::new(MOUNT_PATH).message(MOUNT_PATH_MESSAGE))]
    pub mount_path: Option<String>,
}

/// An external vector database.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VectorDBSpec {
    /// Kind of database: faiss (the embedded index) or qdrant. The service says in the engine's conditions when it does
    /// not know one.
    #[schemars(length(max = 64))]
    pub engine: String,
    /// Where the database listens, for example http://qdrant:6333.
    #[schemars(length(max = schema::LONG_TEXT))]
    pub url: String,
    /// Name of the Secret of this namespace whose key VECTOR_DB_ACCESS_SECRET is the database's API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::OBJECT_NAME))]
    pub access_secret: Option<String>,
}
