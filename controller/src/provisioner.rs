//! Machines: which nodes a Workspace or an engine has, which it lacks, and how more are asked for. Pure, but for [`act`]
//! and the NodeClasses that are made at the start.
//!
//! A provisioner looks at what there is and says what to do; it keeps nothing in mind. What is made has a name that
//! follows from its owner, so that the same look twice makes nothing twice. Nothing waits here: what is not there yet is
//! said, and a watch brings the next look. Surplus machines are not taken away, and nodes are not replaced when their
//! image or their NodeClass changes: Karpenter's own rules for drift and repair hold.

mod request;

mod byo;
mod claims;
mod gpu;
pub(crate) mod karpenter;
mod node_claim;
mod node_pool;
mod nodes;

pub(crate) mod act;
pub(crate) mod back_off;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::DynamicObject;

pub(crate) use gpu::release_claims;
#[cfg(test)]
pub(crate) use node_claim::node_claim_name;
pub(crate) use node_claim::{node_claim, resource as node_claim_resource};
pub(crate) use node_pool::resource as node_pool_resource;
pub(crate) use nodes::is_ready;
pub(crate) use request::{Observed, Owner, OwnerKind, Request};

use self::claims::{Said, UNTOLD};
use crate::conditions::{Finding, find, truncated, without_problem};
use crate::options::NodeProvisioner;
use crate::settings::Settings;

/// Types of the conditions that tell of machines.
pub(crate) mod types {
    pub(crate) const NODES: &str = "NodesReady";
    pub(crate) const NODE_CLAIMS: &str = "NodeClaimReady";
    pub(crate) const RESOURCE: &str = "ResourceReady";
}

/// One way to come by machines.
pub(crate) trait Provisioner: Send + Sync {
    /// What is the case with somebody's machines, and what to do.
    fn plan(&self, request: &Request, observed: &Observed) -> Plan;

    /// Labels that nodes must have for the owner's pods to run there, beside those that the user asks for.
    fn placement(&self, owner: &Owner) -> BTreeMap<String, String>;

    /// What to do when the owner is deleted.
    fn release(&self, owner: &Owner, observed: &Observed) -> Vec<Action>;
}

/// The one that the installation is told to use.
pub(crate) fn of(settings: &Settings) -> Arc<dyn Provisioner> {
    match settings.provisioner {
        NodeProvisioner::AzureGpuProvisioner => Arc::new(gpu::GpuProvisioner::new(settings)),
        NodeProvisioner::Karpenter => Arc::new(karpenter::Karpenter::new(&settings.karpenter)),
        NodeProvisioner::Byo => Arc::new(byo::BringYourOwn),
    }
}

/// What is the case with somebody's machines, and what to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// Whether enough nodes are ready: the condition `NodesReady`.
    pub nodes: Finding,
    /// Whether what was asked for was made: the condition `NodeClaimReady`. `None` when nothing is ever asked for.
    pub claims: Option<Finding>,
    /// Both: the condition `ResourceReady`.
    pub resources: Finding,
    /// Names of the nodes that it has, ready or not, sorted.
    pub worker_nodes: Vec<String>,
    /// Whether pods can run.
    pub ready: bool,
    /// What to do.
    pub actions: Vec<Action>,
    /// Whether nothing that was asked for has a machine, or says why it has none.
    silent: bool,
}

/// What to do about machines.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Ask for a machine.
    CreateClaim(Box<DynamicObject>),
    /// Ask for a pool of machines.
    CreatePool(Box<DynamicObject>),
    /// Ask for more machines in a pool.
    ScalePool {
        /// Name of the pool.
        name: String,
        /// How many machines it is to have.
        replicas: u32,
        /// The pool that was looked at; a later one is not changed.
        resource_version: Option<String>,
    },
    /// Give a machine back.
    DeleteClaim(String),
    /// Give a pool of machines back.
    DeletePool(String),
    /// Mark a node as one with NVIDIA's GPUs, so that their plugin runs there.
    MarkAccelerator(String),
    /// Put the owner's labels on a node that the user brought.
    Adopt {
        /// Name of the node.
        node: String,
        /// The labels.
        labels: BTreeMap<String, String>,
        /// The node that was looked at. A later one is not changed, so that two owners cannot take the same.
        resource_version: Option<String>,
    },
    /// Take the owner's labels off a node that the user brought.
    Release {
        /// Name of the node.
        node: String,
        /// Keys of the labels.
        labels: Vec<String>,
        /// The node that was looked at.
        resource_version: Option<String>,
    },
}

impl Action {
    /// Whether it asks for a machine, which costs money and may be refused again and again.
    pub(crate) fn asks_for_machines(&self) -> bool {
        matches!(
            self,
            Self::CreateClaim(_) | Self::CreatePool(_) | Self::ScalePool { .. }
        )
    }
}

impl Plan {
    /// A plan whose `ResourceReady` follows from the others.
    fn of(nodes: Finding, said: Option<Said>, worker_nodes: Vec<String>, actions: Vec<Action>) -> Self {
        let silent = said.as_ref().is_some_and(|said| said.silent);
        let claims = said.map(|said| said.finding);
        let unready = claims.iter().chain([&nodes]).find(|finding| !finding.is_true());
        let resources = unready.cloned().unwrap_or_else(resources_are_ready);
        Self {
            ready: resources.is_true(),
            nodes,
            claims,
            resources,
            worker_nodes,
            actions,
            silent,
        }
    }

    /// A plan of somebody who brings nodes.
    #[cfg(test)]
    pub(crate) fn of_nodes(nodes: Finding) -> Self {
        Self::of(nodes, None, Vec::new(), Vec::new())
    }

    /// Keeps what the last machine that could not be launched said, while there is no other that has something to say.
    ///
    /// Karpenter deletes such a NodeClaim, and the next one is not launched yet: the words are still true.
    pub(crate) fn keep_last_words(&mut self, previous: Option<&Vec<Condition>>) {
        let last = find(previous, types::NODE_CLAIMS);
        let last = last.filter(|last| last.status == "False" && !UNTOLD.contains(&last.reason.as_str()));
        let (true, Some(claims), Some(last)) = (self.silent, &mut self.claims, last) else {
            return;
        };
        *claims = Finding::fails(&last.reason, without_problem(&last.message));
        self.resources = claims.clone();
    }

    /// Says that the API server refuses what was to ask for a machine.
    pub(crate) fn refused(&mut self, words: &str) {
        let refused = Finding::fails("NodeClaimCreationFailed", truncated(words));
        self.resources = refused.clone();
        self.claims = Some(refused);
    }
}

fn resources_are_ready() -> Finding {
    Finding::holds("workspaceResourceStatusSuccess", "workspace resource is ready")
}

#[cfg(test)]
mod tests;
