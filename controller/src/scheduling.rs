//! Where pods may run: labels that their node must have, and taints that they stand. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Toleration,
};
use kaito_api::names::labels;
use kaito_api::v1beta1::ResourceSpec;

/// Labels that a node must have: `matchLabels`, and `matchExpressions` of one value, without those that are ours.
pub(crate) fn node_labels(resource: &ResourceSpec) -> BTreeMap<String, String> {
    let selector = &resource.label_selector;
    let expressions = selector.match_expressions.iter().flatten().filter_map(|expression| {
        let [value] = expression.values.as_deref()? else {
            return None;
        };
        (expression.operator == "In").then(|| (expression.key.clone(), value.clone()))
    });
    let mut all: BTreeMap<String, String> = selector.match_labels.clone().unwrap_or_default();
    all.extend(expressions);
    all.retain(|key, _| !labels::RESERVED.contains(&key.as_str()));
    all
}

/// The user's affinity, in which every term also asks for `labels`: terms are alternatives, so one that did not would
/// let pods onto other nodes. An empty term, which fits no node, stays empty.
pub(crate) fn affinity(wanted: Option<&Affinity>, labels: &BTreeMap<String, String>) -> Option<Affinity> {
    if labels.is_empty() {
        return wanted.cloned();
    }
    let requirements: Vec<_> = labels
        .iter()
        .map(|(key, value)| NodeSelectorRequirement {
            key: key.clone(),
            operator: "In".to_owned(),
            values: Some(vec![value.clone()]),
        })
        .collect();
    let mut affinity = wanted.cloned().unwrap_or_default();
    let mut node_affinity = affinity.node_affinity.unwrap_or_default();
    let required = node_affinity.required_during_scheduling_ignored_during_execution;
    let mut terms = required
        .map(|required| required.node_selector_terms)
        .unwrap_or_default();
    if terms.is_empty() {
        terms.push(NodeSelectorTerm {
            match_expressions: Some(requirements),
            match_fields: None,
        });
    } else {
        for term in terms.iter_mut().filter(|term| **term != NodeSelectorTerm::default()) {
            term.match_expressions
                .get_or_insert_default()
                .extend(requirements.iter().cloned());
        }
    }
    node_affinity = NodeAffinity {
        required_during_scheduling_ignored_during_execution: Some(NodeSelector {
            node_selector_terms: terms,
        }),
        ..node_affinity
    };
    affinity.node_affinity = Some(node_affinity);
    Some(affinity)
}

/// The taints of machines with GPUs: NVIDIA's own, and the one that machines are made with.
pub(crate) fn gpu_tolerations() -> Vec<Toleration> {
    vec![tolerate_any("nvidia.com/gpu"), tolerate("sku", "gpu")]
}

/// Tolerates the taint `key`, whatever its value, that keeps pods from being put onto a node.
pub(crate) fn tolerate_any(key: &str) -> Toleration {
    Toleration {
        key: Some(key.to_owned()),
        operator: Some("Exists".to_owned()),
        effect: Some("NoSchedule".to_owned()),
        ..Toleration::default()
    }
}

/// Tolerates the taint `key` with `value` that keeps pods from being put onto a node.
pub(crate) fn tolerate(key: &str, value: &str) -> Toleration {
    Toleration {
        key: Some(key.to_owned()),
        operator: Some("Equal".to_owned()),
        value: Some(value.to_owned()),
        effect: Some("NoSchedule".to_owned()),
        ..Toleration::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_alternative_of_the_user_also_asks_for_our_labels() {
        let theirs: Affinity = serde_json::from_value(json!({"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]},
                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]},
                {},
            ]},
        }}))
        .unwrap();
        let labels = BTreeMap::from([("apps".to_owned(), "phi".to_owned())]);
        let ours = json!({"key": "apps", "operator": "In", "values": ["phi"]});
        assert_eq!(
            serde_json::to_value(affinity(Some(&theirs), &labels)).unwrap(),
            json!({"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}, ours]},
                    {
                        "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}],
                        "matchExpressions": [ours],
                    },
                    {},
                ]},
            }})
        );
        assert_eq!(affinity(Some(&theirs), &BTreeMap::new()), Some(theirs));
        assert_eq!(affinity(None, &BTreeMap::new()), None);
    }
}
