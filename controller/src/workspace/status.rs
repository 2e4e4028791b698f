//! What a Workspace's status says. Pure.

pub(crate) mod benchmark;
mod inference;
mod nodes;
mod pods;
mod report;
mod tuning;

use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Node, Pod};
use kaito_api::v1beta1::{PerformanceStatus, Workspace, WorkspaceState, WorkspaceStatus};

pub(crate) use benchmark::BenchmarkLog;
pub(crate) use report::Report;

use crate::conditions::{Finding, find};
use crate::provisioner::Plan;

/// Types of conditions, in the order in which they are shown.
pub(crate) mod types {
    pub(crate) use crate::provisioner::types::{NODE_CLAIMS, NODES, RESOURCE};
    pub(crate) const INFERENCE: &str = "InferenceReady";
    pub(crate) const BENCHMARK: &str = "BenchmarkCompleted";
    pub(crate) const JOB: &str = "JobStarted";
    pub(crate) const SUCCEEDED: &str = "WorkspaceSucceeded";
    pub(crate) const DELETING: &str = "WorkspaceDeleting";
    pub(crate) const ALL: [&str; 8] = [
        NODE_CLAIMS,
        NODES,
        RESOURCE,
        INFERENCE,
        BENCHMARK,
        JOB,
        SUCCEEDED,
        DELETING,
    ];
}

/// What was found out about a Workspace.
pub(crate) struct Observation<'a> {
    /// The Workspace.
    pub workspace: &'a Workspace,
    /// Its status as it is.
    pub previous: &'a WorkspaceStatus,
    /// Its machines; `None` when it was not found out. What was said of them then stays.
    pub machines: Option<&'a Plan>,
    /// How many machines it needs, if that is known.
    pub target_node_count: Option<i32>,
    /// Its StatefulSet, if it has one.
    pub stateful_set: Option<&'a StatefulSet>,
    /// Its Job, if it has one.
    pub job: Option<&'a Job>,
    /// Its pods.
    pub pods: &'a [Arc<Pod>],
    /// Nodes, its own among them.
    pub nodes: &'a [Arc<Node>],
    /// What its first pod wrote, read when [`Observation::benchmark_is_due`].
    pub benchmark: Option<&'a BenchmarkLog>,
    /// What went wrong in this look, as all messages then say.
    pub problem: Option<String>,
}

/// What there is to say of the work that runs on the machines.
struct Work {
    findings: Vec<(&'static str, Finding)>,
    state: WorkspaceState,
    performance: Option<PerformanceStatus>,
}

impl<'a> Observation<'a> {
    /// Nothing was found out yet: everything that was said stays.
    pub(crate) fn nothing(workspace: &'a Workspace, previous: &'a WorkspaceStatus) -> Self {
        Self {
            workspace,
            previous,
            machines: None,
            target_node_count: None,
            stateful_set: None,
            job: None,
            pods: &[],
            nodes: &[],
            benchmark: None,
            problem: None,
        }
    }
}

impl Observation<'_> {
    /// The status that follows.
    pub(crate) fn report(&self) -> Report {
        if self.workspace.metadata.deletion_timestamp.is_some() {
            return self.deleting();
        }
        let (mut findings, worker_nodes) = match self.machines {
            Some(plan) => (nodes::findings(plan, self.nodes), plan.worker_nodes.clone()),
            None => (
                self.kept(&[types::NODE_CLAIMS, types::NODES, types::RESOURCE]),
                self.previous.worker_nodes.clone().unwrap_or_default(),
            ),
        };
        let work = if self.workspace.spec.tuning.is_some() {
            let progress = tuning::findings(self.job);
            Work {
                findings: progress.findings,
                state: progress.state,
                performance: None,
            }
        } else {
            self.serving()
        };
        findings.extend(work.findings);
        if let Some(problem) = &self.problem {
            findings = findings
                .into_iter()
                .map(|(type_, finding)| (type_, finding.with_problem(problem)))
                .collect();
        }
        Report {
            findings,
            worker_nodes,
            state: Some(work.state),
            target_node_count: self.target_node_count(),
            performance: work.performance,
        }
    }

    /// Whether the first pod's log is to be read, because it tells how fast the model is and that is not known yet.
    pub(crate) fn benchmark_is_due(&self) -> bool {
        self.workspace.metadata.deletion_timestamp.is_none()
            && inference::is_ready(self)
            && benchmark::is_applicable(self)
            && !self.was_measured()
    }

    fn was_measured(&self) -> bool {
        self.previous_condition(types::BENCHMARK)
            .is_some_and(|finding| finding.is_true())
    }

    fn previous_condition(&self, type_: &str) -> Option<Finding> {
        find(self.previous.conditions.as_ref(), type_).map(Finding::of)
    }

    fn kept(&self, kept: &[&'static str]) -> Vec<(&'static str, Finding)> {
        let found = kept.iter().map(|type_| (*type_, self.previous_condition(type_)));
        found
            .filter_map(|(type_, finding)| {
                let finding = finding?;
                let words = crate::conditions::without_problem(&finding.message).to_owned();
                Some((type_, finding.with_message(&words)))
            })
            .collect()
    }

    /// Set once: what a model needs does not change while it is served.
    fn target_node_count(&self) -> Option<i32> {
        let known = self.previous.target_node_count.filter(|count| *count > 0);
        known.or(self.target_node_count)
    }

    /// Everything that was said stays, since nobody looks at it any more.
    fn deleting(&self) -> Report {
        let mut findings = self.kept(&types::ALL);
        findings.retain(|(type_, _)| *type_ != types::DELETING);
        findings.push((
            types::DELETING,
            Finding::holds("workspaceDeleted", "workspace is being deleted"),
        ));
        Report {
            findings,
            worker_nodes: self.previous.worker_nodes.clone().unwrap_or_default(),
            state: self.previous.state,
            target_node_count: self.previous.target_node_count,
            performance: self.previous.performance.clone(),
        }
    }

    fn serving(&self) -> Work {
        let served = inference::finding(self);
        let was_ready = matches!(
            self.previous.state,
            Some(WorkspaceState::Ready | WorkspaceState::NotReady)
        );
        let benchmark = self.measured();
        let pending = || {
            Finding::fails(
                "workspacePending",
                "workspace is waiting for inference workload readiness",
            )
        };
        let (succeeded, state) = match &benchmark.finding {
            Some(failed) if failed.reason == benchmark::FAILED && served.is_true() => {
                (failed.clone(), WorkspaceState::NotReady)
            }
            found if served.is_true() && found.as_ref().is_none_or(Finding::is_true) => (
                Finding::holds("workspaceSucceeded", "workspace succeeds"),
                WorkspaceState::Ready,
            ),
            _ if was_ready => (pending(), WorkspaceState::NotReady),
            _ => (pending(), WorkspaceState::Pending),
        };
        let measured = benchmark.finding.map(|finding| (types::BENCHMARK, finding));
        let mut findings = vec![(types::INFERENCE, served)];
        findings.extend(measured);
        findings.push((types::SUCCEEDED, succeeded));
        Work {
            findings,
            state,
            performance: benchmark.performance,
        }
    }

    /// What is known of the model's speed. Once it is known, it stays, whatever becomes of the pods.
    fn measured(&self) -> benchmark::Measured {
        let counts = self.was_measured() || benchmark::is_applicable(self);
        let known = benchmark::Measured {
            finding: self
                .kept(&[types::BENCHMARK])
                .pop()
                .map(|(_, finding)| finding)
                .filter(|_| counts),
            performance: self.previous.performance.clone(),
        };
        if !self.benchmark_is_due() {
            return known;
        }
        match self.benchmark {
            Some(log) => log.measure(),
            None => benchmark::Measured {
                finding: Some(Finding::unknown(
                    "BenchmarkPending",
                    "the benchmark's result is not read yet",
                )),
                ..known
            },
        }
    }
}

#[cfg(test)]
mod tests;
