//! Which engines are concerned by a change, and telling the controller.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::Stream;
use k8s_openapi::api::core::v1::{ConfigMap, Node, PersistentVolumeClaim, Pod, Secret};
use kaito_api::names::{DEFAULT_GUARDRAILS_CONFIG_MAP, labels};
use kaito_api::v1beta1::{RAGEngine, ResourceSpec, Workspace};
use kube::core::{DeserializeGuard, DynamicObject, PartialObjectMeta};
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use tokio::sync::mpsc;

use super::caches::{Caches, Guarded};
use super::dereference::{copy_name, secrets};
use crate::metrics::Workqueue;

/// Changes that may wait until the controller takes them. When there are more, watches wait.
const WAITING: usize = 1024;

type Concerned = Vec<ObjectRef<Guarded>>;

/// Tells the controller which engines to look at.
#[derive(Clone)]
pub(super) struct Trigger {
    open: Arc<AtomicBool>,
    queue: mpsc::Sender<ObjectRef<Guarded>>,
    waiting: Workqueue,
}

/// A trigger, closed at first, and what comes out of it.
pub(super) fn trigger(waiting: Workqueue) -> (Trigger, impl Stream<Item = ObjectRef<Guarded>> + Send) {
    let (queue, receiver) = mpsc::channel(WAITING);
    let trigger = Trigger {
        open: Arc::default(),
        queue,
        waiting,
    };
    let stream = futures::stream::unfold(receiver, async |mut receiver| {
        let next = receiver.recv().await?;
        Some((next, receiver))
    });
    (trigger, stream)
}

impl Trigger {
    /// From now on changes are passed on. Until then every engine is going to be looked at anyway.
    pub(super) fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    /// Passes on which engines a change concerns.
    pub(super) async fn send(&self, concerned: impl FnOnce() -> Concerned) {
        if !self.open.load(Ordering::Acquire) {
            return;
        }
        for engine in concerned() {
            self.waiting.add(&engine.to_string());
            if self.queue.send(engine).await.is_err() {
                return;
            }
        }
    }
}

pub(super) fn engine(engine: &Guarded, _: &Caches) -> Concerned {
    vec![ObjectRef::from_obj(engine)]
}

/// The engine that an object was made for.
pub(super) fn owner<K: Resource>(object: &K, _: &Caches) -> Concerned {
    let namespace = object.namespace().unwrap_or_default();
    let owners = object.owner_references().iter();
    owners
        .filter(|owner| owner.kind == RAGEngine::kind(&()) && owner.controller == Some(true))
        .map(|owner| ObjectRef::new(&owner.name).within(&namespace))
        .collect()
}

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
    let (name, namespace) = (workspace.name_any(), workspace.namespace());
    engines(caches, |engine| {
        let service = engine.spec.inference_service.as_ref();
        service
            .and_then(|service| service.workspace_ref.as_ref())
            .is_some_and(|reference| {
                let theirs = reference.namespace.clone().or_else(|| engine.namespace());
                reference.name == name && theirs == namespace
            })
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
