//! What every handler can reach.

use std::sync::{Arc, OnceLock};

use tokio::sync::Semaphore;

use super::problem::Problem;
use crate::config::LimitsConfig;
use crate::engine::Engine;
use crate::metrics::Metrics;

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub struct AppState {
    pub(super) readiness: Readiness,
    pub(super) metrics: Arc<Metrics>,
    pub(super) limits: Arc<LimitsConfig>,
    pub(super) max_top_k: usize,
    pub(super) admission: Arc<Semaphore>,
}

/// The engine, once there is one: the server answers probes while model and indexes are still loading.
#[derive(Clone, Default)]
pub struct Readiness(Arc<OnceLock<Arc<Engine>>>);

impl Readiness {
    /// Lets requests through to the engine from now on. Only the first call counts.
    pub fn open(&self, engine: Arc<Engine>) {
        // A second engine would mean two owners of one data directory, which the store refuses long before this.
        let _ = self.0.set(engine);
    }
}

impl AppState {
    /// State of a server that is not ready until [`Readiness::open`].
    pub fn new(readiness: Readiness, metrics: Arc<Metrics>, limits: LimitsConfig, max_top_k: usize) -> Self {
        let admission = Arc::new(Semaphore::new(limits.max_concurrent_requests));
        Self {
            readiness,
            metrics,
            limits: Arc::new(limits),
            max_top_k,
            admission,
        }
    }

    pub(super) fn engine(&self) -> Result<&Arc<Engine>, Problem> {
        self.readiness.0.get().ok_or_else(Problem::starting)
    }
}
