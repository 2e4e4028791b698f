//! The objects that an engine consists of. Pure, and infallible: what is built was checked before.

mod deployment;
pub(crate) mod environment;
mod service;
mod volumes;

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kaito_api::names::{keys, labels};
use kaito_api::v1beta1::{Workspace, WorkspaceFields, WorkspaceTemplate};

use super::dereference::{copy_name, own_workspace_name};
use super::engine::{Engine, Guardrails};
use crate::names::{FIELD_MANAGER, MANAGED_BY};
use crate::settings::Settings;

/// Port that the service listens on, in the pod.
pub(crate) const PORT: i32 = 5000;
/// Name of that port.
const PORT_NAME: &str = "http";

/// The objects of an engine, as they should be. `None` means that there should be none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resources {
    /// The pods.
    pub deployment: Deployment,
    /// How they are reached.
    pub service: Service,
    /// The engine's copy of the default guardrails policy.
    pub policy: Policy,
    /// Who may connect to the pods.
    pub network_policy: Option<NetworkPolicy>,
    /// How many pods may be away at a time.
    pub budget: Option<PodDisruptionBudget>,
    /// Who serves the language model, when that is the engine's own.
    pub workspace: Option<Workspace>,
}

/// An engine's copy of the default guardrails policy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Policy {
    /// As it should be.
    Copy(Box<ConfigMap>),
    /// The default cannot be read now; a copy of it that is there stays, since pods use it.
    AsItIs,
    /// The engine uses none.
    None,
}

/// Builds them.
pub(crate) fn build(engine: &Engine, settings: &Settings) -> Resources {
    Resources {
        deployment: deployment::deployment(engine),
        service: service::service(engine),
        policy: policy(engine),
        network_policy: service::network_policy(engine, settings),
        budget: service::budget(engine),
        workspace: workspace(engine),
    }
}

/// Labels by which an engine's pods are found. KAITO's, and a Deployment's selector cannot be changed.
fn selector(engine: &Engine) -> BTreeMap<String, String> {
    BTreeMap::from([(labels::RAGENGINE.to_owned(), engine.name.clone())])
}

fn label_selector(engine: &Engine) -> LabelSelector {
    LabelSelector {
        match_labels: Some(selector(engine)),
        match_expressions: None,
    }
}

/// Labels of everything that is made for an engine.
fn own_labels(engine: &Engine) -> BTreeMap<String, String> {
    let mut all = selector(engine);
    all.insert(MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned());
    all.insert("app.kubernetes.io/name".to_owned(), "rag-service".to_owned());
    all.insert("app.kubernetes.io/instance".to_owned(), engine.name.clone());
    all
}

/// Name, labels and owner of an object that is made for an engine.
fn metadata(engine: &Engine, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(engine.namespace.clone()),
        labels: Some(own_labels(engine)),
        owner_references: Some(vec![engine.owner.clone()]),
        ..ObjectMeta::default()
    }
}

/// Labels and annotations are the user's, beside those by which it is known as ours.
fn workspace(engine: &Engine) -> Option<Workspace> {
    let WorkspaceTemplate {
        metadata: wanted,
        resource,
        inference,
    } = engine.workspace.clone()?;
    let wanted = wanted.unwrap_or_default();
    let mut metadata = metadata(engine, own_workspace_name(&engine.name));
    let mut labels = wanted.labels.unwrap_or_default();
    labels.extend([(MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned())]);
    metadata.labels = Some(labels);
    metadata.annotations = wanted.annotations;
    Some(Workspace {
        metadata,
        spec: WorkspaceFields {
            resource: Some(resource),
            inference: Some(inference),
            tuning: None,
        },
        status: None,
    })
}

fn policy(engine: &Engine) -> Policy {
    let Guardrails::By { config_map, copy } = &engine.guardrails else {
        return Policy::None;
    };
    match copy {
        Some(policy) => Policy::Copy(Box::new(ConfigMap {
            metadata: metadata(engine, config_map.clone()),
            data: Some(BTreeMap::from([(keys::GUARDRAILS_POLICY.to_owned(), policy.clone())])),
            ..ConfigMap::default()
        })),
        None if *config_map == copy_name(&engine.name) => Policy::AsItIs,
        None => Policy::None,
    }
}

#[cfg(test)]
mod tests;
