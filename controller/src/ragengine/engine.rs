//! An engine that can be built: what its spec asks for, in types of which every value makes sense.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, ResourceRequirements, Toleration, TopologySpreadConstraint};
use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kaito_api::v1beta1::{Fusion, ServiceType, WorkspaceTemplate};

/// An engine that can be built.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    /// Its name, which is also that of its Deployment and Service.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// What everything that is made for it refers to.
    pub owner: OwnerReference,
    /// Number of its revision.
    pub revision: i64,
    /// Image of the service.
    pub image: String,
    /// Number of pods.
    pub replicas: i32,
    /// What turns text into vectors.
    pub embedding: Embedding,
    /// Where indexes are kept.
    pub storage: Storage,
    /// The Workspace that is made to serve the language model.
    pub workspace: Option<WorkspaceTemplate>,
    /// The language model, if one is known.
    pub model: Option<LanguageModel>,
    /// ConfigMap of the guardrails policy, if answers are scanned; `Some(false)` says that they are not.
    pub guardrails: Guardrails,
    /// Secret with API keys.
    pub api_keys: Option<String>,
    /// Defaults of retrieval.
    pub retrieval: Retrieval,
    /// CPU, memory and GPUs.
    pub resources: ResourceRequirements,
    /// How the Service is reached.
    pub service_type: ServiceType,
    /// Who may connect; everybody when `None`.
    pub network_policy: Option<Vec<NetworkPolicyPeer>>,
    /// Labels and annotations of pods.
    pub pods: PodMetadata,
    /// Where pods run.
    pub scheduling: Scheduling,
    /// Digests of the Secrets and ConfigMaps that pods read, by what they are for.
    pub inputs: BTreeMap<&'static str, String>,
}

/// What turns text into vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Embedding {
    /// A model in the pod.
    Local {
        /// Its id; the service's default when `None`.
        model: Option<String>,
        /// Secret with the token to download it.
        token: Option<String>,
    },
    /// A model behind a URL.
    Remote {
        /// Where it is.
        url: String,
        /// Secret with its key.
        secret: Option<String>,
    },
}

/// Where indexes are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Storage {
    /// PersistentVolumeClaim; a volume that ends with the pod when `None`.
    pub volume_claim: Option<String>,
    /// Where the volume is mounted, without a slash at the end.
    pub mount_path: String,
    /// Vector database; the embedded one when `None`.
    pub database: Option<VectorDatabase>,
}

/// An external vector database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VectorDatabase {
    /// Its kind.
    pub engine: String,
    /// Where it listens.
    pub url: String,
    /// Secret with its key.
    pub secret: Option<String>,
}

impl Storage {
    /// Whether indexes outlive the pod.
    pub(crate) fn is_persistent(&self) -> bool {
        self.volume_claim.is_some() || self.is_external()
    }

    /// Whether indexes are outside of the pod.
    pub(crate) fn is_external(&self) -> bool {
        self.database
            .as_ref()
            .is_some_and(|database| database.engine != "faiss")
    }
}

/// The language model that answers chats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LanguageModel {
    /// Where it is asked.
    pub url: String,
    /// Secret with its key.
    pub secret: Option<String>,
    /// Its context window in tokens, if known.
    pub window: Option<u64>,
}

/// Whether answers are scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Guardrails {
    /// The engine does not say.
    Unsaid,
    /// They are not.
    Off,
    /// By the policy in a ConfigMap of the engine's namespace.
    By {
        /// Its name.
        config_map: String,
        /// The policy, when the ConfigMap is a copy that belongs to the engine.
        copy: Option<String>,
    },
}

/// Defaults of retrieval; what is `None` is left to the service.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Retrieval {
    /// How two rankings become one.
    pub fusion: Option<Fusion>,
    /// Weight of vector search.
    pub dense_weight: Option<f64>,
    /// Most passages that a query may ask for.
    pub max_top_k: Option<i32>,
    /// How far a passage may be from the question.
    pub similarity_threshold: Option<f64>,
}

/// Labels and annotations that the user wants on pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PodMetadata {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Where pods run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scheduling {
    /// Labels that a node must have, from `compute.labelSelector`.
    pub node_labels: BTreeMap<String, String>,
    /// Whether the taints of GPU machines are tolerated.
    pub gpu_machines: bool,
    /// Labels that a node must have, from `podTemplate`.
    pub node_selector: Option<BTreeMap<String, String>>,
    /// More tolerations.
    pub tolerations: Vec<Toleration>,
    /// Affinity.
    pub affinity: Option<Affinity>,
    /// Spread over zones or nodes.
    pub spread: Option<Vec<TopologySpreadConstraint>>,
    /// PriorityClass.
    pub priority_class: Option<String>,
}
