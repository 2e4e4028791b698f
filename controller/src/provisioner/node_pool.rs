//! A request for machines as a Karpenter NodePool of a fixed size.

use std::collections::BTreeMap;

use kaito_api::names::labels;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use super::{Owner, Request};
use crate::digest;
use crate::options::KarpenterOptions;

/// Longest name of a NodePool: it is the value of a label.
const LONGEST_NAME: usize = 63;
const KEPT: usize = 53;

/// Karpenter's NodePool.
pub(crate) fn resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("karpenter.sh", "v1", "NodePool"), "nodepools")
}

/// Name of an owner's NodePool. `a-b/c` and `a/b-c` have the same; whoever comes second takes [`other_name`].
pub(super) fn name(owner: &Owner) -> String {
    let full = full_name(owner);
    if full.len() > LONGEST_NAME {
        return hashed(&full, &full);
    }
    full
}

/// A name that only this owner has.
pub(super) fn other_name(owner: &Owner) -> String {
    hashed(&full_name(owner), &format!("{}/{}", owner.namespace, owner.name))
}

fn full_name(owner: &Owner) -> String {
    format!("{}-{}", owner.namespace, owner.name)
}

fn hashed(name: &str, identity: &str) -> String {
    let digest = digest::of_bytes(identity.as_bytes());
    let kept = name.get(..KEPT.min(name.len())).unwrap_or(name);
    format!("{kept}-{}", digest::short(&digest, 9))
}

/// A NodePool of `replicas` machines.
pub(super) fn node_pool(
    request: &Request,
    instance_type: &str,
    (name, node_class): (&str, &str),
    replicas: usize,
    options: &KarpenterOptions,
) -> DynamicObject {
    let owner = &request.owner;
    let mut ours = owner.pool_labels();
    if let Some((set, namespace)) = &owner.inference_set {
        ours.insert(labels::KARPENTER_INFERENCE_SET.to_owned(), set.clone());
        ours.insert(labels::KARPENTER_INFERENCE_SET_NAMESPACE.to_owned(), namespace.clone());
    }
    let mut on_nodes = request.labels.clone();
    on_nodes.extend(ours.clone());
    let mut requirements = vec![json!({"key": labels::INSTANCE_TYPE, "operator": "In", "values": [instance_type]})];
    if options.node_class_group == "karpenter.azure.com" {
        requirements
            .push(json!({"key": "karpenter.azure.com/placement-scope", "operator": "In", "values": ["regional"]}));
    }
    // Replicas of an InferenceSet are replaced by the set, one after the other; a lone Workspace by Karpenter.
    let drifting = if owner.inference_set.is_some() { "0" } else { "1" };
    let mut pool = DynamicObject::new(name, &resource()).data(json!({
        "spec": {
            "replicas": replicas,
            "template": {
                "metadata": {"labels": on_nodes},
                "spec": {
                    "nodeClassRef": {"group": options.node_class_group, "kind": options.node_class_kind, "name": node_class},
                    "requirements": Value::Array(requirements),
                    "taints": [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}],
                },
            },
            "disruption": {
                "consolidateAfter": "0s",
                "budgets": [{"nodes": drifting, "reasons": ["Drifted"]}],
            },
        },
    }));
    let managed = BTreeMap::from([(labels::KARPENTER_MANAGED_BY.to_owned(), "kaito".to_owned())]);
    pool.metadata.labels = Some(managed.into_iter().chain(ours).collect());
    pool
}
