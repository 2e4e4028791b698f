//! `Workspace`: `v1beta1` is `v1alpha1` and a few members more.

use serde_json::Value;

use super::{omit_no_instance_type, remove_members, say_no_instance_type};

/// What `v1beta1` can say of a `v1alpha1` Workspace: everything.
pub(super) fn to_v1beta1(object: &mut Value) {
    remove_new(object);
    omit_no_instance_type(object, "/resource");
}

/// What `v1alpha1` can say of a `v1beta1` Workspace.
pub(super) fn to_v1alpha1(object: &mut Value) {
    say_no_instance_type(object, "/resource");
    remove_new(object);
}

/// Removes what only `v1beta1` has. In a `v1alpha1` object it means nothing.
fn remove_new(object: &mut Value) {
    remove_members(object, "/resource", &["partition"]);
    remove_members(object, "/inference/preset/presetOptions", &["modelAccessSecret"]);
    remove_members(object, "/tuning/preset/presetOptions", &["modelAccessSecret"]);
    remove_members(object, "/status", &["state", "targetNodeCount", "performance"]);
}
