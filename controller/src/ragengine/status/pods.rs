//! Whether an engine's pods answer, and if not, the real reason.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use crate::conditions::Finding;
use crate::pods::{containers, last_words, unscheduled};

/// Reasons of a waiting container that say nothing yet.
const ON_ITS_WAY: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// The condition `ServiceReady`, of what the Deployment says and, when it is not content, of what its pods say.
pub(super) fn finding(deployment: &Deployment, pods: &[Arc<Pod>]) -> Finding {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = deployment.status.clone().unwrap_or_default();
    let seen = status.observed_generation >= deployment.metadata.generation;
    let ready = status.ready_replicas.unwrap_or_default();
    let updated = status.updated_replicas.unwrap_or_default();
    if seen && ready >= wanted && updated >= wanted && status.replicas.unwrap_or_default() == wanted {
        return Finding::holds("PodsReady", format!("{ready} of {wanted} pods are ready"));
    }
    let mut alive: Vec<_> = pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .collect();
    alive.sort_by_key(|pod| std::cmp::Reverse(pod.metadata.creation_timestamp.as_ref().map(|time| time.0)));
    alive
        .iter()
        .find_map(|pod| trouble(pod))
        .or_else(|| refusal(deployment))
        .unwrap_or_else(|| {
            Finding::fails(
                "PodsPending",
                format!("waiting for pods: {ready} of {wanted} are ready"),
            )
        })
}

/// What is wrong with a pod.
fn trouble(pod: &Pod) -> Option<Finding> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let status = pod.status.as_ref()?;
    if let Some(finding) = containers(pod).filter_map(|container| waiting(name, container)).next() {
        return Some(finding);
    }
    if status.phase.as_deref() == Some("Failed") {
        let reason = status.reason.as_deref().unwrap_or("PodFailed");
        return Some(Finding::fails(
            reason,
            format!("pod {name}: {}", status.message.as_deref().unwrap_or("it failed")),
        ));
    }
    let (reason, words) = unscheduled(pod)?;
    Some(Finding::fails(reason, format!("pod {name}: {words}")))
}

/// Why a container does not run, with the last words of the one before.
fn waiting(pod: &str, container: &ContainerStatus) -> Option<Finding> {
    let state = container.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().unwrap_or_default();
        if ON_ITS_WAY.contains(&reason) || reason.is_empty() {
            return None;
        }
        let words = last_words(container)
            .or_else(|| waiting.message.clone())
            .unwrap_or_default();
        return Some(Finding::fails(reason, format!("pod {pod}: {words}")));
    }
    let ended = state.terminated.as_ref().filter(|ended| ended.exit_code != 0)?;
    let words = ended.message.as_deref().unwrap_or_default().trim();
    let reason = ended.reason.as_deref().unwrap_or("Error");
    Some(Finding::fails(
        reason,
        format!("pod {pod}: exit code {}: {words}", ended.exit_code),
    ))
}

/// Why the Deployment cannot make pods, such as a quota.
fn refusal(deployment: &Deployment) -> Option<Finding> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions.iter().find(|condition| {
        condition.type_ == "ReplicaFailure" && condition.status == "True"
            || condition.type_ == "Progressing" && condition.status == "False"
    })?;
    let reason = condition.reason.as_deref().unwrap_or("PodsRefused");
    Some(Finding::fails(reason, condition.message.clone().unwrap_or_default()))
}
