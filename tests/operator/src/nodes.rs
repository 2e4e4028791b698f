//! Nodes that do not exist: what their objects look like, and who plays the kubelet for them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use k8s_openapi::api::core::v1::Node;
use serde_json::{Value, json};

/// The annotation of pods and nodes that says who plays them.
pub(crate) const PLAYED_BY: &str = "kaito-tests/kubelet";
/// Its value on nodes all of whose pods the [`crate::kubelet`] plays.
pub(crate) const BY_KUBELET: &str = "plays";

/// Who plays the pods of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayedBy {
    /// kwok: they are ready at once, and nothing runs in them.
    Kwok,
    /// The kubelet that is at this address, see [`crate::kubelet::Kubelet::address`]: their programs run, and their logs
    /// can be read.
    Kubelet(SocketAddr),
}

/// A node that is ready as soon as it is created.
#[derive(Clone, Debug)]
pub struct NewNode {
    /// Name.
    pub name: String,
    /// Labels, beside those that a kubelet sets.
    pub labels: BTreeMap<String, String>,
    /// Taints, as the API has them.
    pub taints: Value,
    /// As the cloud calls the machine.
    pub provider_id: Option<String>,
    /// Who plays its pods.
    pub played_by: PlayedBy,
}

impl NewNode {
    /// One with a name and nothing else.
    pub fn new(name: &str, played_by: PlayedBy) -> Self {
        Self {
            name: name.to_owned(),
            labels: BTreeMap::new(),
            taints: json!([]),
            provider_id: None,
            played_by,
        }
    }

    /// The object. Its `Ready` condition is set once: in the tests' clusters nobody misses a node's lease.
    ///
    /// # Errors
    /// When the taints are none.
    pub fn object(&self) -> serde_json::Result<Node> {
        let (annotation, kubelet) = match self.played_by {
            PlayedBy::Kwok => (("kwok.x-k8s.io/node", "fake"), None),
            PlayedBy::Kubelet(address) => ((PLAYED_BY, BY_KUBELET), Some(address)),
        };
        let mut labels = BTreeMap::from([
            ("kubernetes.io/os".to_owned(), "linux".to_owned()),
            ("kubernetes.io/arch".to_owned(), "amd64".to_owned()),
            ("kubernetes.io/hostname".to_owned(), self.name.clone()),
        ]);
        labels.extend(self.labels.clone());
        let room = json!({"cpu": "96", "memory": "1Ti", "ephemeral-storage": "4Ti", "pods": "1000"});
        // A loopback address: the API server asks there for logs.
        let addresses = kubelet.map(|address| json!([{"type": "InternalIP", "address": address.ip().to_string()}]));
        let endpoints = kubelet.map(|address| json!({"kubeletEndpoint": {"Port": address.port()}}));
        serde_json::from_value(json!({
            "metadata": {
                "name": self.name, "labels": labels,
                "annotations": BTreeMap::from([annotation]),
            },
            "spec": {"taints": self.taints, "providerID": self.provider_id},
            "status": {
                "capacity": room, "allocatable": room,
                "addresses": addresses, "daemonEndpoints": endpoints,
                "conditions": [
                    {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status",
                     "lastTransitionTime": k8s_openapi::jiff::Timestamp::now().to_string()},
                ],
            },
        }))
    }
}
