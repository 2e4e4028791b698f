//! What there is to say of a Workspace's machines.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;

use super::types;
use crate::conditions::Finding;
use crate::provisioner::Plan;

/// Of what a node may have too little.
const PRESSURES: [&str; 3] = ["DiskPressure", "MemoryPressure", "PIDPressure"];

/// The conditions that tell of machines.
pub(super) fn findings(plan: &Plan, nodes: &[Arc<Node>]) -> Vec<(&'static str, Finding)> {
    let mut own: Vec<_> = nodes
        .iter()
        .filter(|node| plan.worker_nodes.contains(&node.name_any()))
        .collect();
    own.sort_by_key(|node| node.name_any());
    let pressed: Vec<_> = own.into_iter().filter_map(|node| pressure(node)).collect();
    let mut ready = plan.nodes.clone();
    if !pressed.is_empty() {
        let message = format!(
            "{}; warning: worker node(s) under resource pressure: {}",
            ready.message,
            pressed.join("; ")
        );
        ready = ready.with_message(&message);
    }
    let claims = plan.claims.clone().map(|finding| (types::NODE_CLAIMS, finding));
    claims
        .into_iter()
        .chain([(types::NODES, ready), (types::RESOURCE, plan.resources.clone())])
        .collect()
}

/// A node that has too little of something, as `name (what)`.
fn pressure(node: &Node) -> Option<String> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    let has = |type_: &str| {
        conditions
            .iter()
            .any(|condition| condition.type_ == type_ && condition.status == "True")
    };
    let found: Vec<_> = PRESSURES.into_iter().filter(|type_| has(type_)).collect();
    (!found.is_empty()).then(|| format!("{} ({})", node.name_any(), found.join(", ")))
}
