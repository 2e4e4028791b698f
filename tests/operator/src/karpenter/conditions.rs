//! Conditions of a NodeClaim.

use k8s_openapi::jiff::Timestamp;
use kube::api::DynamicObject;
use serde_json::{Value, json};

/// What a condition of a NodeClaim says, if it says anything yet.
pub(super) fn status_of<'a>(claim: &'a DynamicObject, type_: &str) -> Option<&'a str> {
    let all = claim.data.pointer("/status/conditions")?.as_array()?;
    let found = all
        .iter()
        .find(|found| found.get("type").and_then(Value::as_str) == Some(type_))?;
    found.get("status")?.as_str()
}

/// All conditions of a NodeClaim as far as it has come: launched, registered, initialised, ready.
pub(super) fn reached(steps: usize) -> Value {
    let all = ["Launched", "Registered", "Initialized", "Ready"];
    let conditions = all.iter().enumerate().map(|(number, type_)| {
        let (status, message) = if number < steps {
            ("True", "")
        } else {
            ("Unknown", "waiting for what comes before")
        };
        condition(type_, status, type_, message)
    });
    conditions.collect()
}

/// A condition that says that a machine could not be had.
pub(super) fn failed(message: &str) -> Value {
    json!([
        condition("Launched", "False", "LaunchFailed", message),
        condition(
            "Registered",
            "Unknown",
            "AwaitingReconciliation",
            "object is awaiting reconciliation"
        ),
        condition(
            "Initialized",
            "Unknown",
            "AwaitingReconciliation",
            "object is awaiting reconciliation"
        ),
        condition("Ready", "False", "UnhealthyDependents", "Launched=False"),
    ])
}

fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": type_, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": Timestamp::now().to_string(),
    })
}
