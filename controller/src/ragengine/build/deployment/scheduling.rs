//! Where an engine's pods run.

use k8s_openapi::api::core::v1::{Affinity, Toleration, TopologySpreadConstraint};

use super::super::label_selector;
use crate::ragengine::engine::{Engine, Scheduling};
use crate::scheduling;

/// The user's affinity, and the labels of `compute.labelSelector`.
pub(super) fn affinity(scheduling: &Scheduling) -> Option<Affinity> {
    scheduling::affinity(scheduling.affinity.as_ref(), &scheduling.node_labels)
}

/// The user's tolerations, after those of GPU machines.
pub(super) fn tolerations(scheduling: &Scheduling) -> Option<Vec<Toleration>> {
    let mut all = if scheduling.gpu_machines {
        scheduling::gpu_tolerations()
    } else {
        Vec::new()
    };
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
