//! What keeps pods from being ready, as one of the reasons that KAITO gives.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use crate::conditions::{Finding, ending, truncated};
use crate::pods::{containers, last_words, unscheduled};

/// An image cannot be had.
const IMAGE: [&str; 6] = [
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
];
/// A container cannot be started.
const START: [&str; 6] = [
    "CreateContainerConfigError",
    "PreCreateHookError",
    "CreateContainerError",
    "PreStartHookError",
    "RunContainerError",
    "PostStartHookError",
];

/// A kind of trouble of a container: its words, if it has it.
type Check = fn(&ContainerStatus) -> Option<String>;

/// Kinds of trouble of containers, the telling ones first.
const CHECKS: [(&str, Check); 4] = [
    ("ContainerOOMKilled", out_of_memory),
    ("ImagePullError", |container| waits_for(container, &IMAGE)),
    ("ContainerStartError", |container| waits_for(container, &START)),
    ("ContainerCrashLoopBackOff", |container| {
        let words = waits_for(container, &["CrashLoopBackOff"])?;
        Some(last_words(container).map_or(words, |words| ending(&words)))
    }),
];

/// The worst trouble of all pods: a kind that is more telling counts before others, whichever pod has it.
pub(super) fn trouble(pods: &[Arc<Pod>]) -> Option<Finding> {
    let mut alive: Vec<_> = pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .collect();
    alive.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    let of_containers = CHECKS.iter().find_map(|(reason, check)| {
        alive.iter().find_map(|pod| {
            let (container, words) = containers(pod).find_map(|container| Some((container, check(container)?)))?;
            Some(told(reason, pod, &format!("container {}: {words}", container.name)))
        })
    });
    of_containers
        .or_else(|| alive.iter().find_map(|pod| evicted(pod)))
        .or_else(|| {
            alive
                .iter()
                .find_map(|pod| Some(told("Unschedulable", pod, &truncated(unscheduled(pod)?.1))))
        })
}

fn told(reason: &str, pod: &Pod, words: &str) -> Finding {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    Finding::fails(reason, format!("pod {name}: {words}"))
}

/// The container has used more memory than it may, in this run or in the one before.
fn out_of_memory(container: &ContainerStatus) -> Option<String> {
    let states = [&container.state, &container.last_state];
    let mut ends = states
        .into_iter()
        .flatten()
        .filter_map(|state| state.terminated.as_ref());
    let end = ends.find(|end| end.reason.as_deref() == Some("OOMKilled"))?;
    Some(format!(
        "it was killed because it used too much memory, exit code {}",
        end.exit_code
    ))
}

fn waits_for(container: &ContainerStatus, reasons: &[&str]) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().filter(|reason| reasons.contains(reason))?;
    let words = waiting.message.as_deref().map(str::trim).unwrap_or_default();
    Some(if words.is_empty() {
        reason.to_owned()
    } else {
        truncated(words)
    })
}

/// The node has put the pod out, because it had too little of something.
fn evicted(pod: &Pod) -> Option<Finding> {
    let status = pod.status.as_ref()?;
    if status.phase.as_deref() != Some("Failed") || status.reason.as_deref() != Some("Evicted") {
        return None;
    }
    let words = status.message.as_deref().unwrap_or("its node put it out");
    let lower = words.to_lowercase();
    let reason = if lower.contains("ephemeral-storage") || lower.contains("diskpressure") {
        "NodeDiskPressure"
    } else if lower.contains("memory") {
        "NodeMemoryPressure"
    } else {
        "PodEvicted"
    };
    Some(told(reason, pod, &truncated(words)))
}
