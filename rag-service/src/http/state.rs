//! What every handler can reach.

use std::sync::{Arc, OnceLock};

use tokio::sync::Semaphore;

use super::problem::Problem;
use crate::authentication::Authentication;
use crate::config::LimitsConfig;
use crate::engine::{ChatEngine, Engine};
use crate::guardrails::Guardrails;
use crate::metrics::Metrics;

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub struct AppState {
    pub(super) readiness: Readiness,
    pub(super) metrics: Arc<Metrics>,
    pub(super) limits: Arc<LimitsConfig>,
    pub(super) max_top_k: usize,
    pub(super) admission: Arc<Semaphore>,
    /// Chats wait for the model for a long time, so they are counted by themselves.
    pub(super) chat_admission: Arc<Semaphore>,
    pub(super) guardrails: Arc<Guardrails>,
    pub(super) authentication: Option<Arc<Authentication>>,
}

/// What a server is made of.
pub struct AppStateParts {
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// Bounds on requests.
    pub limits: LimitsConfig,
    /// Most passages a query may ask for.
    pub max_top_k: usize,
    /// Chats served at one time.
    pub max_concurrent_chats: usize,
    /// What is scanned before it leaves.
    pub guardrails: Arc<Guardrails>,
    /// Who may ask; `None` for everybody.
    pub authentication: Option<Arc<Authentication>>,
}

/// What serves requests once it is there.
pub struct Services {
    /// Indexing and retrieval.
    pub engine: Arc<Engine>,
    /// Chats, if there is a model.
    pub chat: Option<Arc<ChatEngine>>,
}

/// The engine, once there is one: the server answers probes while model and indexes are still loading.
#[derive(Clone, Default)]
pub struct Readiness(Arc<OnceLock<Services>>);

impl Readiness {
    /// Lets requests through to the engine from now on. Only the first call counts.
    pub fn open(&self, services: Services) {
        // A second engine would mean two owners of one data directory, which the store refuses long before this.
        let _ = self.0.set(services);
    }
}

impl AppState {
    /// State of a server that is not ready until [`Readiness::open`].
    pub fn new(readiness: Readiness, parts: AppStateParts) -> Self {
        Self {
            readiness,
            metrics: parts.metrics,
            admission: Arc::new(Semaphore::new(parts.limits.max_concurrent_requests)),
            limits: Arc::new(parts.limits),
            max_top_k: parts.max_top_k,
            chat_admission: Arc::new(Semaphore::new(parts.max_concurrent_chats)),
            guardrails: parts.guardrails,
            authentication: parts.authentication,
        }
    }

    pub(super) fn engine(&self) -> Result<&Arc<Engine>, Problem> {
        Ok(&self.services()?.engine)
    }

    pub(super) fn chat(&self) -> Result<&Arc<ChatEngine>, Problem> {
        self.services()?.chat.as_ref().ok_or_else(Problem::no_model)
    }

    fn services(&self) -> Result<&Services, Problem> {
        self.readiness.0.get().ok_or_else(Problem::starting)
    }
}
