//! `RAGEngine`, with flat storage fields and a language model that must have a URL.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ResourceSpec;
use crate::schema;
use crate::shared::EmbeddingSpec;
use crate::v1beta1::ragengine::{
    COMPUTE_ADDED, COMPUTE_ADDED_MESSAGE, COMPUTE_REMOVED, COMPUTE_REMOVED_MESSAGE, NAME, NAME_MESSAGE,
};

/// What an engine should be.
#[derive(CustomResource, Clone, Debug, PartialEq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "kaito.sh",
    version = "v1alpha1",
    kind = "RAGEngine",
    plural = "ragengines",
    namespaced,
    storage = false,
    deprecated = "kaito.sh/v1alpha1 RAGEngine is deprecated; use kaito.sh/v1beta1 RAGEngine",
    status = "RAGEngineStatus",
    shortname = "rag",
    category = "ragengine",
    derive = "PartialEq",
    doc = "An index of documents with retrieval, and chats answered from it, over HTTP. Deprecated: use v1beta1.",
    validation = Rule::new(NAME).message(NAME_MESSAGE).optional_old_self(true),
    printcolumn(name = "Instance", type_ = "string", json_path = ".spec.compute.instanceType"),
    printcolumn(name = "ResourceReady", type_ = "string", json_path = r#".status.conditions[?(@.type=="ResourceReady")].status"#),
    printcolumn(name = "ServiceReady", type_ = "string", json_path = r#".status.conditions[?(@.type=="ServiceReady")].status"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(COMPUTE_ADDED).message(COMPUTE_ADDED_MESSAGE),
    validation = Rule::new(COMPUTE_REMOVED).message(COMPUTE_REMOVED_MESSAGE),
)]
pub struct RAGEngineSpec {
    /// Machines with GPUs to run on. Without it the engine runs on any node, without a GPU. Cannot be added or removed
    /// later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute: Option<ResourceSpec>,
    /// Where indexes are kept. Without it they are lost when the pod ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageSpec>,
    /// The model that turns text into vectors.
    pub embedding: EmbeddingSpec,
    /// The language model that answers chats. Without it the engine only retrieves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference_service: Option<InferenceServiceSpec>,
    /// Accepted and not read: the Service has the engine's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_service_name: Option<String>,
    /// Accepted and not read: the Service has the engine's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_service_name: Option<String>,
}

/// Where indexes are kept: a volume that outlives the pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageSpec {
    /// Name of the PersistentVolumeClaim of this namespace. It must exist; it is neither made nor deleted here. Without
    /// it indexes are lost when the pod ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::OBJECT_NAME))]
    pub persistent_volume_claim: Option<String>,
    /// Where the volume appears in the container; /mnt/data when missing or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::LONG_TEXT))]
    #[x_kube(validation = Rule::new(crate::v1beta1::storage::MOUNT_PATH).message(crate::v1beta1::storage::MOUNT_PATH_MESSAGE))]
    pub mount_path: Option<String>,
}

/// The language model that answers chats, behind a URL.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct InferenceServiceSpec {
    /// Where the model is asked, with the whole path: an OpenAI-compatible .../v1/chat/completions, or
    /// .../v1/completions of a model without chats. Empty for none.
    #[schemars(length(max = schema::LONG_TEXT))]
    #[x_kube(validation = Rule::new(schema::HTTP_URL).message(crate::v1beta1::inference_service::URL_MESSAGE))]
    pub url: String,
    /// Name of the Secret of this namespace whose key LLM_ACCESS_SECRET is the bearer token for the model. No token is
    /// sent without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::OBJECT_NAME))]
    pub access_secret: Option<String>,
    /// Tokens that the model can read and write in one request: its context window. Passages are chosen to fit.
    #[x_kube(validation = Rule::new("self > 0").message(crate::v1beta1::inference_service::WINDOW_MESSAGE))]
    pub context_window_size: i64,
}

/// What an engine is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RAGEngineStatus {
    /// Names of the nodes that the engine was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_nodes: Option<Vec<String>>,
    /// What holds and what does not, with reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Option<Vec<Condition>>,
}
