//! A Workspace inside of something else obeys the same rules, so the cases of a Workspace are cases of that, too.

use serde_json::{Value, json};

use super::{Case, Guard};

/// The cases that an engine with the same Workspace in it shows, and a set with the same in its template.
pub(super) fn of(case: &Case) -> Vec<Case> {
    let is_inference = |object: &Value| {
        let has = |name: &str| object.get(name).is_some();
        has("resource") && has("inference") && !has("tuning")
    };
    let is_meant = case.kind == "Workspace"
        && case.version == "v1beta1"
        && case.guard == Guard::Cel
        && case.rule != "name-label"
        && is_inference(&case.object)
        && case.old.as_ref().is_none_or(is_inference);
    if !is_meant {
        return Vec::new();
    }
    let within = |kind: &str, version: &str, put: fn(&Value) -> Value| {
        let put = |object: &Value| {
            json!({
                "apiVersion": format!("kaito.sh/{version}"), "kind": kind, "metadata": {"name": "case"},
                "spec": put(object),
            })
        };
        Case {
            rule: format!("workspace-{}", case.rule),
            kind: kind.to_owned(),
            version: version.to_owned(),
            old: case.old.as_ref().map(put),
            object: put(&case.object),
            ..case.clone()
        }
    };
    let mut cases = vec![within("RAGEngine", "v1beta1", engine)];
    // A set replaces its Workspaces where a Workspace cannot be changed.
    if case.old.is_none() {
        cases.push(within("InferenceSet", "v1beta1", set));
        if case.object.pointer("/resource/partition").is_none() {
            cases.push(within("InferenceSet", "v1alpha1", set));
        }
    }
    cases
}

fn engine(workspace: &Value) -> Value {
    json!({
        "embedding": {"local": {"modelID": "BAAI/bge-small-en-v1.5"}},
        "inferenceService": {"workspaceTemplate": {
            "metadata": metadata(workspace),
            "resource": workspace["resource"],
            "inference": workspace["inference"],
        }},
    })
}

fn set(workspace: &Value) -> Value {
    let mut resource = workspace["resource"].clone();
    let mut selector = Value::Null;
    if let Some(resource) = resource.as_object_mut() {
        selector = resource.remove("labelSelector").unwrap_or_default();
        resource.remove("count");
        resource.remove("preferredNodes");
    }
    json!({
        "labelSelector": selector,
        "template": {
            "metadata": metadata(workspace),
            "resource": resource,
            "inference": workspace["inference"],
        },
    })
}

fn metadata(workspace: &Value) -> Value {
    match workspace.pointer("/metadata/annotations") {
        Some(annotations) => json!({"annotations": annotations}),
        None => json!({}),
    }
}
