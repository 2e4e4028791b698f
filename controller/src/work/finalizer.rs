//! Letting go of an object that is being deleted.

use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use crate::apply::{Applicable, ApplyError};

/// Takes our finalizer off an object.
///
/// # Errors
///
/// The API server refuses, also because the object has changed since. That it is gone is no error.
pub(crate) async fn let_go<K: Applicable>(client: &Client, object: &K, finalizer: &str) -> Result<(), ApplyError> {
    let name = object.name_any();
    let api: Api<K> = Api::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let others: Vec<_> = object.finalizers().iter().filter(|other| *other != finalizer).collect();
    // With the version that was seen, so that nobody else's finalizer is lost.
    let patch = json!({"metadata": {"resourceVersion": object.resource_version(), "finalizers": others}});
    match api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(source) => Err(ApplyError::refuse::<K>(&name, source)),
    }
}
