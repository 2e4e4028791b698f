//! Writing a status, once and only when it says something new, and an event for each transition.

use std::collections::HashMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kaito_api::v1beta1::{IndexesStatus, InferenceStatus, RAGEngine, RAGEngineStatus};
use kube::api::{Patch, PatchParams};
use kube::core::ObjectMeta;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, Resource};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::conditions::{Finding, Transition, Truth, merge};
use crate::names::FIELD_MANAGER;

use super::types;

/// Conditions whose transitions are worth an event; the others repeat them.
const TOLD: [&str; 4] = [types::RESOURCE, types::SERVICE, types::INFERENCE, types::READY];
/// Reasons that are a step on the way and no trouble.
const ON_THE_WAY: [&str; 4] = ["PodsPending", "NotConfigured", "NodeClaimNotReady", "GpuPluginPending"];

/// Longest text of an event, in characters; the API server takes 1024 bytes.
const LONGEST_NOTE: usize = 250;

/// What there is to say of an engine.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Report {
    /// What holds and what does not, by type.
    pub findings: Vec<(&'static str, Finding)>,
    /// The nodes that it was given.
    pub worker_nodes: Vec<String>,
    /// Where it is reached.
    pub url: Option<String>,
    /// What is indexed.
    pub indexes: Option<IndexesStatus>,
    /// Its language model.
    pub inference: Option<InferenceStatus>,
}

impl Report {
    pub(super) fn of(findings: Vec<(&'static str, Finding)>) -> Self {
        Self {
            findings,
            ..Self::default()
        }
    }

    /// What is found of one type.
    pub(crate) fn finding(&self, type_: &str) -> Option<&Finding> {
        self.findings
            .iter()
            .find(|(found, _)| *found == type_)
            .map(|(_, finding)| finding)
    }

    fn status(
        &self,
        previous: &[Condition],
        generation: Option<i64>,
        now: Timestamp,
    ) -> (RAGEngineStatus, Vec<Transition>) {
        let (conditions, transitions) = merge(previous, &self.findings, generation, now);
        let status = RAGEngineStatus {
            worker_nodes: (!self.worker_nodes.is_empty()).then(|| self.worker_nodes.clone()),
            conditions: Some(conditions),
            observed_generation: generation,
            url: self.url.clone(),
            indexes: self.indexes,
            inference: self.inference.clone(),
        };
        (status, transitions)
    }
}

struct Written {
    uid: Option<String>,
    version: u64,
    status: RAGEngineStatus,
}

/// Writes statuses and events.
pub(crate) struct Publisher {
    client: Client,
    recorder: Recorder,
    /// The last status that was written of each engine, and the version of the object that it made. The cache may be
    /// behind it, and would have it written again.
    written: Mutex<HashMap<String, Written>>,
}

impl Publisher {
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

    /// The status of an engine as it is, whether or not the cache knows it yet.
    pub(crate) fn current(&self, metadata: &ObjectMeta, cached: Option<&RAGEngineStatus>) -> RAGEngineStatus {
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
    /// The API server refuses the status. That the engine is gone is no error, and neither is a lost event.
    pub(crate) async fn publish(
        &self,
        metadata: &ObjectMeta,
        cached: Option<&RAGEngineStatus>,
        report: &Report,
    ) -> Result<(), kube::Error> {
        let previous = self.current(metadata, cached);
        let conditions = previous.conditions.as_deref().unwrap_or_default();
        let (status, transitions) = report.status(conditions, metadata.generation, Timestamp::now());
        if status == previous {
            return Ok(());
        }
        let name = metadata.name.clone().unwrap_or_default();
        let api: Api<RAGEngine> =
            Api::namespaced(self.client.clone(), metadata.namespace.as_deref().unwrap_or_default());
        let parameters = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = json!({"metadata": {"uid": metadata.uid}, "status": complete(&status)});
        match api.patch_status(&name, &parameters, &Patch::Merge(&patch)).await {
            Ok(engine) => {
                let written = Written {
                    uid: metadata.uid.clone(),
                    version: version(engine.meta()),
                    status,
                };
                self.written.lock().insert(key(metadata), written);
            }
            Err(kube::Error::Api(answer)) if answer.code == 404 => return Ok(()),
            Err(error) => return Err(error),
        }
        self.tell(metadata, conditions.is_empty(), &transitions).await;
        Ok(())
    }

    /// Forgets an engine that is gone.
    pub(crate) fn forget(&self, namespace: &str, name: &str) {
        self.written.lock().remove(&format!("{namespace}/{name}"));
    }

    /// Publishes one warning.
    pub(crate) async fn warn(&self, metadata: &ObjectMeta, reason: &str, message: String) {
        self.event(metadata, EventType::Warning, reason, message).await;
    }

    async fn tell(&self, metadata: &ObjectMeta, first: bool, transitions: &[Transition]) {
        for Transition { type_, finding } in transitions.iter().filter(|transition| TOLD.contains(&transition.type_)) {
            let trouble = finding.truth == Truth::False && !ON_THE_WAY.contains(&finding.reason.as_str());
            // A new engine is not ready, which is no news; and Ready repeats what another condition says.
            let repeated = *type_ == types::READY && !finding.is_true();
            if repeated || first && !trouble {
                continue;
            }
            let kind = if trouble { EventType::Warning } else { EventType::Normal };
            let message = format!("{type_} is {}: {}", finding.truth.as_str(), finding.message);
            self.event(metadata, kind, &finding.reason, message).await;
        }
    }

    async fn event(&self, metadata: &ObjectMeta, type_: EventType, reason: &str, message: String) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(message.chars().take(LONGEST_NOTE).collect()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        let reference = ObjectRef::<RAGEngine>::new(metadata.name.as_deref().unwrap_or_default())
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
fn complete(status: &RAGEngineStatus) -> Value {
    let mut value = serde_json::to_value(status).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        for name in ["workerNodes", "url", "indexes", "inference"] {
            members.entry(name).or_insert(Value::Null);
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
