//! How a RAGEngine's pods run and how they are reached. None of this is in KAITO; all of it is optional.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, Toleration, TopologySpreadConstraint};
use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// CPU, memory and other resources of the container.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What a node must have free, by resource: for example cpu 500m and memory 2Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantities")]
    pub requests: Option<BTreeMap<String, Quantity>>,
    /// The most that is used, by resource. More CPU is withheld; more memory ends the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantities")]
    pub limits: Option<BTreeMap<String, Quantity>>,
}

/// How a Service is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ServiceType {
    /// From inside the cluster.
    ClusterIP,
    /// On a port of every node.
    NodePort,
    /// Through a load balancer of the cloud.
    LoadBalancer,
}

/// What the engine's pods have besides what the engine itself needs.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodTemplate {
    /// More labels for the pods. The engine's own labels win.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// More annotations for the pods. The engine's own annotations win.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Labels that the pods' node must have, besides those of compute.labelSelector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Taints that the pods tolerate, besides those of GPU nodes (nvidia.com/gpu, sku=gpu).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerations: Option<Vec<Toleration>>,
    /// Nodes and pods that the pods should be near to or far from. Nodes must fit this and compute.labelSelector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// How pods are spread over zones or nodes. Replaces the default, which spreads replicas over nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology_spread_constraints: Option<Vec<TopologySpreadConstraint>>,
    /// Name of the PriorityClass of the pods; the cluster's default when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::OBJECT_NAME))]
    pub priority_class_name: Option<String>,
}

/// Who may use the engine's API.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthSpec {
    /// Secret with the API keys. Each of its values is one key, which clients send as a bearer token; the name it has
    /// in the Secret says whose it is. A changed Secret takes effect without a change of the engine.
    pub secret_ref: SecretReference,
}

/// A Secret of the same namespace, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretReference {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = schema::OBJECT_NAME))]
    pub name: String,
}

/// Who may connect to the engine's pods.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicySpec {
    /// Whether a NetworkPolicy is made. True when missing, so that an empty networkPolicy is a closed door.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Who may connect, as in a NetworkPolicy: pods, namespaces and address ranges. When missing, the pods of the
    /// engine's namespace may, and nobody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Vec<NetworkPolicyPeer>>,
}

fn yes() -> bool {
    true
}

/// Defaults of retrieval. What is missing is left to the service.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.denseWeight) || !has(self.fusion) || self.fusion == 'Weighted'").message("denseWeight is for fusion Weighted only: remove it, or set fusion to Weighted"))]
pub struct RetrievalSpec {
    /// How the hits of vector search and word search become one ranking: Weighted (the default) adds normalised scores,
    /// ReciprocalRank adds 1 / (60 + rank).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Fusion")]
    pub fusion: Option<Fusion>,
    /// Weight of vector search in fusion Weighted, from 0 to 1; word search has the rest. 0.5 when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub dense_weight: Option<f64>,
    /// Most passages that one query may ask for. 300 when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_top_k: Option<i32>,
    /// How far a passage may be from the question to be used in a chat: the squared distance of their unit vectors,
    /// which is 2 - 2 * cosine. 0 for no limit; the embedding model's own value when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4))]
    pub similarity_threshold: Option<f64>,
}

/// How two rankings become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Fusion {
    /// A weighted sum of normalised scores.
    Weighted,
    /// Reciprocal rank fusion.
    ReciprocalRank,
}
