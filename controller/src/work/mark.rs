//! The finalizer and the annotations that a controller puts on the objects that it reconciles.

use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::revision::Revision;
use crate::apply::{Applicable, ApplyError};
use crate::names::MARKS_MANAGER;

/// What an object gets.
pub(crate) struct Marks<'a> {
    /// The finalizer, if the object needs one.
    pub(crate) finalizer: Option<&'a str>,
    /// Its revision.
    pub(crate) revision: &'a Revision,
    /// Annotation for the revision's hash.
    pub(crate) hash: &'a str,
    /// Annotation for the revision's number.
    pub(crate) number: &'a str,
}

/// Puts marks on an object, if it has them not already.
///
/// # Errors
///
/// The API server refuses.
pub(crate) async fn mark<K: Applicable>(client: &Client, object: &K, marks: &Marks<'_>) -> Result<(), ApplyError> {
    let number = marks.revision.number.to_string();
    let annotated = |key: &str, value: &str| object.annotations().get(key).is_some_and(|found| found == value);
    let has = |finalizer: &str| object.finalizers().iter().any(|found| found == finalizer);
    if marks.finalizer.is_none_or(has)
        && annotated(marks.hash, &marks.revision.hash)
        && annotated(marks.number, &number)
    {
        return Ok(());
    }
    let name = object.name_any();
    let api: Api<K> = Api::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let marked = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {
            // An object that was deleted in the meantime is not made again.
            "uid": object.uid(),
            "finalizers": marks.finalizer.into_iter().collect::<Vec<_>>(),
            "annotations": {marks.hash: marks.revision.hash, marks.number: number},
        },
    });
    let parameters = PatchParams::apply(MARKS_MANAGER).force();
    match api.patch(&name, &parameters, &Patch::Apply(&marked)).await {
        Ok(_) => Ok(()),
        Err(source) => Err(ApplyError::refuse::<K>(&name, source)),
    }
}
