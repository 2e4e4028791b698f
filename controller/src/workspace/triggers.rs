//! Which Workspaces are concerned by a change.

use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, Secret};
use k8s_openapi::api::storage::v1::StorageClass;
use kaito_api::names::labels;
use kaito_api::v1beta1::Workspace;
use kube::ResourceExt;
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::runtime::reflector::ObjectRef;

use super::caches::{Caches, Guarded};
use super::learn;
use super::references::named;
use crate::scheduling::node_labels;

type Concerned = crate::work::Concerned<Guarded>;

pub(super) fn pod(pod: &Pod, _: &Caches) -> Concerned {
    let namespace = pod.namespace().unwrap_or_default();
    let workspace = pod.labels().get(labels::WORKSPACE);
    workspace
        .map(|name| ObjectRef::new(name).within(&namespace))
        .into_iter()
        .collect()
}

/// Machines carry the labels of the one that they were made for.
pub(super) fn machine(machine: &DynamicObject, _: &Caches) -> Concerned {
    let label = |key: &str| machine.labels().get(key);
    let pair = |name: &str, namespace: &str| label(name).zip(label(namespace));
    pair(labels::WORKSPACE, labels::WORKSPACE_NAMESPACE)
        .or_else(|| pair(labels::KARPENTER_WORKSPACE, labels::KARPENTER_WORKSPACE_NAMESPACE))
        .map(|(name, namespace)| ObjectRef::new(name).within(namespace))
        .into_iter()
        .collect()
}

pub(super) fn node_claim(claim: &DynamicObject, caches: &Caches) -> Concerned {
    machine(claim, caches)
}

/// A node that somebody has concerns him; any other one those who ask for its labels.
pub(super) fn node(node: &Node, caches: &Caches) -> Concerned {
    let label = |key: &str| node.labels().get(key);
    let owned = [
        (labels::WORKSPACE, labels::WORKSPACE_NAMESPACE),
        (labels::KARPENTER_WORKSPACE, labels::KARPENTER_WORKSPACE_NAMESPACE),
    ];
    let owner = owned
        .into_iter()
        .find_map(|(name, namespace)| label(name).zip(label(namespace)));
    all(caches, |workspace| match owner {
        Some((name, namespace)) => {
            *name == workspace.name_any() && Some(namespace) == workspace.metadata.namespace.as_ref()
        }
        None => workspace.spec.resource.as_ref().is_some_and(|resource| {
            node_labels(resource)
                .iter()
                .all(|(key, value)| label(key) == Some(value))
        }),
    })
}

pub(super) fn node_class(_: &DynamicObject, caches: &Caches) -> Concerned {
    all(caches, |_| true)
}

pub(super) fn storage_class(_: &StorageClass, caches: &Caches) -> Concerned {
    all(caches, |workspace| workspace.spec.inference.is_some())
}

pub(super) fn secret(secret: &PartialObjectMeta<Secret>, caches: &Caches) -> Concerned {
    let (name, namespace) = (secret.name_any(), secret.namespace());
    all(caches, |workspace| {
        workspace.namespace() == namespace && named::token_secret(workspace) == Some(name.as_str())
    })
}

pub(super) fn config_map(config_map: &PartialObjectMeta<ConfigMap>, caches: &Caches) -> Concerned {
    let (name, namespace) = (config_map.name_any(), config_map.namespace());
    all(caches, |workspace| {
        workspace.namespace() == namespace
            && (named::config(workspace) == Some(name.as_str())
                || named::model_facts(workspace) == Some(name.as_str())
                || learn::name(&workspace.name_any()) == name)
    })
}

/// The default trainings concern who tunes without a ConfigMap.
pub(super) fn template(_: &PartialObjectMeta<ConfigMap>, caches: &Caches) -> Concerned {
    all(caches, |workspace| {
        workspace.spec.tuning.is_some() && named::config(workspace).is_none()
    })
}

fn all(caches: &Caches, concerned: impl Fn(&Workspace) -> bool) -> Concerned {
    let workspaces = caches.workspaces.state();
    let decoded = workspaces.iter().filter_map(|workspace| workspace.0.as_ref().ok());
    decoded
        .filter(|workspace| concerned(workspace))
        .map(|workspace| ObjectRef::new(&workspace.name_any()).within(&workspace.namespace().unwrap_or_default()))
        .collect()
}
