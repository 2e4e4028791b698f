//! Machine types.

use super::{Environment, FieldError};
use crate::v1beta1::ResourceSpec;

/// Checks the machine type of an object that is made (`old` is `None`) or changed. An unchanged type is not looked up
/// again: catalogues change, and an old object must stay changeable.
pub(super) fn check(
    field: &str,
    new: &ResourceSpec,
    old: Option<&ResourceSpec>,
    environment: &Environment,
) -> Option<FieldError> {
    let field = format!("{field}.instanceType");
    let name = new.instance_type().unwrap_or_default();
    let old_name = old.map(|resource| resource.instance_type().unwrap_or_default());
    if old_name == Some(name) {
        return None;
    }
    if environment.node_auto_provisioning {
        return automatic(field, name, old_name, environment);
    }
    (!name.is_empty()).then(|| {
        FieldError::new(
            field,
            "instanceType must be empty when node auto-provisioning is disabled (BYO scenario); choose nodes with \
             labelSelector",
        )
    })
}

fn automatic(field: String, name: &str, old_name: Option<&str>, environment: &Environment) -> Option<FieldError> {
    if old_name.is_some_and(|old_name| !old_name.is_empty()) {
        return Some(FieldError::new(
            field,
            "instanceType cannot be changed once set when node auto-provisioning is enabled; delete the object and make \
             a new one to use other machines",
        ));
    }
    let types = &environment.instance_types;
    (!types.allow(name)).then(|| {
        FieldError::new(
            field,
            format!("Unsupported instance type {name}. Supported SKUs: {}", types.list()),
        )
    })
}
