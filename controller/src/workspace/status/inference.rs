//! Whether the model is served.

use super::{Observation, pods};
use crate::conditions::Finding;

/// The condition `InferenceReady`.
pub(super) fn finding(observation: &Observation<'_>) -> Finding {
    if is_ready(observation) {
        return Finding::holds(
            "WorkspaceInferenceStatusSuccess",
            "Inference has been deployed successfully",
        );
    }
    let trouble = observation.stateful_set.is_some() && !pods_are_ready(observation);
    let trouble = trouble.then(|| pods::trouble(observation.pods)).flatten();
    trouble.unwrap_or_else(|| Finding::fails("WorkspaceInferenceStatusPending", "Inference workload is not ready"))
}

/// Whether all pods are ready, on machines that are.
pub(super) fn is_ready(observation: &Observation<'_>) -> bool {
    observation.machines.is_some_and(|plan| plan.resources.is_true()) && pods_are_ready(observation)
}

/// Whether the StatefulSet says, of its present form, that all its pods are ready.
fn pods_are_ready(observation: &Observation<'_>) -> bool {
    let Some(set) = observation.stateful_set else {
        return false;
    };
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    set.status.as_ref().is_some_and(|status| {
        status.observed_generation >= set.metadata.generation && status.ready_replicas.unwrap_or_default() == wanted
    })
}
