//! Which engines are concerned by a change.

use k8s_openapi::api::core::v1::{ConfigMap, Node, PersistentVolumeClaim, Pod, Secret};
use kaito_api::names::{DEFAULT_GUARDRAILS_CONFIG_MAP, labels};
use kaito_api::v1beta1::{InferenceSet, RAGEngine, ResourceSpec, Workspace, WorkspaceKind};
use kube::ResourceExt;
use kube::core::{DeserializeGuard, DynamicObject, PartialObjectMeta};
use kube::runtime::reflector::ObjectRef;

use super::caches::{Caches, Guarded};
use super::dereference::{copy_name, secrets, server};

type Concerned = crate::work::Concerned<Guarded>;

pub(super) fn pod(pod: &Pod, _: &Caches) -> Concerned {
    let namespace = pod.namespace().unwrap_or_default();
    let engine = pod.labels().get(labels::RAGENGINE);
    engine
        .map(|name| ObjectRef::new(name).within(&namespace))
        .into_iter()
        .collect()
}

pub(super) fn node_claim(claim: &DynamicObject, _: &Caches) -> Concerned {
    let label = |key: &str| claim.labels().get(key);
    let names = label(labels::RAGENGINE).zip(label(labels::RAGENGINE_NAMESPACE));
    names
        .map(|(name, namespace)| ObjectRef::new(name).within(namespace))
        .into_iter()
        .collect()
}

pub(super) fn secret(secret: &PartialObjectMeta<Secret>, caches: &Caches) -> Concerned {
    let (name, namespace) = (secret.name_any(), secret.namespace());
    engines(caches, |engine| {
        engine.namespace() == namespace && secrets(engine).iter().any(|(_, used, _)| *used == name)
    })
}

pub(super) fn config_map(config_map: &PartialObjectMeta<ConfigMap>, caches: &Caches) -> Concerned {
    let (name, namespace) = (config_map.name_any(), config_map.namespace());
    engines(caches, |engine| {
        engine.namespace() == namespace && policy_is_in(engine, &name)
    })
}

pub(super) fn default_policy(_: &PartialObjectMeta<ConfigMap>, caches: &Caches) -> Concerned {
    engines(caches, |engine| policy_is_in(engine, DEFAULT_GUARDRAILS_CONFIG_MAP))
}

/// Whether an engine's guardrails policy is, or may be, in a ConfigMap of this name.
fn policy_is_in(engine: &RAGEngine, name: &str) -> bool {
    let Some(guardrails) = engine.spec.guardrails.as_ref().filter(|guardrails| guardrails.enabled) else {
        // Its copy is deleted when guardrails are switched off.
        return name == copy_name(&engine.name_any());
    };
    let reference = guardrails
        .config_map_ref
        .as_ref()
        .map(|reference| reference.name.as_str());
    match reference.filter(|name| !name.is_empty()) {
        Some(reference) => reference == name,
        None => name == DEFAULT_GUARDRAILS_CONFIG_MAP || name == copy_name(&engine.name_any()),
    }
}

pub(super) fn volume_claim(claim: &PersistentVolumeClaim, caches: &Caches) -> Concerned {
    let (name, namespace) = (claim.name_any(), claim.namespace());
    engines(caches, |engine| {
        let volume = engine
            .spec
            .storage
            .as_ref()
            .and_then(|storage| storage.persistent_volume.as_ref());
        engine.namespace() == namespace && volume.is_some_and(|volume| volume.persistent_volume_claim == name)
    })
}

pub(super) fn node(_: &Node, caches: &Caches) -> Concerned {
    engines(caches, |engine| {
        engine
            .spec
            .compute
            .as_ref()
            .and_then(ResourceSpec::instance_type)
            .is_some()
    })
}

pub(super) fn workspace(workspace: &DeserializeGuard<Workspace>, caches: &Caches) -> Concerned {
    served_by(
        WorkspaceKind::Workspace,
        &workspace.name_any(),
        workspace.namespace(),
        caches,
    )
}

pub(super) fn inference_set(set: &DeserializeGuard<InferenceSet>, caches: &Caches) -> Concerned {
    served_by(WorkspaceKind::InferenceSet, &set.name_any(), set.namespace(), caches)
}

fn served_by(kind: WorkspaceKind, name: &str, namespace: Option<String>, caches: &Caches) -> Concerned {
    let namespace = namespace.unwrap_or_default();
    engines(caches, |engine| {
        server(engine).is_some_and(|server| server.kind == kind && server.name == name && server.namespace == namespace)
    })
}

fn engines(caches: &Caches, concerned: impl Fn(&RAGEngine) -> bool) -> Concerned {
    let engines = caches.engines.state();
    let decoded = engines.iter().filter_map(|engine| engine.0.as_ref().ok());
    decoded
        .filter(|engine| concerned(engine))
        .map(|engine| ObjectRef::new(&engine.name_any()).within(&engine.namespace().unwrap_or_default()))
        .collect()
}
