//! What is asked of a provisioner, and what it looks at.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;
use kaito_api::names::labels;
use kube::core::DynamicObject;

/// Who the machines are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnerKind {
    /// A Workspace.
    Workspace,
    /// A RAGEngine.
    RagEngine,
}

/// Who the machines are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// What it is.
    pub kind: OwnerKind,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its uid.
    pub uid: String,
    /// What its annotation says of the operating system of machines.
    pub image_family: Option<String>,
    /// What its annotation says of the NodeClass of machines.
    pub node_class: Option<String>,
    /// The InferenceSet that it belongs to: name and namespace.
    pub inference_set: Option<(String, String)>,
}

impl Owner {
    /// The labels of its NodeClaims and, through them, of its nodes.
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        let (name, namespace) = match self.kind {
            OwnerKind::Workspace => (labels::WORKSPACE, labels::WORKSPACE_NAMESPACE),
            OwnerKind::RagEngine => (labels::RAGENGINE, labels::RAGENGINE_NAMESPACE),
        };
        self.pair(name, namespace)
    }

    /// The labels of its NodePool and of the nodes of that.
    pub(crate) fn pool_labels(&self) -> BTreeMap<String, String> {
        match self.kind {
            OwnerKind::Workspace => self.pair(labels::KARPENTER_WORKSPACE, labels::KARPENTER_WORKSPACE_NAMESPACE),
            OwnerKind::RagEngine => self.labels(),
        }
    }

    fn pair(&self, name: &str, namespace: &str) -> BTreeMap<String, String> {
        BTreeMap::from([
            (name.to_owned(), self.name.clone()),
            (namespace.to_owned(), self.namespace.clone()),
        ])
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Who the machines are for.
    pub owner: Owner,
    /// Labels that nodes must have, without those that are ours.
    pub labels: BTreeMap<String, String>,
    /// The machine type; without one, nodes of any type will do and none can be made.
    pub instance_type: Option<String>,
    /// How many machines.
    pub count: u32,
    /// How much disk each is to have, as a quantity of Kubernetes.
    pub disk: String,
    /// Names of nodes that the user would rather have, whatever their type.
    pub preferred: Vec<String>,
    /// Names of the nodes that it had before.
    pub previous: Vec<String>,
    /// Whether machines of the type have NVIDIA's GPUs, so that their plugin has to run.
    pub has_gpus: bool,
}

/// What there is. It may tell of others' things, too: a provisioner picks what concerns it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    /// NodeClaims.
    pub claims: Vec<Arc<DynamicObject>>,
    /// Whether there are NodeClaims in this cluster at all.
    pub claims_are_served: bool,
    /// NodePools.
    pub pools: Vec<Arc<DynamicObject>>,
    /// Whether there are NodePools in this cluster at all.
    pub pools_are_served: bool,
    /// NodeClasses of the kind that the installation uses.
    pub node_classes: Vec<Arc<DynamicObject>>,
    /// Nodes.
    pub nodes: Vec<Arc<Node>>,
}

/// Whether `found` has all labels of `wanted`.
pub(super) fn has_all(found: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| found.get(key) == Some(value))
}
