//! Taking over what KAITO's own operator has left.
//!
//! Server-side apply removes a field only when the same manager applied it before. KAITO's operator made its objects by
//! plain writes under its own name, so its fields (the Python lifecycle hooks, the command) would stay for ever. They
//! are therefore made ours first: its entry in `managedFields` becomes one of ours, and the next apply removes what it
//! does not say.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::{Applicable, ApplyError};
use crate::names::{FIELD_MANAGER, MANAGED_BY};

/// Managers that KAITO's operator calls itself by: its user agent, and its program's name in older versions.
const KAITO_MANAGERS: [&str; 4] = ["kaito-ragengine", "kaito-workspace", "ragengine", "manager"];

/// What was there before the first apply.
#[derive(Debug)]
pub enum Adoption<K> {
    /// Nothing, or what we made.
    NotNeeded,
    /// An object of KAITO's operator, now ours.
    Adopted(Box<K>),
}

/// Looks whether there is an object of this name that we have not made, which the cache of our own objects does not
/// have. One that belongs to `owner` (a uid) is made ours.
///
/// # Errors
///
/// The object belongs to somebody else, or the API server refuses.
pub async fn take_over<K: Applicable>(
    client: &Client,
    namespace: &str,
    name: &str,
    owner: &str,
) -> Result<Adoption<K>, ApplyError> {
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let refuse = |source| ApplyError::refuse::<K>(name, source);
    let Some(object) = api.get_opt(name).await.map_err(refuse)? else {
        return Ok(Adoption::NotNeeded);
    };
    let controller = object
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true));
    if controller.is_none_or(|reference| reference.uid != owner) {
        return Err(ApplyError::Foreign {
            kind: K::kind(&()).into_owned(),
            name: name.to_owned(),
        });
    }
    if object
        .labels()
        .get(MANAGED_BY)
        .is_some_and(|value| value == FIELD_MANAGER)
    {
        return Ok(Adoption::NotNeeded);
    }
    let Some(fields) = rewritten(object.managed_fields()) else {
        return Ok(Adoption::NotNeeded);
    };
    let patch = json!({"metadata": {"resourceVersion": object.resource_version(), "managedFields": fields}});
    let parameters = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let adopted = api
        .patch(name, &parameters, &Patch::Merge(&patch))
        .await
        .map_err(refuse)?;
    Ok(Adoption::Adopted(Box::new(adopted)))
}

/// `managedFields` in which everything of KAITO's operator, except what it wrote to the status, is one entry of ours;
/// `None` when it has nothing.
fn rewritten(entries: &[ManagedFieldsEntry]) -> Option<Vec<ManagedFieldsEntry>> {
    let is_kaitos = |entry: &ManagedFieldsEntry| {
        let manager = entry.manager.as_deref().unwrap_or_default();
        entry.subresource.as_deref().unwrap_or_default().is_empty() && KAITO_MANAGERS.contains(&manager)
    };
    let ours = |entry: &ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    };
    let mut taken = entries.iter().filter(|entry| is_kaitos(entry)).peekable();
    let mut entry = (*taken.peek()?).clone();
    let mut fields = json!({});
    for taken in taken.chain(entries.iter().filter(|entry| ours(entry))) {
        if let Some(more) = &taken.fields_v1 {
            unite(&mut fields, &more.0);
        }
    }
    entry.manager = Some(FIELD_MANAGER.to_owned());
    entry.operation = Some("Apply".to_owned());
    entry.fields_v1 = serde_json::from_value(fields).ok();
    let others = entries
        .iter()
        .filter(|entry| !is_kaitos(entry) && !ours(entry))
        .cloned();
    Some(others.chain([entry]).collect())
}

/// The union of two sets of fields, which are trees of objects.
fn unite(target: &mut Value, more: &Value) {
    if let (Some(target), Some(more)) = (target.as_object_mut(), more.as_object()) {
        for (name, value) in more {
            unite(target.entry(name.clone()).or_insert_with(|| json!({})), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, subresource: &str, fields: &Value) -> ManagedFieldsEntry {
        serde_json::from_value(json!({
            "manager": manager, "operation": operation, "subresource": subresource, "fieldsV1": fields,
            "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
        }))
        .unwrap()
    }

    #[test]
    fn kaitos_fields_become_ours_and_all_others_stay() {
        let entries = [
            entry("kaito-ragengine", "Update", "", &json!({"f:spec": {"f:replicas": {}}})),
            entry("manager", "Update", "", &json!({"f:spec": {"f:strategy": {}}})),
            entry("kube-controller-manager", "Update", "status", &json!({"f:status": {}})),
            entry("kubectl-edit", "Update", "", &json!({"f:metadata": {}})),
        ];
        let rewritten = rewritten(&entries).unwrap();
        assert_eq!(rewritten.len(), 3);
        assert_eq!(rewritten[..2], entries[2..]);
        assert_eq!(rewritten[2].manager.as_deref(), Some(FIELD_MANAGER));
        assert_eq!(rewritten[2].operation.as_deref(), Some("Apply"));
        assert_eq!(
            rewritten[2].fields_v1.as_ref().unwrap().0,
            json!({"f:spec": {"f:replicas": {}, "f:strategy": {}}})
        );
    }

    #[test]
    fn an_object_without_fields_of_kaitos_is_left_alone() {
        assert!(rewritten(&[entry("kubectl", "Update", "", &json!({}))]).is_none());
    }
}
