//! Writing a status, once and only when it says something new, and an event for each transition.

use std::collections::HashMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use kube::core::ObjectMeta;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, Resource};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};

use crate::apply::Applicable;
use crate::conditions::Transition;
use crate::names::FIELD_MANAGER;

/// Longest text of an event, in characters; the API server takes 1024 bytes.
const LONGEST_NOTE: usize = 250;

/// What there is to say of an object.
pub(crate) trait Reported: Sync {
    /// The kind of object.
    type Kind: Applicable;
    /// Its status.
    type Status: Clone + Default + PartialEq + Serialize + Send;
    /// Fields that a status may lack; they are then removed.
    const OPTIONAL: &'static [&'static str];

    /// The conditions of a status.
    fn conditions(status: &Self::Status) -> &[Condition];

    /// The status after `previous`, and the conditions that changed.
    fn status(
        &self,
        previous: &Self::Status,
        generation: Option<i64>,
        now: Timestamp,
    ) -> (Self::Status, Vec<Transition>);

    /// Whether a transition is worth an event, and of which type. `first` says that there was no status before.
    fn event(transition: &Transition, first: bool) -> Option<EventType>;
}

struct Written<S> {
    uid: Option<String>,
    version: u64,
    status: S,
}

/// Writes statuses and events.
pub(crate) struct Publisher<R: Reported> {
    client: Client,
    recorder: Recorder,
    /// The last status that was written of each object, and the version of the object that it made. The cache may be
    /// behind it, and would have it written again.
    written: Mutex<HashMap<String, Written<R::Status>>>,
}

impl<R: Reported> Publisher<R> {
    /// A publisher under the controller's name.
    pub(crate) fn new(client: Client) -> Self {
        let reporter = Reporter {
            controller: FIELD_MANAGER.to_owned(),
            instance: std::env::var("HOSTNAME").ok(),
        };
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            written: Mutex::default(),
        }
    }

    /// The status of an object as it is, whether or not the cache knows it yet.
    pub(crate) fn current(&self, metadata: &ObjectMeta, cached: Option<&R::Status>) -> R::Status {
        let written = self.written.lock();
        match written.get(&key(metadata)) {
            Some(last) if last.uid == metadata.uid && version(metadata) < last.version => last.status.clone(),
            _ => cached.cloned().unwrap_or_default(),
        }
    }

    /// Writes what `report` says, if that is not what the status says, and an event for each transition.
    ///
    /// # Errors
    ///
    /// The API server refuses the status. That the object is gone is no error, and neither is a lost event.
    pub(crate) async fn publish(
        &self,
        metadata: &ObjectMeta,
        cached: Option<&R::Status>,
        report: &R,
    ) -> Result<(), kube::Error> {
        let previous = self.current(metadata, cached);
        let first = R::conditions(&previous).is_empty();
        let (status, transitions) = report.status(&previous, metadata.generation, Timestamp::now());
        if status == previous {
            return Ok(());
        }
        let name = metadata.name.clone().unwrap_or_default();
        let api: Api<R::Kind> = Api::namespaced(self.client.clone(), metadata.namespace.as_deref().unwrap_or_default());
        let parameters = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = json!({"metadata": {"uid": metadata.uid}, "status": complete(&status, R::OPTIONAL)});
        match api.patch_status(&name, &parameters, &Patch::Merge(&patch)).await {
            Ok(object) => {
                let written = Written {
                    uid: metadata.uid.clone(),
                    version: version(object.meta()),
                    status,
                };
                self.written.lock().insert(key(metadata), written);
            }
            Err(kube::Error::Api(answer)) if answer.code == 404 => return Ok(()),
            Err(error) => return Err(error),
        }
        for transition in &transitions {
            if let Some(kind) = R::event(transition, first) {
                let Transition { type_, finding } = transition;
                let message = format!("{type_} is {}: {}", finding.truth.as_str(), finding.message);
                self.tell(metadata, kind, &finding.reason, message).await;
            }
        }
        Ok(())
    }

    /// Forgets an object that is gone.
    pub(crate) fn forget(&self, namespace: &str, name: &str) {
        self.written.lock().remove(&format!("{namespace}/{name}"));
    }

    /// Publishes one event. That it is lost is no error.
    pub(crate) async fn tell(&self, metadata: &ObjectMeta, type_: EventType, reason: &str, message: String) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(message.chars().take(LONGEST_NOTE).collect()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        let reference = ObjectRef::<R::Kind>::new(metadata.name.as_deref().unwrap_or_default())
            .within(metadata.namespace.as_deref().unwrap_or_default());
        let mut reference: k8s_openapi::api::core::v1::ObjectReference = reference.into();
        reference.uid.clone_from(&metadata.uid);
        if let Err(error) = self.recorder.publish(&event, &reference).await {
            tracing::warn!(%error, event.reason = reason, "an event was lost");
        }
    }
}

fn key(metadata: &ObjectMeta) -> String {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    format!("{}/{}", text(&metadata.namespace), text(&metadata.name))
}

/// A status with `null` for what it does not say, so that a merge patch removes it.
fn complete(status: &impl Serialize, optional: &[&str]) -> Value {
    let mut value = serde_json::to_value(status).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        for name in optional {
            members.entry(*name).or_insert(Value::Null);
        }
    }
    value
}

/// The version of an object; they grow.
fn version(metadata: &ObjectMeta) -> u64 {
    metadata
        .resource_version
        .as_ref()
        .and_then(|version| version.parse().ok())
        .unwrap_or_default()
}
