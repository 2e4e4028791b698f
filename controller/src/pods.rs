//! What pods say of themselves. Pure.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

/// States of all containers of a pod, those that run before the others first.
pub(crate) fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    status.into_iter().flat_map(|status| {
        status
            .init_container_statuses
            .iter()
            .chain(&status.container_statuses)
            .flatten()
    })
}

/// The last words of the run of a container before this one: what it wrote, else how it ended.
pub(crate) fn last_words(container: &ContainerStatus) -> Option<String> {
    let last = container.last_state.as_ref()?.terminated.as_ref()?;
    let words = last.message.as_deref().map(str::trim).filter(|words| !words.is_empty());
    let reason = last.reason.as_deref().unwrap_or("it ended");
    Some(words.map_or_else(|| format!("{reason}, exit code {}", last.exit_code), ToOwned::to_owned))
}

/// Why a pod has no node, if it cannot get one: reason and words.
pub(crate) fn unscheduled(pod: &Pod) -> Option<(&str, &str)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let scheduled = conditions.iter().find(|condition| condition.type_ == "PodScheduled")?;
    (scheduled.status == "False").then(|| {
        (
            scheduled.reason.as_deref().unwrap_or("Unschedulable"),
            scheduled.message.as_deref().unwrap_or("it has no node"),
        )
    })
}
