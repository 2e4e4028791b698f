//! What there is to say of a set, and how it becomes a status and events. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kaito_api::names::labels;
use kaito_api::v1beta1::{InferenceSet, InferenceSetStatus, Metric, PerformanceStatus, Workspace};
use kube::ResourceExt;
use kube::runtime::events::EventType;

use super::plan::{Plan, is_live, serves};
use super::template::{Difference, Template};
use crate::conditions::{Finding, Transition, Truth, merge};
use crate::work::Reported;

/// Types of conditions.
pub(super) mod types {
    /// As many Workspaces serve as should.
    pub(in crate::inference_set) const READY: &str = "InferenceSetReady";
    /// How fast each is was measured.
    pub(in crate::inference_set) const BENCHMARK: &str = "BenchmarkCompleted";
    /// The set is being deleted.
    pub(in crate::inference_set) const DELETING: &str = "InferenceSetDeleting";
}

const NOT_READY: &str = "inferencesetNotReady";
const FAILED: &str = "inferencesetFailed";
/// A Workspace's measurement, and their sum.
const PEAK: &str = "peakTokensPerMinute";
const SUM_OF_PEAKS: &str = "aggregatedPeakTokensPerMinute";

/// What there is to say of a set.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Report {
    findings: Vec<(&'static str, Finding)>,
    replicas: usize,
    ready: usize,
    updated: usize,
    selector: String,
    performance: Option<PerformanceStatus>,
}

impl Report {
    /// What there is to say when `plan` is what is to be done with `workspaces`, which are all of the set. `failure`
    /// says what of it could not be done.
    pub(crate) fn of(
        set: &InferenceSet,
        template: &Template,
        workspaces: &[Arc<Workspace>],
        plan: &Plan,
        failure: Option<&str>,
    ) -> Self {
        let live: Vec<_> = workspaces.iter().filter(|workspace| is_live(workspace)).collect();
        let is_same =
            |workspace: &Workspace| matches!(template.difference(workspace), Difference::None | Difference::Labels);
        let wanted = usize::try_from(set.spec.replicas).unwrap_or_default();
        let mut report = Self {
            replicas: live.len(),
            ready: live.iter().filter(|workspace| serves(workspace)).count(),
            updated: live.iter().filter(|workspace| is_same(workspace)).count(),
            selector: format!("{}={}", labels::CREATED_BY_INFERENCE_SET, set.name_any()),
            ..Self::default()
        };
        let peaks: Vec<f64> = live.iter().filter_map(|workspace| peak(workspace)).collect();
        report.performance = (!peaks.is_empty()).then(|| sum(&peaks));
        report.findings = vec![(types::READY, report.readiness(wanted, plan, failure))];
        if template.is_measured() || !peaks.is_empty() {
            report
                .findings
                .push((types::BENCHMARK, measured(peaks.len(), live.len())));
        }
        report
    }

    /// What there is to say of a set that is being deleted and whose `workspaces` are still there.
    pub(crate) fn deleting(set: &InferenceSet, workspaces: &[Arc<Workspace>]) -> Self {
        let message = format!("{} Workspaces are being deleted", workspaces.len());
        Self {
            findings: vec![(types::DELETING, Finding::holds("inferencesetDeleted", message))],
            replicas: workspaces.len(),
            ready: workspaces.iter().filter(|workspace| serves(workspace)).count(),
            selector: format!("{}={}", labels::CREATED_BY_INFERENCE_SET, set.name_any()),
            ..Self::default()
        }
    }

    /// What there is to say of a set that cannot be used as it is.
    pub(crate) fn failed(why: &str) -> Self {
        Self {
            findings: vec![(types::READY, Finding::fails(FAILED, why))],
            ..Self::default()
        }
    }

    fn readiness(&self, wanted: usize, plan: &Plan, failure: Option<&str>) -> Finding {
        let Self { ready, updated, .. } = self;
        if let Some(failure) = failure {
            return Finding::fails(FAILED, failure);
        }
        let serving = format!("{ready} of {wanted} Workspaces serve");
        if let Some(most) = plan.limited_to {
            let why = format!("{serving}: nodeCountLimit lets there be {most}; raise it, or lower replicas");
            return Finding::fails(NOT_READY, why);
        }
        if *ready < wanted {
            return Finding::fails(NOT_READY, serving);
        }
        if *updated < wanted {
            let words = format!("{serving}, and {updated} are as the template says");
            return Finding::holds("inferencesetReady", words);
        }
        Finding::holds("inferencesetReady", serving)
    }
}

fn measured(measured: usize, live: usize) -> Finding {
    let words = format!("{measured} of {live} Workspaces were measured");
    if live > 0 && measured == live {
        Finding::holds("BenchmarkCompleted", words)
    } else {
        Finding::fails("BenchmarkPending", words)
    }
}

/// How fast a Workspace is, if it was measured.
fn peak(workspace: &Workspace) -> Option<f64> {
    let metrics = workspace.status.as_ref()?.performance.as_ref()?.metrics.as_ref()?;
    let peak: f64 = metrics.get(PEAK)?.value.parse().ok()?;
    peak.is_finite().then_some(peak)
}

fn sum(peaks: &[f64]) -> PerformanceStatus {
    let metric = Metric {
        description: "sum of what each Workspace reached under stress".to_owned(),
        value: format!("{:.2}", peaks.iter().sum::<f64>()),
        unit: Some("tokens/min".to_owned()),
        config: None,
    };
    PerformanceStatus {
        metrics: Some(BTreeMap::from([(SUM_OF_PEAKS.to_owned(), metric)])),
    }
}

impl Reported for Report {
    type Kind = InferenceSet;
    type Status = InferenceSetStatus;
    const OPTIONAL: &'static [&'static str] = &["performance", "selector"];

    fn conditions(status: &InferenceSetStatus) -> &[Condition] {
        status.conditions.as_deref().unwrap_or_default()
    }

    fn status(
        &self,
        previous: &InferenceSetStatus,
        generation: Option<i64>,
        now: Timestamp,
    ) -> (InferenceSetStatus, Vec<Transition>) {
        let (conditions, transitions) = merge(Self::conditions(previous), &self.findings, generation, now);
        let number = |count: usize| Some(i32::try_from(count).unwrap_or(i32::MAX));
        let status = InferenceSetStatus {
            replicas: number(self.replicas),
            ready_replicas: number(self.ready),
            updated_replicas: number(self.updated),
            selector: (!self.selector.is_empty()).then(|| self.selector.clone()),
            conditions: Some(conditions),
            performance: self.performance.clone(),
            observed_generation: generation,
        };
        (status, transitions)
    }

    fn event(Transition { type_, finding }: &Transition, first: bool) -> Option<EventType> {
        let trouble = finding.truth == Truth::False && finding.reason == FAILED;
        match *type_ {
            types::READY if trouble => Some(EventType::Warning),
            types::READY if !first => Some(EventType::Normal),
            _ => None,
        }
    }
}
