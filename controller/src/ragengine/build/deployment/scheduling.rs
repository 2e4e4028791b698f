//! Where an engine's pods run.

use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Toleration,
    TopologySpreadConstraint,
};

use super::super::label_selector;
use crate::ragengine::engine::{Engine, Scheduling};

/// The user's affinity, in which every term also asks for the labels of `compute.labelSelector`: terms are
/// alternatives, so one that did not would let pods onto other nodes.
pub(super) fn affinity(scheduling: &Scheduling) -> Option<Affinity> {
    if scheduling.node_labels.is_empty() {
        return scheduling.affinity.clone();
    }
    let requirements: Vec<_> = scheduling
        .node_labels
        .iter()
        .map(|(key, value)| NodeSelectorRequirement {
            key: key.clone(),
            operator: "In".to_owned(),
            values: Some(vec![value.clone()]),
        })
        .collect();
    let mut affinity = scheduling.affinity.clone().unwrap_or_default();
    let mut node_affinity = affinity.node_affinity.unwrap_or_default();
    let required = node_affinity.required_during_scheduling_ignored_during_execution;
    let mut terms = required
        .map(|required| required.node_selector_terms)
        .unwrap_or_default();
    if terms.is_empty() {
        terms.push(NodeSelectorTerm::default());
    }
    for term in &mut terms {
        term.match_expressions
            .get_or_insert_default()
            .extend(requirements.iter().cloned());
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

/// The user's tolerations, after those of GPU machines.
pub(super) fn tolerations(scheduling: &Scheduling) -> Option<Vec<Toleration>> {
    let mut all = Vec::new();
    if scheduling.gpu_machines {
        all.push(Toleration {
            key: Some("nvidia.com/gpu".to_owned()),
            operator: Some("Exists".to_owned()),
            effect: Some("NoSchedule".to_owned()),
            ..Toleration::default()
        });
        all.push(Toleration {
            key: Some("sku".to_owned()),
            operator: Some("Equal".to_owned()),
            value: Some("gpu".to_owned()),
            effect: Some("NoSchedule".to_owned()),
            ..Toleration::default()
        });
    }
    all.extend(scheduling.tolerations.iter().cloned());
    (!all.is_empty()).then_some(all)
}

/// What the user says, else several pods on several nodes where that is possible.
pub(super) fn spread(engine: &Engine) -> Option<Vec<TopologySpreadConstraint>> {
    if let Some(spread) = &engine.scheduling.spread {
        return Some(spread.clone());
    }
    (engine.replicas > 1).then(|| {
        vec![TopologySpreadConstraint {
            max_skew: 1,
            topology_key: "kubernetes.io/hostname".to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            label_selector: Some(label_selector(engine)),
            ..TopologySpreadConstraint::default()
        }]
    })
}
