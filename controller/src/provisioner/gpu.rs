//! A NodeClaim for each machine, as KAITO's gpu-provisioner takes them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use kube::ResourceExt;
use kube::core::DynamicObject;

use super::claims::{Said, is_waiting, machines, say, stays};
use super::node_claim::{node_claim, node_claim_name};
use super::nodes::{self, Nodes};
use super::request::has_all;
use super::{Action, Observed, Owner, Plan, Provisioner, Request};
use crate::conditions::Finding;
use crate::settings::Settings;

/// Makes a NodeClaim for each machine that is missing.
pub(super) struct GpuProvisioner {
    settings: Settings,
}

impl GpuProvisioner {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
        }
    }

    /// NodeClaims of the indexes that are missing, until there are `missing` more.
    fn new_claims(&self, request: &Request, existing: &[&DynamicObject], missing: usize) -> Vec<Action> {
        let Some(instance_type) = &request.instance_type else {
            return Vec::new();
        };
        let names: HashSet<String> = existing.iter().map(|claim| claim.name_any()).collect();
        (0..request.count)
            .filter(|index| !names.contains(&node_claim_name(&request.owner, *index)))
            .take(missing)
            .map(|index| {
                let claim = node_claim(request, instance_type, index, &self.settings);
                Action::CreateClaim(Box::new(claim))
            })
            .collect()
    }
}

impl Provisioner for GpuProvisioner {
    fn plan(&self, request: &Request, observed: &Observed) -> Plan {
        let placement = self.placement(&request.owner);
        let nodes = Nodes::of(request, &placement, &observed.nodes);
        let claims = owned(&observed.claims, &request.owner);
        let mut actions = nodes.adopt(machines(&claims));
        let count = usize::try_from(request.count).unwrap_or(usize::MAX);
        let needed = count.saturating_sub(nodes.brought() + actions.len());
        if claims.len() < needed && observed.claims_are_served {
            actions.extend(self.new_claims(request, &claims, needed - claims.len()));
        }
        actions.extend(surplus(&claims, needed));
        let said = if needed > 0 && !observed.claims_are_served {
            not_served("NodeClaims (karpenter.sh/v1)")
        } else if needed > claims.len() && request.instance_type.is_none() {
            no_type()
        } else {
            say(&claims, needed)
        };
        let (readiness, marks) = nodes.readiness("");
        actions.extend(marks);
        Plan::of(readiness, Some(said), nodes.names(), actions)
    }

    fn placement(&self, owner: &Owner) -> BTreeMap<String, String> {
        owner.labels()
    }

    fn release(&self, owner: &Owner, observed: &Observed) -> Vec<Action> {
        let mut actions = release_claims(&observed.claims, owner);
        actions.extend(nodes::release(&self.placement(owner), &observed.nodes));
        actions
    }
}

/// The NodeClaims of an owner, also those that are about to go.
pub(super) fn owned<'a>(claims: &'a [Arc<DynamicObject>], owner: &Owner) -> Vec<&'a DynamicObject> {
    let labels = owner.labels();
    claims
        .iter()
        .map(AsRef::as_ref)
        .filter(|claim| has_all(claim.labels(), &labels))
        .collect()
}

/// Gives an owner's NodeClaims back.
pub(crate) fn release_claims(claims: &[Arc<DynamicObject>], owner: &Owner) -> Vec<Action> {
    owned(claims, owner)
        .into_iter()
        .filter(|claim| stays(claim))
        .map(|claim| Action::DeleteClaim(claim.name_any()))
        .collect()
}

/// More NodeClaims than are needed, because nodes were brought while these waited for a machine. It would come some day,
/// and cost money that nobody uses. A machine that is there is left.
fn surplus(claims: &[&DynamicObject], needed: usize) -> Vec<Action> {
    let staying: Vec<_> = claims.iter().filter(|claim| stays(claim)).collect();
    let too_many = staying.len().saturating_sub(needed);
    let mut waiting: Vec<_> = staying.iter().filter(|claim| is_waiting(claim)).collect();
    waiting.sort_by_key(|claim| std::cmp::Reverse(claim.name_any()));
    waiting
        .into_iter()
        .take(too_many)
        .map(|claim| Action::DeleteClaim(claim.name_any()))
        .collect()
}

/// The cluster lacks what machines are asked for with.
pub(super) fn not_served(what: &str) -> Said {
    Said {
        finding: Finding::fails(
            "NodeClaimsNotServed",
            format!(
                "this cluster has no {what}: install Karpenter or the gpu-provisioner, or add ready nodes of the type \
                 with the labels of resource.labelSelector"
            ),
        ),
        silent: false,
    }
}

/// Nodes are missing, and it is not said of which type they should be.
pub(super) fn no_type() -> Said {
    Said {
        finding: Finding::fails(
            "InstanceTypeMissing",
            "too few ready nodes have the labels of resource.labelSelector: set resource.instanceType to have machines \
             made, or add nodes",
        ),
        silent: false,
    }
}
