//! A NodePool of a fixed size for each owner, as Karpenter takes them. The NodeClasses that pools refer to are made at
//! the start ([`node_classes`]).

pub(crate) mod node_classes;

use std::collections::BTreeMap;

use kaito_api::names::labels;
use kube::ResourceExt;
use kube::core::DynamicObject;
use serde_json::Value;

use super::claims::{Said, condition, machines, say, stays};
use super::gpu::{no_type, not_served, owned, release_claims};
use super::node_pool::{self, node_pool};
use super::nodes::{self, Nodes};
use super::request::has_all;
use super::{Action, Observed, Owner, Plan, Provisioner, Request};
use crate::conditions::Finding;
use crate::options::KarpenterOptions;

/// Makes a NodePool for each owner, with as many machines as are missing.
pub(super) struct Karpenter {
    options: KarpenterOptions,
}

impl Karpenter {
    pub(super) fn new(options: &KarpenterOptions) -> Self {
        Self {
            options: options.clone(),
        }
    }

    /// The NodeClass that an owner may use and that works, or what is wrong with it.
    fn node_class<'a>(&'a self, owner: &'a Owner, observed: &Observed) -> Result<&'a str, Finding> {
        let classes = &self.options.node_classes;
        let annotated = owner.node_class.as_deref().filter(|name| !name.is_empty());
        let name = annotated.or(classes.default_name()).unwrap_or_default();
        if !classes.all().iter().any(|class| class.name == name) {
            let allowed: Vec<_> = classes.all().iter().map(|class| class.name.as_str()).collect();
            let message = format!(
                "NodeClass {name:?} of the annotation {} may not be used here: name one of {}",
                kaito_api::names::annotations::NODE_CLASS_NAME,
                allowed.join(", ")
            );
            return Err(Finding::fails("NodeClassNotAllowed", message));
        }
        let kind = &self.options.node_class_kind;
        let Some(class) = observed.node_classes.iter().find(|class| class.name_any() == name) else {
            let message = format!("{kind} {name:?} does not exist: restart the controller to have it made, or make it");
            return Err(Finding::fails("NodeClassNotReady", message));
        };
        match condition(class, "Ready") {
            Some(ready) if ready.status == "True" => Ok(name),
            told => {
                let words = told.map_or("it has not said that it is", |told| told.message);
                let message = format!("{kind} {name:?} is not ready: {words}");
                Err(Finding::fails("NodeClassNotReady", message))
            }
        }
    }

    /// What to do so that the pool has `desired` machines, or why that cannot be done.
    fn fill(
        &self,
        request: &Request,
        observed: &Observed,
        pool: Option<&DynamicObject>,
        desired: usize,
    ) -> Result<Option<Action>, Finding> {
        if desired == 0 || pool.is_some_and(|pool| !stays(pool) || replicas(pool) >= desired) {
            return Ok(None);
        }
        if !observed.pools_are_served {
            return Err(not_served("NodePools (karpenter.sh/v1)").finding);
        }
        let Some(instance_type) = &request.instance_type else {
            return Err(no_type().finding);
        };
        let node_class = self.node_class(&request.owner, observed)?;
        if let Some(pool) = pool {
            return Ok(Some(Action::ScalePool {
                name: pool.name_any(),
                replicas: u32::try_from(desired).unwrap_or(u32::MAX),
                resource_version: pool.resource_version(),
            }));
        }
        let usual = node_pool::name(&request.owner);
        let is_taken = observed.pools.iter().any(|pool| pool.name_any() == usual);
        let name = if is_taken {
            node_pool::other_name(&request.owner)
        } else {
            usual
        };
        let pool = node_pool(request, instance_type, (&name, node_class), desired, &self.options);
        Ok(Some(Action::CreatePool(Box::new(pool))))
    }
}

impl Provisioner for Karpenter {
    fn plan(&self, request: &Request, observed: &Observed) -> Plan {
        let placement = self.placement(&request.owner);
        let nodes = Nodes::of(request, &placement, &observed.nodes);
        let pool = pool(observed, &request.owner);
        let claims = pool.map(|pool| claims_of(pool, observed)).unwrap_or_default();
        let mut actions = nodes.adopt(machines(&claims));
        let legacy = owned(&observed.claims, &request.owner);
        let legacy = legacy.iter().filter(|claim| stays(claim)).count();
        // Nodes that are taken from the owner's older NodeClaims are counted with those.
        let adopted = adopted_of_nobody(&actions, observed, &request.owner);
        let count = usize::try_from(request.count).unwrap_or(usize::MAX);
        let needed = count.saturating_sub(nodes.brought() + adopted + legacy);
        let said = match self.fill(request, observed, pool, needed) {
            Ok(action) => {
                actions.extend(action);
                say(&claims, needed)
            }
            Err(finding) => Said { finding, silent: false },
        };
        let (readiness, marks) = nodes.readiness(" with GPU resources");
        actions.extend(marks);
        Plan::of(readiness, Some(said), nodes.names(), actions)
    }

    fn placement(&self, owner: &Owner) -> BTreeMap<String, String> {
        owner.pool_labels()
    }

    fn release(&self, owner: &Owner, observed: &Observed) -> Vec<Action> {
        let pools = observed.pools.iter();
        let mut actions: Vec<_> = pools
            .filter(|pool| stays(pool) && has_all(pool.labels(), &owner.pool_labels()))
            .map(|pool| Action::DeletePool(pool.name_any()))
            .collect();
        actions.extend(release_claims(&observed.claims, owner));
        actions.extend(nodes::release(&self.placement(owner), &observed.nodes));
        actions
    }
}

fn adopted_of_nobody(actions: &[Action], observed: &Observed, owner: &Owner) -> usize {
    let labels = owner.labels();
    let is_of_nobody = |name: &String| {
        let node = observed.nodes.iter().find(|node| node.name_any() == *name);
        node.is_some_and(|node| !has_all(node.labels(), &labels))
    };
    actions
        .iter()
        .filter(|action| matches!(action, Action::Adopt { node, .. } if is_of_nobody(node)))
        .count()
}

fn pool<'a>(observed: &'a Observed, owner: &Owner) -> Option<&'a DynamicObject> {
    let labels = owner.pool_labels();
    let mut pools = observed.pools.iter().map(AsRef::as_ref);
    pools.find(|pool| has_all(pool.labels(), &labels))
}

fn claims_of<'a>(pool: &DynamicObject, observed: &'a Observed) -> Vec<&'a DynamicObject> {
    let name = pool.name_any();
    let is_of_pool = |claim: &&DynamicObject| claim.labels().get(labels::NODE_POOL) == Some(&name);
    observed.claims.iter().map(AsRef::as_ref).filter(is_of_pool).collect()
}

fn replicas(pool: &DynamicObject) -> usize {
    let replicas = pool.data.pointer("/spec/replicas").and_then(Value::as_u64);
    usize::try_from(replicas.unwrap_or_default()).unwrap_or(usize::MAX)
}
