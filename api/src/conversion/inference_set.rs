//! `InferenceSet`: `v1beta1` is `v1alpha1` and a few members more.

use serde_json::Value;

use super::remove_members;

/// Removes what only `v1beta1` has. In a `v1alpha1` object it means nothing.
pub(super) fn remove_new(object: &mut Value) {
    remove_members(object, "/spec/template/resource", &["partition"]);
    remove_members(object, "/status", &["observedGeneration", "updatedReplicas"]);
    let metrics = object
        .pointer_mut("/status/performance/metrics")
        .and_then(Value::as_object_mut);
    for metric in metrics.into_iter().flat_map(|metrics| metrics.values_mut()) {
        if let Some(metric) = metric.as_object_mut() {
            metric.remove("config");
        }
    }
}
