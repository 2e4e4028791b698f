//! NVIDIA's device plugin.

use k8s_openapi::api::core::v1::Node;
use kaito_presets::InstanceTypes;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use serde_json::json;

use super::Shared;

const GPUS: &str = "nvidia.com/gpu";

/// Tells of a node's GPUs when it is marked as having some, and the plugin has come up there.
pub(super) async fn tell_of_gpus(node: &Node, shared: &Shared) -> kube::Result<Action> {
    let is_marked = node.labels().get("accelerator").is_some_and(|value| value == "nvidia");
    let capacity = node.status.as_ref().and_then(|status| status.capacity.as_ref());
    let has_told = capacity.is_some_and(|capacity| capacity.contains_key(GPUS));
    let count = gpus_of(node, shared);
    if !is_marked || has_told || count == 0 {
        return Ok(Action::await_change());
    }
    let uid = node.uid().unwrap_or_default();
    if let Some(left) = shared.left_of(shared.options.plugin_delay, "plugin", &uid) {
        return Ok(Action::requeue(left));
    }
    if shared.faults.lock().plugin_is_held {
        return Ok(Action::await_change());
    }
    let gpus = json!({GPUS: count.to_string()});
    let status = json!({"metadata": {"uid": uid}, "status": {"capacity": gpus, "allocatable": gpus}});
    let nodes: Api<Node> = Api::all(shared.client.clone());
    nodes
        .patch_status(&node.name_any(), &PatchParams::default(), &Patch::Merge(status))
        .await?;
    Ok(Action::await_change())
}

fn gpus_of(node: &Node, shared: &Shared) -> u32 {
    let instance_type = node.labels().get("node.kubernetes.io/instance-type");
    let found = instance_type.and_then(|name| InstanceTypes::of(shared.options.cloud).find(name));
    found.map_or(0, |found| found.gpu_count.get())
}
