//! What there is to say of a Workspace, and how it becomes a status and events.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kaito_api::v1beta1::{PerformanceStatus, Workspace, WorkspaceState, WorkspaceStatus};
use kube::runtime::events::EventType;

use super::types;
use crate::conditions::{Finding, Transition, Truth, merge};
use crate::work::Reported;

/// Conditions whose transitions are worth an event; the others repeat them.
const TOLD: [&str; 5] = [
    types::RESOURCE,
    types::INFERENCE,
    types::BENCHMARK,
    types::JOB,
    types::SUCCEEDED,
];
/// Reasons that are a step on the way and no trouble.
const ON_THE_WAY: [&str; 8] = [
    "NodeClaimNotReady",
    "NodeNotReady",
    "NodePluginsNotReady",
    "AwaitingReconciliation",
    "NodeNotFound",
    "WorkspaceInferenceStatusPending",
    "WorkspaceTuningJobStatusPending",
    "workspacePending",
];

/// What there is to say of a Workspace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Report {
    /// What holds and what does not, by type.
    pub findings: Vec<(&'static str, Finding)>,
    /// The nodes that it has, sorted.
    pub worker_nodes: Vec<String>,
    /// The state in one word.
    pub state: Option<WorkspaceState>,
    /// How many machines it needs.
    pub target_node_count: Option<i32>,
    /// How fast the model is.
    pub performance: Option<PerformanceStatus>,
}

impl Report {
    /// What is found of one type.
    #[cfg(test)]
    pub(crate) fn finding(&self, type_: &str) -> Option<&Finding> {
        let found = self.findings.iter().find(|(found, _)| *found == type_);
        found.map(|(_, finding)| finding)
    }

    /// A Workspace that cannot be decoded.
    pub(crate) fn undecodable(words: &str) -> Self {
        let message = format!("the object cannot be read, correct it: {words}");
        Self {
            findings: vec![(types::SUCCEEDED, Finding::fails("InvalidSpec", message))],
            ..Self::default()
        }
    }

    /// The same of a Workspace that asks for something that cannot be built: what runs already goes on.
    #[must_use]
    pub(crate) fn invalid(mut self, problem: &str) -> Self {
        self.findings.retain(|(type_, _)| *type_ != types::SUCCEEDED);
        self.findings
            .push((types::SUCCEEDED, Finding::fails("InvalidSpec", problem)));
        self
    }
}

impl Reported for Report {
    type Kind = Workspace;
    type Status = WorkspaceStatus;
    const OPTIONAL: &'static [&'static str] = &["workerNodes", "state", "targetNodeCount", "performance"];

    fn conditions(status: &WorkspaceStatus) -> &[Condition] {
        status.conditions.as_deref().unwrap_or_default()
    }

    fn status(
        &self,
        previous: &WorkspaceStatus,
        generation: Option<i64>,
        now: Timestamp,
    ) -> (WorkspaceStatus, Vec<Transition>) {
        let (conditions, transitions) = merge(Self::conditions(previous), &self.findings, generation, now);
        let status = WorkspaceStatus {
            worker_nodes: (!self.worker_nodes.is_empty()).then(|| self.worker_nodes.clone()),
            state: self.state,
            conditions: Some(conditions),
            target_node_count: self.target_node_count,
            performance: self.performance.clone(),
        };
        (status, transitions)
    }

    fn event(Transition { type_, finding }: &Transition, first: bool) -> Option<EventType> {
        let trouble = finding.truth == Truth::False && !ON_THE_WAY.contains(&finding.reason.as_str());
        // A new Workspace is not ready, which is no news.
        if !TOLD.contains(type_) || first && !trouble {
            return None;
        }
        Some(if trouble { EventType::Warning } else { EventType::Normal })
    }
}
