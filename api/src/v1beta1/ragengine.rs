//! `RAGEngine`: an index of documents with retrieval and chat over HTTP.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AuthSpec, InferenceServiceSpec, NetworkPolicySpec, PodTemplate, ResourceSpec, Resources, RetrievalSpec,
    ServiceType, StorageSpec,
};
use crate::schema;
use crate::shared::EmbeddingSpec;

pub(crate) const COMPUTE_ADDED: &str = "!has(self.compute) || has(oldSelf.compute)";
pub(crate) const COMPUTE_ADDED_MESSAGE: &str =
    "Compute resources cannot be added after creation; delete the engine and make a new one with compute";
pub(crate) const COMPUTE_REMOVED: &str = "has(self.compute) || !has(oldSelf.compute)";
pub(crate) const COMPUTE_REMOVED_MESSAGE: &str =
    "Compute resources cannot be removed after creation; delete the engine and make a new one without compute";
pub(crate) const INSTANCE_TYPE_REMOVED: &str = "!has(oldSelf.instanceType) || oldSelf.instanceType == '' || \
    has(self.instanceType) && self.instanceType != ''";
pub(crate) const INSTANCE_TYPE_REMOVED_MESSAGE: &str =
    "instanceType cannot be removed once set; delete the engine and make a new one to run on other machines";
/// On the name: the engine's Service has the same one. Looked at once, so that an engine of an older KAITO with such a
/// name can still be changed and deleted.
pub(crate) const NAME: &str = "oldSelf.hasValue() || self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && \
    self.metadata.name.size() <= 63";
pub(crate) const NAME_MESSAGE: &str = "metadata.name must be at most 63 lower-case letters, digits and hyphens and begin \
    with a letter: the engine's Service gets the same name";

/// What an engine should be.
#[derive(CustomResource, Clone, Debug, PartialEq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "kaito.sh",
    version = "v1beta1",
    kind = "RAGEngine",
    plural = "ragengines",
    namespaced,
    status = "RAGEngineStatus",
    shortname = "rag",
    category = "ragengine",
    derive = "PartialEq",
    doc = "An index of documents with retrieval, and chats answered from it, over HTTP. It runs in pods of its own, behind a Service of its name.",
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
    validation = Rule::new("!has(self.replicas) || self.replicas <= 1 || has(self.storage) && has(self.storage.vectorDB) && !(self.storage.vectorDB.engine in ['', 'faiss'])").message("replicas above 1 need an external vector database in storage.vectorDB: the embedded index belongs to one pod"),
)]
pub struct RAGEngineSpec {
    /// Machines with GPUs to run on. Without it the engine runs on any node, without a GPU. Cannot be added or removed
    /// later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new(INSTANCE_TYPE_REMOVED).message(INSTANCE_TYPE_REMOVED_MESSAGE))]
    pub compute: Option<ResourceSpec>,
    /// Where indexes are kept. Without it they are lost when the pod ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageSpec>,
    /// The model that turns text into vectors.
    pub embedding: EmbeddingSpec,
    /// The language model that answers chats. Without it the engine only retrieves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference_service: Option<InferenceServiceSpec>,
    /// What answers may not contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardrails: Option<GuardrailsSpec>,
    /// Number of pods; 1 when missing. More need an external vector database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: Option<i32>,
    /// Image of the service, for example registry.example.com/kaito/rag-service:1.2; the controller's default when
    /// missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::IMAGE))]
    #[x_kube(validation = Rule::new(schema::image_rule()).message("image must be an image reference such as registry.example.com/kaito/rag-service:1.2, with its path in lower case"))]
    pub image: Option<String>,
    /// CPU, memory and other resources of the container. When missing, 500m CPU and 512Mi memory are requested, and the
    /// machine's GPUs if compute names a GPU machine and the embedding model is local.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// How the engine is reached: ClusterIP from inside the cluster, NodePort on a port of every node, LoadBalancer
    /// through the cloud's. When missing, ClusterIP, or LoadBalancer if the annotation kaito.sh/enablelb is True.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ServiceType")]
    pub service_type: Option<ServiceType>,
    /// Labels, annotations and scheduling of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
    /// Who may use the API. Everybody who reaches it when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthSpec>,
    /// Who may connect to the pods. Everybody when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_policy: Option<NetworkPolicySpec>,
    /// Defaults of retrieval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrieval: Option<RetrievalSpec>,
}

/// What answers may not contain.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuardrailsSpec {
    /// Whether answers are scanned. False when missing.
    #[serde(default)]
    pub enabled: bool,
    /// ConfigMap of this namespace whose key guardrails.yaml is the policy. When missing, the default policy of the
    /// installation is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<ConfigMapReference>,
}

/// A ConfigMap of the same namespace, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapReference {
    /// Name of the ConfigMap. Empty means the default policy of the installation.
    #[schemars(length(max = schema::OBJECT_NAME))]
    pub name: String,
}

/// What an engine is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RAGEngineStatus {
    /// Names of the nodes that the engine was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_nodes: Option<Vec<String>>,
    /// What holds and what does not, with reasons: ResourceReady (machines), ServiceReady (pods), InferenceReady (the
    /// language model), Ready (all of it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Option<Vec<Condition>>,
    /// The metadata.generation that this status is about. While it is behind, the last change has not been looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where the engine is reached from inside the cluster, for example http://docs.default.svc.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What is indexed, as the service last told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub indexes: Option<IndexesStatus>,
    /// The language model that is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference: Option<InferenceStatus>,
}

/// How much is indexed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IndexesStatus {
    /// Number of indexes.
    pub count: i64,
    /// Number of nodes, which are passages of documents, in all indexes.
    pub nodes: i64,
}

/// The language model in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InferenceStatus {
    /// Where the model is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Name under which the model is served, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Tokens of the model's context window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<i64>,
}
