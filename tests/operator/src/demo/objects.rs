//! Paths of the demonstration's objects, and what they say.

use serde_json::Value;

pub(super) const ENGINES: &str = "/apis/kaito.sh/v1beta1/namespaces/default/ragengines";
pub(super) const WORKSPACES: &str = "/apis/kaito.sh/v1beta1/namespaces/default/workspaces";
pub(super) const STATEFUL_SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";
pub(super) const PODS: &str = "/api/v1/namespaces/default/pods";
pub(super) const NODE_CLAIMS: &str = "/apis/karpenter.sh/v1/nodeclaims";

/// The objects of a list.
pub(super) fn items(list: &Value) -> &[Value] {
    list.get("items").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Status and reason of a condition.
pub(super) fn condition<'a>(object: &'a Value, type_: &str) -> (&'a str, &'a str) {
    (said(object, type_, "status"), said(object, type_, "reason"))
}

/// Message of a condition.
pub(super) fn message<'a>(object: &'a Value, type_: &str) -> &'a str {
    said(object, type_, "message")
}

/// Name of an object.
pub(super) fn name(object: &Value) -> &str {
    object
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn said<'a>(object: &'a Value, type_: &str, field: &str) -> &'a str {
    let all = object.pointer("/status/conditions").and_then(Value::as_array);
    let mut all = all.into_iter().flatten();
    let found = all.find(|condition| condition.get("type").and_then(Value::as_str) == Some(type_));
    found
        .and_then(|condition| condition.get(field)?.as_str())
        .unwrap_or_default()
}
