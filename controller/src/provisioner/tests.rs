//! Requests and what is observed, for the tables of each provisioner.

mod byo;
mod gpu;
mod karpenter;
mod nodes;

use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::*;
use crate::ragengine::testing::settings;

const A100: &str = "Standard_NC24ads_A100_v4";

fn request(count: u32) -> Request {
    Request {
        owner: owner("phi"),
        labels: BTreeMap::from([("apps".to_owned(), "llm".to_owned())]),
        instance_type: Some(A100.to_owned()),
        count,
        disk: "87Gi".to_owned(),
        preferred: Vec::new(),
        previous: Vec::new(),
        has_gpus: true,
    }
}

fn owner(name: &str) -> Owner {
    Owner {
        kind: OwnerKind::Workspace,
        name: name.to_owned(),
        namespace: "ml".to_owned(),
        uid: "uid-1".to_owned(),
        image_family: None,
        node_class: None,
        inference_set: None,
    }
}

/// A node with the user's label, the type, GPUs and their mark.
fn node(name: &str, edit: impl FnOnce(&mut Value)) -> Arc<Node> {
    let mut node = json!({
        "metadata": {"name": name, "resourceVersion": "7", "labels": {
            "apps": "llm", "node.kubernetes.io/instance-type": A100.to_lowercase(), "accelerator": "nvidia",
        }},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "capacity": {"nvidia.com/gpu": "1"},
        },
    });
    edit(&mut node);
    Arc::new(serde_json::from_value(node).unwrap())
}

fn with_labels(labels: &Value) -> impl FnOnce(&mut Value) + use<> {
    let labels = labels.clone();
    move |node| {
        let all = node["metadata"]["labels"].as_object_mut().unwrap();
        all.extend(labels.as_object().unwrap().clone());
    }
}

/// A node that was made for the Workspace by its NodeClaim.
fn made(name: &str) -> Arc<Node> {
    node(
        name,
        with_labels(&json!({
            "kaito.sh/workspace": "phi", "kaito.sh/workspacenamespace": "ml", "karpenter.sh/nodepool": "kaito",
        })),
    )
}

/// One of the Workspace's NodeClaims.
fn claim(index: u32, conditions: &Value) -> Arc<DynamicObject> {
    named_claim(&node_claim_name(&owner("phi"), index), conditions)
}

fn named_claim(name: &str, conditions: &Value) -> Arc<DynamicObject> {
    let labels = json!({"kaito.sh/workspace": "phi", "kaito.sh/workspacenamespace": "ml"});
    object(
        "NodeClaim",
        name,
        &labels,
        &json!({"status": {"conditions": conditions}}),
    )
}

fn object(kind: &str, name: &str, labels: &Value, data: &Value) -> Arc<DynamicObject> {
    let mut object = json!({
        "apiVersion": "karpenter.sh/v1", "kind": kind,
        "metadata": {"name": name, "resourceVersion": "9", "labels": labels},
    });
    object
        .as_object_mut()
        .unwrap()
        .extend(data.as_object().unwrap().clone());
    Arc::new(serde_json::from_value(object).unwrap())
}

fn going(object: &Arc<DynamicObject>) -> Arc<DynamicObject> {
    let mut object = serde_json::to_value(object.as_ref()).unwrap();
    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    Arc::new(serde_json::from_value(object).unwrap())
}

fn ready() -> Value {
    json!([{"type": "Launched", "status": "True"}, {"type": "Ready", "status": "True"}])
}

fn launch_error() -> Value {
    json!([
        {"type": "Initialized", "status": "Unknown", "reason": "AwaitingReconciliation", "message": "object is awaiting"},
        {"type": "Launched", "status": "Unknown", "reason": "LaunchFailed", "message": "no capacity in any zone"},
    ])
}

fn observed(nodes: Vec<Arc<Node>>, claims: Vec<Arc<DynamicObject>>) -> Observed {
    Observed {
        claims,
        claims_are_served: true,
        pools_are_served: true,
        nodes,
        ..Observed::default()
    }
}

/// Actions in short: verb and name.
fn verbs(actions: &[Action]) -> Vec<String> {
    actions
        .iter()
        .map(|action| match action {
            Action::CreateClaim(claim) => format!("create {}", claim.name_any()),
            Action::CreatePool(pool) => format!("pool {}", pool.name_any()),
            Action::ScalePool { name, replicas, .. } => format!("scale {name} {replicas}"),
            Action::DeleteClaim(name) | Action::DeletePool(name) => format!("delete {name}"),
            Action::MarkAccelerator(node) => format!("mark {node}"),
            Action::Adopt { node, .. } => format!("adopt {node}"),
            Action::Release { node, .. } => format!("release {node}"),
        })
        .collect()
}

fn said(finding: &Finding) -> (bool, &str, &str) {
    (finding.is_true(), &finding.reason, &finding.message)
}
