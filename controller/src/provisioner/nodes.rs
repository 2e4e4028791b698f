//! Which nodes somebody has, and which could be taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;
use kaito_api::names::labels;
use kube::ResourceExt;

use super::request::has_all;
use super::{Action, Owner, Request};
use crate::conditions::Finding;

/// The nodes that concern somebody.
pub(super) struct Nodes<'a> {
    request: &'a Request,
    placement: &'a BTreeMap<String, String>,
    /// With the owner's labels, ready or not, sorted by name.
    own: Vec<&'a Arc<Node>>,
    /// Ready and as asked for, of nobody, the best first.
    free: Vec<&'a Arc<Node>>,
}

impl<'a> Nodes<'a> {
    /// The nodes that concern `request`, when `placement` are the labels that make a node the owner's.
    pub(super) fn of(request: &'a Request, placement: &'a BTreeMap<String, String>, all: &'a [Arc<Node>]) -> Self {
        let asked = all.iter().filter(|node| has_all(node.labels(), &request.labels));
        let (mut own, rest): (Vec<_>, Vec<_>) = asked.partition(|node| has_all(node.labels(), placement));
        own.sort_by_key(|node| node.name_any());
        let mut free: Vec<_> = rest
            .into_iter()
            .filter(|node| is_free(node, &request.owner) && is_usable(node, request))
            // Without a label of the user's, any node of the cluster would do, also one that is meant for others.
            .filter(|node| !request.labels.is_empty() || request.preferred.contains(&node.name_any()))
            .collect();
        free.sort_by_cached_key(|node| rank(node, request));
        Self {
            request,
            placement,
            own,
            free,
        }
    }

    /// Names of the nodes that the owner has, ready or not.
    pub(super) fn names(&self) -> Vec<String> {
        self.own.iter().map(|node| node.name_any()).collect()
    }

    fn ready(&self) -> impl Iterator<Item = &'a Arc<Node>> {
        self.own.iter().copied().filter(|node| fits(node, self.request))
    }

    /// Ready nodes that the user brought and that the owner has.
    pub(super) fn brought(&self) -> usize {
        self.ready().filter(|node| !is_made(node)).count()
    }

    /// The free nodes to take: as many as are missing. A machine that is there counts while its node is not ready, too:
    /// it costs money, and a node that is ill for a minute is not to be replaced for good.
    pub(super) fn adopt(&self, machines: usize) -> Vec<Action> {
        let (brought, ready) = (self.brought(), self.ready().count());
        let there = brought + machines.max(ready - brought);
        let missing = usize::try_from(self.request.count)
            .unwrap_or(usize::MAX)
            .saturating_sub(there);
        let taken = self.free.iter().take(missing);
        taken
            .map(|node| Action::Adopt {
                node: node.name_any(),
                labels: self.placement.clone(),
                resource_version: node.resource_version(),
            })
            .collect()
    }

    /// Whether enough nodes are ready, with their GPUs; and the marks that some need for those.
    pub(super) fn readiness(&self, suffix: &str) -> (Finding, Vec<Action>) {
        let wanted = usize::try_from(self.request.count).unwrap_or(usize::MAX);
        let mut marks = Vec::new();
        let (mut ready, mut equipped) = (0, 0);
        for node in self.ready() {
            ready += 1;
            if !self.request.has_gpus {
                equipped += 1;
                continue;
            }
            let is_marked = node
                .labels()
                .get(labels::ACCELERATOR)
                .is_some_and(|value| value == "nvidia");
            if !is_marked {
                marks.push(Action::MarkAccelerator(node.name_any()));
            } else if has_gpus(node) {
                equipped += 1;
            }
        }
        let finding = if ready < wanted {
            not_enough(ready, wanted, &[])
        } else if equipped < wanted {
            Finding::fails(
                "NodePluginsNotReady",
                format!(
                    "{} of {wanted} nodes have no nvidia.com/gpu yet: NVIDIA's device plugin has to run there",
                    wanted - equipped
                ),
            )
        } else {
            Finding::holds("NodesReady", format!("Enough Nodes are ready{suffix}"))
        };
        (finding, marks)
    }
}

/// Fewer nodes are ready than are asked for. `details` say more.
pub(super) fn not_enough(ready: usize, wanted: usize, details: &[String]) -> Finding {
    let mut message = format!("Not enough Nodes are ready: {ready} of {wanted}");
    for detail in details {
        message.push_str(detail);
    }
    Finding::fails("NodeNotReady", message)
}

/// Takes the owner's labels off the nodes that the user brought.
pub(super) fn release(placement: &BTreeMap<String, String>, all: &[Arc<Node>]) -> Vec<Action> {
    let brought = all
        .iter()
        .filter(|node| has_all(node.labels(), placement) && !is_made(node));
    brought
        .map(|node| Action::Release {
            node: node.name_any(),
            labels: placement.keys().cloned().collect(),
            resource_version: node.resource_version(),
        })
        .collect()
}

/// Whether a node is ready, and not about to go.
pub(crate) fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    node.metadata.deletion_timestamp.is_none()
        && conditions.is_some_and(|all| {
            all.iter()
                .any(|condition| condition.type_ == "Ready" && condition.status == "True")
        })
}

/// Whether a node is ready and of the type that is asked for, or one that the user would rather have.
fn fits(node: &Node, request: &Request) -> bool {
    let is_of_type = request.instance_type.as_ref().is_none_or(|wanted| {
        let found = node.labels().get(labels::INSTANCE_TYPE);
        found.is_some_and(|found| found.eq_ignore_ascii_case(wanted))
    });
    is_ready(node) && (is_of_type || request.preferred.contains(&node.name_any()))
}

/// Whether a node can be taken now.
fn is_usable(node: &Node, request: &Request) -> bool {
    let is_closed = node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false);
    !is_closed && fits(node, request)
}

/// Whether a node is nobody's: it was not made for anybody, unless for this owner in KAITO's older way.
fn is_free(node: &Node, owner: &Owner) -> bool {
    if has_all(node.labels(), &owner.labels()) {
        return true;
    }
    !is_made(node) && !labels::RESERVED.iter().any(|key| node.labels().contains_key(*key))
}

/// Whether a node was made by a provisioner.
fn is_made(node: &Node) -> bool {
    node.labels().contains_key(labels::NODE_POOL)
}

fn has_gpus(node: &Node) -> bool {
    let capacity = node.status.as_ref().and_then(|status| status.capacity.as_ref());
    capacity
        .and_then(|capacity| capacity.get("nvidia.com/gpu"))
        .is_some_and(|gpus| gpus.0 != "0")
}

/// The nodes that the user would rather have come first, then those that the owner had before, then by name.
fn rank(node: &Node, request: &Request) -> (bool, bool, String) {
    let name = node.name_any();
    (
        !request.preferred.contains(&name),
        !request.previous.contains(&name),
        name,
    )
}
