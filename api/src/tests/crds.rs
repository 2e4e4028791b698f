//! The definitions are what the charts hold, what KAITO's are, and what an API server takes.

use std::path::Path;

use serde_json::{Value, json};

use super::server::{definition, schema};
use crate::crds;

const KINDS: [&str; 3] = ["RAGEngine", "Workspace", "InferenceSet"];

#[test]
fn the_charts_hold_what_the_types_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    assert_eq!(
        crds::stale(&root),
        Vec::<std::path::PathBuf>::new(),
        "run `cargo run -p kaito-api --bin crdgen`"
    );
}

fn condition(name: &str) -> Value {
    json!({
        "name": name, "type": "string",
        "jsonPath": format!(".status.conditions[?(@.type==\"{name}\")].status"),
    })
}

fn column(name: &str, kind: &str, path: &str) -> Value {
    json!({"name": name, "type": kind, "jsonPath": path})
}

#[test]
fn names_versions_and_columns_are_those_of_kaito() {
    let age = column("Age", "date", ".metadata.creationTimestamp");
    let engine = json!([
        column("Instance", "string", ".spec.compute.instanceType"),
        condition("ResourceReady"),
        condition("ServiceReady"),
        age,
    ]);
    let mut workspace = vec![
        column("Instance", "string", ".resource.instanceType"),
        condition("ResourceReady"),
        condition("InferenceReady"),
        condition("JobStarted"),
        condition("WorkspaceSucceeded"),
    ];
    let mut stored = workspace.clone();
    stored.extend([
        column("TargetNodeCount", "integer", ".status.targetNodeCount"),
        column("State", "string", ".status.state"),
        age.clone(),
    ]);
    workspace.push(age.clone());
    let set = json!([
        column("Replicas", "integer", ".spec.replicas"),
        column("ReadyReplicas", "integer", ".status.readyReplicas"),
        age,
    ]);
    let status = json!({"status": {}});
    let scaled = json!({"status": {}, "scale": {
        "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }});
    let expected = [
        (
            json!({"kind": "RAGEngine", "plural": "ragengines", "singular": "ragengine", "shortNames": ["rag"],
                   "categories": ["ragengine"]}),
            [engine.clone(), engine],
            [true, false],
            status.clone(),
        ),
        (
            json!({"kind": "Workspace", "plural": "workspaces", "singular": "workspace", "shortNames": ["wk", "wks"],
                   "categories": ["workspace"]}),
            [Value::from(workspace), Value::from(stored)],
            [false, false],
            status,
        ),
        (
            json!({"kind": "InferenceSet", "plural": "inferencesets", "singular": "inferenceset",
                   "shortNames": ["is", "isets"], "categories": ["inferenceset"]}),
            [set.clone(), set],
            [false, false],
            scaled,
        ),
    ];
    for (kind, (names, columns, deprecated, subresources)) in KINDS.into_iter().zip(expected) {
        let definition = serde_json::to_value(definition(kind)).unwrap();
        let spec = &definition["spec"];
        assert_eq!(
            definition["metadata"]["name"],
            format!("{}.kaito.sh", names["plural"].as_str().unwrap())
        );
        assert_eq!(
            (&spec["group"], &spec["scope"], &spec["names"]),
            (&json!("kaito.sh"), &json!("Namespaced"), &names)
        );
        for (index, name) in ["v1alpha1", "v1beta1"].into_iter().enumerate() {
            let version = &spec["versions"][index];
            assert_eq!(version["name"], name);
            assert_eq!(version["served"], true);
            assert_eq!(version["storage"], name == "v1beta1");
            assert_eq!(version["subresources"], subresources);
            assert_eq!(version["additionalPrinterColumns"], columns[index]);
            assert_eq!(version["deprecated"] == true, deprecated[index]);
        }
    }
}

#[test]
fn the_deprecation_warning_is_that_of_kaito() {
    let definition = definition("RAGEngine");
    assert_eq!(
        definition.spec.versions[0].deprecation_warning.as_deref(),
        Some("kaito.sh/v1alpha1 RAGEngine is deprecated; use kaito.sh/v1beta1 RAGEngine")
    );
}

#[test]
fn schemas_are_structural_and_documented() {
    for kind in KINDS {
        for version in ["v1alpha1", "v1beta1"] {
            let mut faults = Vec::new();
            inspect(&schema(kind, version), "", &mut faults);
            assert!(faults.is_empty(), "{kind} {version}: {}", faults.join("\n"));
        }
    }
}

fn inspect(schema: &Value, path: &str, faults: &mut Vec<String>) {
    let mut fault = |what: &str| faults.push(format!("{path}: {what}"));
    for forbidden in [
        "$ref",
        "nullable",
        "anyOf",
        "oneOf",
        "allOf",
        "not",
        "title",
        "definitions",
        "uniqueItems",
    ] {
        if !schema[forbidden].is_null() {
            fault(forbidden);
        }
    }
    if schema["type"].is_null() == (schema["x-kubernetes-int-or-string"] != true) {
        fault("has no type");
    }
    if schema["format"]
        .as_str()
        .is_some_and(|format| !["int32", "int64", "date-time"].contains(&format))
    {
        fault("has a format that the API server does not know");
    }
    let named = path.rsplit('.').next().is_some_and(|name| !name.ends_with(['*', ']']));
    if named && schema["description"].is_null() && path != ".metadata" {
        fault("is not documented");
    }
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        if rule["message"].as_str().is_none_or(|message| message.contains('\n')) {
            fault("has a rule without a message of one line");
        }
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        inspect(inner, &format!("{path}.{name}"), faults);
    }
    if schema["items"].is_object() {
        inspect(&schema["items"], &format!("{path}[]"), faults);
    }
    if schema["additionalProperties"].is_object() {
        inspect(&schema["additionalProperties"], &format!("{path}.*"), faults);
    }
}

#[test]
fn optional_fields_keep_their_own_documentation() {
    let schema = schema("RAGEngine", "v1beta1");
    let spec = &schema["properties"]["spec"]["properties"];
    let documented = |field: &Value, start: &str| field["description"].as_str().unwrap().starts_with(start);
    assert!(documented(&spec["serviceType"], "How the engine is reached"));
    assert!(documented(
        &spec["retrieval"]["properties"]["fusion"],
        "How the hits of vector search"
    ));
    assert!(documented(&spec["compute"], "Machines with GPUs"));
}
