//! The machine that an engine runs on: whether there is one, and what to do when there is not. Pure.
//!
//! An engine uses one machine. A node that has the labels, is of the type and is ready will do, whoever made it;
//! otherwise a NodeClaim asks Karpenter for one. Nothing waits here: what is not there yet is said, and the watch of the
//! NodeClaim or the node brings the next look.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;
use kaito_api::names::{annotations, labels};
use kaito_api::v1beta1::{RAGEngine, ResourceSpec};
use kube::ResourceExt;
use kube::core::DynamicObject;

use super::dereference::Machines;
use crate::conditions::{Finding, truncated};
use crate::options::NodeProvisioner;
use crate::provisioner::{Action, Owner, OwnerKind, Request, is_ready, node_claim};
use crate::scheduling::node_labels;
use crate::settings::Settings;

/// Disk of a machine for an engine.
const DISK: &str = "200Gi";

/// What is the case with an engine's machine, and what to do.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    /// Whether machines are there: the condition `ResourceReady`.
    pub resources: Finding,
    /// Whether the NodeClaim is: the condition `NodeClaimReady`, for engines that name a machine type.
    pub claim: Option<Finding>,
    /// Names of the nodes that the engine was given.
    pub worker_nodes: Vec<String>,
    /// What to do.
    pub action: Option<Action>,
}

impl Plan {
    /// Says that the API server refuses what was to ask for a machine.
    pub(crate) fn refused(&mut self, words: &str) {
        self.resources = Finding::fails("NodeClaimCreationFailed", truncated(words));
        self.claim = Some(self.resources.clone());
    }
}

/// Decides. `previous` are the nodes that the engine was given before.
pub(crate) fn plan(engine: &RAGEngine, machines: &Machines, previous: &[String], settings: &Settings) -> Plan {
    let Some(compute) = &engine.spec.compute else {
        return settled("NoMachineNeeded", "the engine asks for no machine");
    };
    let Some(instance_type) = compute.instance_type() else {
        return settled(
            "LabelsDecide",
            "the scheduler places the pods on nodes with the labels of compute.labelSelector",
        );
    };
    let fitting = fitting(machines, instance_type);
    match best(&fitting, previous) {
        Some(node) => on_node(node, instance_type, settings),
        None => without_node(engine, compute, instance_type, machines, settings),
    }
}

fn settled(reason: &str, message: &str) -> Plan {
    Plan {
        resources: Finding::holds(reason, message),
        claim: None,
        worker_nodes: Vec::new(),
        action: None,
    }
}

/// Nodes that are of the type, ready, and not about to go.
fn fitting<'a>(machines: &'a Machines, instance_type: &str) -> Vec<&'a Arc<Node>> {
    let is_of_type = |node: &Node| {
        let found = node.labels().get(labels::INSTANCE_TYPE);
        found.is_some_and(|found| found.eq_ignore_ascii_case(instance_type))
    };
    let nodes = machines.nodes.iter();
    nodes.filter(|node| is_of_type(node) && is_ready(node)).collect()
}

/// The node that was used before, else one that was made for somebody, else the first by name.
fn best<'a>(nodes: &[&'a Arc<Node>], previous: &[String]) -> Option<&'a Arc<Node>> {
    let was_made = |node: &Node| {
        [labels::MACHINE_TYPE, labels::NODE_POOL]
            .iter()
            .any(|label| node.labels().contains_key(*label))
    };
    nodes
        .iter()
        .min_by_key(|node| (!previous.contains(&node.name_any()), !was_made(node), node.name_any()))
        .copied()
}

fn on_node(node: &Node, instance_type: &str, settings: &Settings) -> Plan {
    let name = node.name_any();
    let plan = |resources: Finding, action| Plan {
        claim: Some(resources.clone()),
        resources,
        worker_nodes: vec![name.clone()],
        action,
    };
    if settings.gpus_of(instance_type).is_none() {
        let message = format!("node {name:?} is ready");
        return plan(Finding::holds("NodeReady", message), None);
    }
    let marked = node
        .labels()
        .get(labels::ACCELERATOR)
        .is_some_and(|value| value == "nvidia");
    let gpus = node
        .status
        .as_ref()
        .and_then(|status| status.capacity.as_ref()?.get("nvidia.com/gpu"));
    let has_gpus = gpus.is_some_and(|gpus| gpus.0 != "0");
    if marked && has_gpus {
        let message = format!("node {name:?} is ready, with its GPUs");
        return plan(Finding::holds("NodeReady", message), None);
    }
    let waiting = Finding::fails(
        "GpuPluginPending",
        format!("node {name:?} has no nvidia.com/gpu yet: NVIDIA's device plugin has to run there"),
    );
    let mark = || Action::MarkAccelerator(name.clone());
    plan(waiting, (!marked).then(mark))
}

fn without_node(
    engine: &RAGEngine,
    compute: &ResourceSpec,
    instance_type: &str,
    machines: &Machines,
    settings: &Settings,
) -> Plan {
    let waiting = |finding: Finding, action| Plan {
        resources: finding.clone(),
        claim: Some(finding),
        worker_nodes: Vec::new(),
        action,
    };
    if settings.provisioner == NodeProvisioner::Byo {
        let message = format!(
            "no node of type {instance_type} that is ready has the labels of compute.labelSelector, and machines are not \
             made in this installation: add a node"
        );
        return waiting(Finding::fails("NodeMissing", message), None);
    }
    if !machines.claims_are_served {
        let message = "this cluster has no NodeClaims (karpenter.sh/v1): install Karpenter, or add a node of the type with \
                       the labels of compute.labelSelector";
        return waiting(Finding::fails("NodeClaimsNotServed", message), None);
    }
    let Some(claim) = machines.claims.iter().min_by_key(|claim| claim.name_any()) else {
        let request = request(engine, compute, instance_type, settings);
        let claim = node_claim(&request, instance_type, 0, settings);
        let message = format!("asking for a machine of type {instance_type}");
        return waiting(
            Finding::unknown("CreateNodeClaimPending", message),
            Some(Action::CreateClaim(Box::new(claim))),
        );
    };
    waiting(claim_finding(claim), None)
}

/// The one machine of an engine.
fn request(engine: &RAGEngine, compute: &ResourceSpec, instance_type: &str, settings: &Settings) -> Request {
    Request {
        owner: owner(engine),
        labels: node_labels(compute),
        instance_type: Some(instance_type.to_owned()),
        count: 1,
        disk: DISK.to_owned(),
        preferred: Vec::new(),
        previous: Vec::new(),
        has_gpus: settings.gpus_of(instance_type).is_some(),
    }
}

/// Who the machine of an engine is for.
pub(super) fn owner(engine: &RAGEngine) -> Owner {
    let annotation = |key: &str| engine.annotations().get(key).cloned();
    Owner {
        kind: OwnerKind::RagEngine,
        name: engine.name_any(),
        namespace: engine.namespace().unwrap_or_default(),
        uid: engine.uid().unwrap_or_default(),
        image_family: annotation(annotations::NODE_IMAGE_FAMILY),
        node_class: annotation(annotations::NODE_CLASS_NAME),
        inference_set: None,
    }
}

/// What a NodeClaim says of itself.
fn claim_finding(claim: &DynamicObject) -> Finding {
    let name = claim.name_any();
    if claim.metadata.deletion_timestamp.is_some() {
        return Finding::fails(
            "NodeClaimDeleting",
            format!("NodeClaim {name:?} is being deleted; another one follows"),
        );
    }
    let conditions = claim
        .data
        .pointer("/status/conditions")
        .and_then(serde_json::Value::as_array);
    let text = |condition: &serde_json::Value, field: &str| {
        condition
            .get(field)
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    for stage in ["Launched", "Registered", "Initialized", "Ready"] {
        let condition = conditions.and_then(|all| all.iter().find(|condition| text(condition, "type") == stage));
        let Some(condition) = condition.filter(|condition| text(condition, "status") != "True") else {
            continue;
        };
        let (reason, message) = (text(condition, "reason"), text(condition, "message"));
        if !message.is_empty() {
            let reason = if reason.is_empty() {
                "NodeClaimNotReady"
            } else {
                &reason
            };
            return Finding::fails(
                reason,
                format!("NodeClaim {name:?} is not {}: {message}", stage.to_lowercase()),
            );
        }
    }
    Finding::fails(
        "NodeClaimNotReady",
        format!("waiting for NodeClaim {name:?} to become a ready node"),
    )
}

#[cfg(test)]
mod tests;
