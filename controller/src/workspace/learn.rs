//! Keeping what the hub has said of a model, so that it is asked once: what runs does not depend on whether it answers
//! today, and everybody can read, and correct, what a plan is made from.

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kaito_api::v1beta1::Workspace;
use kube::ResourceExt;

use super::validate::owner_reference;
use crate::names::{FIELD_MANAGER, MANAGED_BY};
use crate::presets::Published;

/// Name of the ConfigMap of a Workspace.
pub(super) fn name(workspace: &str) -> String {
    format!("{workspace}-model-facts")
}

/// The ConfigMap, in the form in which users describe a model themselves.
pub(super) fn config_map(workspace: &Workspace, published: &Published) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name(&workspace.name_any())),
            namespace: workspace.namespace(),
            labels: Some([(MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned())].into()),
            owner_references: Some(vec![owner_reference(workspace)]),
            ..ObjectMeta::default()
        },
        data: Some(published.data()),
        ..ConfigMap::default()
    }
}
