//! What the controller tells of itself, under the names that dashboards of other controllers use.

mod phases;
mod workspaces;

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};
use tokio::time::Instant;

pub use phases::Phase;
pub use workspaces::{Figures, Volume};

use self::phases::PhaseGauges;
use self::workspaces::WorkspaceMetrics;

/// controller-runtime's buckets, in seconds.
const BUCKETS: [f64; 16] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0, 60.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ControllerLabel {
    controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    controller: &'static str,
    result: ReconcileResult,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabel {
    name: &'static str,
    controller: &'static str,
}

/// How a reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "variant names are the label values on the wire")]
pub enum ReconcileResult {
    /// Nothing is left to do.
    success,
    /// It failed and is tried again.
    error,
    /// It is done again after a while.
    requeue_after,
}

/// Metrics of all controllers of this process.
#[derive(Clone)]
pub struct Metrics {
    reconciles: Family<ResultLabels, Counter>,
    errors: Family<ControllerLabel, Counter>,
    durations: Family<ControllerLabel, Histogram>,
    active: Family<ControllerLabel, Gauge>,
    most: Family<ControllerLabel, Gauge>,
    depth: Family<QueueLabel, Gauge>,
    adds: Family<QueueLabel, Counter>,
    retries: Family<QueueLabel, Counter>,
    engines: PhaseGauges,
    sets: PhaseGauges,
    workspaces: WorkspaceMetrics,
    leader: Gauge,
}

impl Metrics {
    /// Metrics, in a registry.
    pub fn new(registry: &mut Registry) -> Self {
        Self {
            reconciles: register(
                registry,
                "controller_runtime_reconcile",
                "Reconciles by result",
                Family::default(),
            ),
            errors: register(
                registry,
                "controller_runtime_reconcile_errors",
                "Reconciles that failed",
                Family::default(),
            ),
            durations: register(
                registry,
                "controller_runtime_reconcile_time_seconds",
                "Time of a reconcile",
                Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            ),
            active: register(
                registry,
                "controller_runtime_active_workers",
                "Reconciles that run now",
                Family::default(),
            ),
            most: register(
                registry,
                "controller_runtime_max_concurrent_reconciles",
                "Reconciles that may run at a time",
                Family::default(),
            ),
            depth: register(
                registry,
                "workqueue_depth",
                "Objects that wait to be reconciled",
                Family::default(),
            ),
            adds: register(
                registry,
                "workqueue_adds",
                "Objects that were put in the queue",
                Family::default(),
            ),
            retries: register(
                registry,
                "workqueue_retries",
                "Objects that were put in the queue again",
                Family::default(),
            ),
            engines: PhaseGauges::register(registry, "kaito_ragengine_count", "RAGEngines by phase"),
            sets: PhaseGauges::register(registry, "kaito_inferenceset_count", "InferenceSets by phase"),
            workspaces: WorkspaceMetrics::register(registry),
            leader: register(
                registry,
                "leader_election_master_status",
                "Whether this copy is the leader",
                Gauge::default(),
            ),
        }
    }

    /// The queue of one controller.
    pub fn queue(&self, controller: &'static str) -> Workqueue {
        let label = QueueLabel {
            name: controller,
            controller,
        };
        Workqueue {
            waiting: Arc::default(),
            depth: self.depth.get_or_create(&label).clone(),
            adds: self.adds.get_or_create(&label).clone(),
            retries: self.retries.get_or_create(&label).clone(),
        }
    }

    /// Says how many reconciles of a controller may run at a time.
    pub fn set_concurrency(&self, controller: &'static str, most: u16) {
        self.most
            .get_or_create(&ControllerLabel { controller })
            .set(i64::from(most));
    }

    /// Begins to measure a reconcile; the end is told with [`Reconciling::end`], or is an error when it is dropped.
    pub fn reconciling(&self, controller: &'static str) -> Reconciling {
        let active = self.active.get_or_create(&ControllerLabel { controller }).clone();
        active.inc();
        Reconciling {
            metrics: self.clone(),
            controller,
            active,
            started: Instant::now(),
            result: ReconcileResult::error,
        }
    }

    /// Says what all engines are at. They are looked at when somebody asks for the metrics.
    pub fn count_engines_with(&self, phases: impl Fn() -> Vec<Phase> + Send + 'static) {
        self.engines.look_with(phases);
    }

    /// The same of all InferenceSets.
    pub fn count_sets_with(&self, phases: impl Fn() -> Vec<Phase> + Send + 'static) {
        self.sets.look_with(phases);
    }

    /// The same of all Workspaces, with what else is counted of them.
    pub fn count_workspaces_with(&self, figures: impl Fn() -> Figures + Send + 'static) {
        self.workspaces.count_with(figures);
    }

    /// Counts what is counted only when it is asked for.
    pub fn sample(&self) {
        self.engines.sample();
        self.sets.sample();
        self.workspaces.sample();
    }

    /// Says whether this copy is the leader.
    pub fn set_leader(&self, leader: bool) {
        self.leader.set(i64::from(leader));
    }
}

fn register<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

/// One reconcile that runs.
pub struct Reconciling {
    metrics: Metrics,
    controller: &'static str,
    active: Gauge,
    started: Instant,
    result: ReconcileResult,
}

impl Reconciling {
    /// It has ended.
    pub fn end(mut self, result: ReconcileResult) {
        self.result = result;
    }
}

impl Drop for Reconciling {
    fn drop(&mut self) {
        let label = ControllerLabel {
            controller: self.controller,
        };
        let results = ResultLabels {
            controller: self.controller,
            result: self.result,
        };
        self.active.dec();
        self.metrics.reconciles.get_or_create(&results).inc();
        if self.result == ReconcileResult::error {
            self.metrics.errors.get_or_create(&label).inc();
        }
        let seconds = self.started.elapsed().as_secs_f64();
        self.metrics.durations.get_or_create(&label).observe(seconds);
    }
}

/// Which objects wait to be reconciled. It counts; the queue itself is kube's.
#[derive(Clone)]
pub struct Workqueue {
    waiting: Arc<Mutex<HashSet<String>>>,
    depth: Gauge,
    adds: Counter,
    retries: Counter,
}

impl Workqueue {
    /// An object waits from now on.
    pub fn add(&self, object: &str) {
        let mut waiting = self.waiting.lock();
        if waiting.insert(object.to_owned()) {
            self.adds.inc();
            self.set_depth(waiting.len());
        }
    }

    /// An object waits again, after a failure.
    pub fn retry(&self) {
        self.retries.inc();
    }

    /// An object is being looked at, or is gone.
    pub fn take(&self, object: &str) {
        let mut waiting = self.waiting.lock();
        waiting.remove(object);
        self.set_depth(waiting.len());
    }

    fn set_depth(&self, depth: usize) {
        self.depth.set(i64::try_from(depth).unwrap_or(i64::MAX));
    }
}
