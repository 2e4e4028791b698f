//! What there is to say of an engine, and how it becomes a status and events.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kaito_api::v1beta1::{IndexesStatus, InferenceStatus, RAGEngine, RAGEngineStatus};
use kube::runtime::events::EventType;

use super::types;
use crate::conditions::{Finding, Transition, Truth, merge};
use crate::work::Reported;

/// Conditions whose transitions are worth an event; the others repeat them.
const TOLD: [&str; 4] = [types::RESOURCE, types::SERVICE, types::INFERENCE, types::READY];
/// Reasons that are a step on the way and no trouble.
const ON_THE_WAY: [&str; 5] = [
    "PodsPending",
    "WorkspacePending",
    "NotConfigured",
    "NodeClaimNotReady",
    "GpuPluginPending",
];

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
}

impl Reported for Report {
    type Kind = RAGEngine;
    type Status = RAGEngineStatus;
    const OPTIONAL: &'static [&'static str] = &["workerNodes", "url", "indexes", "inference"];

    fn conditions(status: &RAGEngineStatus) -> &[Condition] {
        status.conditions.as_deref().unwrap_or_default()
    }

    fn status(
        &self,
        previous: &RAGEngineStatus,
        generation: Option<i64>,
        now: Timestamp,
    ) -> (RAGEngineStatus, Vec<Transition>) {
        let (conditions, transitions) = merge(Self::conditions(previous), &self.findings, generation, now);
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

    fn event(Transition { type_, finding }: &Transition, first: bool) -> Option<EventType> {
        let trouble = finding.truth == Truth::False && !ON_THE_WAY.contains(&finding.reason.as_str());
        // A new engine is not ready, which is no news; and Ready repeats what another condition says.
        let repeated = *type_ == types::READY && !finding.is_true();
        if !TOLD.contains(type_) || repeated || first && !trouble {
            return None;
        }
        Some(if trouble { EventType::Warning } else { EventType::Normal })
    }
}
