//! `RAGEngine`: `v1alpha1` has flat storage fields and a language model with a URL and a window; `v1beta1` has all
//! else.

use serde_json::{Map, Value};

use super::{omit_no_instance_type, remove_members, say_no_instance_type};

/// Members of `spec` that only `v1beta1` has.
const SPEC: [&str; 9] = [
    "guardrails",
    "replicas",
    "image",
    "resources",
    "serviceType",
    "podTemplate",
    "auth",
    "networkPolicy",
    "retrieval",
];
/// Members of `status` that only `v1beta1` has.
const STATUS: [&str; 4] = ["observedGeneration", "url", "indexes", "inference"];

/// Members of `spec.inferenceService` that only `v1beta1` has.
const WORKSPACES: [&str; 2] = ["workspaceRef", "workspaceTemplate"];

/// Members of `spec` that only `v1alpha1` has.
const SERVICE_NAMES: [&str; 2] = ["queryServiceName", "indexServiceName"];

const CLAIM: &str = "persistentVolumeClaim";
const MOUNT_PATH: &str = "mountPath";

/// What `v1beta1` can say of a `v1alpha1` engine.
pub(super) fn to_v1beta1(object: &mut Value) {
    remove_new(object);
    omit_no_instance_type(object, "/spec/compute");
    remove_members(object, "/spec", &SERVICE_NAMES);
    if let Some(storage) = object.pointer_mut("/spec/storage").and_then(Value::as_object_mut) {
        nest_volume(storage);
    }
    if let Some(service) = object
        .pointer_mut("/spec/inferenceService")
        .and_then(Value::as_object_mut)
        && service.get("url").is_some_and(is_empty)
    {
        service.remove("url");
    }
}

/// What `v1alpha1` can say of a `v1beta1` engine.
pub(super) fn to_v1alpha1(object: &mut Value) {
    remove_members(object, "/spec", &SERVICE_NAMES);
    remove_members(object, "/spec/storage", &[CLAIM, MOUNT_PATH]);
    say_no_instance_type(object, "/spec/compute");
    if let Some(storage) = object.pointer_mut("/spec/storage").and_then(Value::as_object_mut) {
        flatten_volume(storage);
    }
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        // A model without a window of its own cannot be said. With half of it, what a user of v1alpha1 adds could
        // contradict the other half.
        let sayable = |service: &Map<String, Value>| {
            service.contains_key("contextWindowSize") && WORKSPACES.iter().all(|name| !service.contains_key(*name))
        };
        match spec.get_mut("inferenceService") {
            Some(Value::Object(service)) if sayable(service) => {
                service.entry("url").or_insert_with(|| Value::from(""));
            }
            Some(Value::Object(_)) => {
                spec.remove("inferenceService");
            }
            _ => {}
        }
    }
    remove_new(object);
}

/// Removes what only `v1beta1` has. In a `v1alpha1` object it means nothing.
fn remove_new(object: &mut Value) {
    remove_members(object, "/spec", &SPEC);
    remove_members(object, "/spec/compute", &["partition"]);
    remove_members(object, "/spec/storage", &["persistentVolume", "vectorDB"]);
    remove_members(object, "/spec/inferenceService", &WORKSPACES);
    remove_members(object, "/status", &STATUS);
}

/// `{claim, mountPath}` becomes `{persistentVolume: {claim, mountPath}}` if one of them says something.
fn nest_volume(storage: &mut Map<String, Value>) {
    let claim = storage.remove(CLAIM).filter(|claim| !is_empty(claim));
    let mount_path = storage.remove(MOUNT_PATH).filter(|path| !is_empty(path));
    if claim.is_none() && mount_path.is_none() {
        return;
    }
    let mut volume = Map::new();
    volume.insert(CLAIM.to_owned(), claim.unwrap_or_else(|| Value::from("")));
    if let Some(path) = mount_path {
        volume.insert(MOUNT_PATH.to_owned(), path);
    }
    storage.insert("persistentVolume".to_owned(), Value::Object(volume));
}

/// The other way around.
fn flatten_volume(storage: &mut Map<String, Value>) {
    let Some(Value::Object(mut volume)) = storage.remove("persistentVolume") else {
        return;
    };
    for name in [CLAIM, MOUNT_PATH] {
        if let Some(value) = volume.remove(name).filter(|value| !is_empty(value)) {
            storage.insert(name.to_owned(), value);
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_str() == Some("")
}
