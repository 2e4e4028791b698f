//! Running the controller: watches, a queue of engines, reconciles, and back-off when they fail.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::StreamExt;
use kube::Client;
use kube::runtime::controller::{Action, Config, Error, ReconcileRequest, applier};
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::caches::{Caches, Guarded, Scope};
use super::claims::Claims;
use super::dereference::{DereferenceError, Inputs};
use super::indexes::indexes;
use super::reconcile::{Context, ReconcileError, reconcile};
use super::status::{Publisher, types};
use super::triggers::trigger;
use crate::apply::ApplyError;
use crate::conditions::find;
use crate::metrics::{Metrics, Phase, ReconcileResult, Workqueue};
use crate::settings::Settings;
use crate::watch::chain;

/// Name in metrics.
const NAME: &str = "ragengine";
/// Changes of one engine that come within this time are one reconcile.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// First and longest wait after a failure.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(120));

/// How to run.
pub struct ControllerSettings {
    /// The cluster.
    pub client: Client,
    /// What builders need to know.
    pub settings: Settings,
    /// The one namespace to look at; all when `None`.
    pub watch_namespace: Option<String>,
    /// Reconciles at a time.
    pub concurrency: u16,
    /// How often services are asked for their indexes; never when zero.
    pub index_status_interval: Duration,
    /// Where to count.
    pub metrics: Metrics,
}

/// Runs until `stop`, and then until the reconciles that have begun are done.
pub async fn run(controller: ControllerSettings, stop: CancellationToken) {
    let ControllerSettings {
        client,
        settings,
        watch_namespace,
        concurrency,
        index_status_interval,
        metrics,
    } = controller;
    metrics.set_concurrency(NAME, concurrency);
    let queue = metrics.queue(NAME);
    let (trigger, triggered) = trigger(queue.clone());
    let scope = Scope {
        client: client.clone(),
        namespace: watch_namespace,
        installation: settings.namespace.clone(),
    };
    let started = tokio::select! {
        started = Caches::start(&scope, &trigger) => started,
        () = stop.cancelled() => return,
    };
    let (caches, mut tasks) = started;
    let (indexes, questions) = indexes();
    if !index_status_interval.is_zero() {
        let keeping = Arc::clone(&indexes);
        tasks.spawn(keeping.keep_current(Arc::clone(&caches), trigger.clone(), questions, index_status_interval));
    }
    trigger.open();
    {
        let (caches, trigger) = (Arc::clone(&caches), trigger.clone());
        tasks.spawn(async move {
            let all = caches
                .engines
                .state()
                .iter()
                .map(|engine| ObjectRef::from_obj(engine.as_ref()))
                .collect();
            trigger.send(|| all).await;
        });
    }
    let store = caches.engines.clone();
    let counted = Arc::clone(&caches);
    metrics.count_engines_with(move || phases(&counted));
    let run = Arc::new(Run {
        context: Context {
            inputs: Inputs::new(client.clone(), Arc::clone(&caches)),
            publisher: Publisher::new(client.clone()),
            client,
            caches,
            settings,
            claims: Claims::default(),
            indexes,
        },
        metrics,
        queue,
        failures: Mutex::default(),
    });
    let requests = triggered.map(|engine| Ok::<_, Infallible>(ReconcileRequest::from(engine)));
    let config = Config::default().concurrency(concurrency).debounce(DEBOUNCE);
    let reconciles = applier(
        |engine: Arc<Guarded>, run: Arc<Run>| Box::pin(async move { run.one(&engine).await }),
        |engine, error, run| run.back_off(&engine, error),
        Arc::clone(&run),
        store,
        Box::pin(requests.take_until(stop.cancelled_owned())),
        config,
    );
    tracing::info!("RAGEngines are being reconciled");
    reconciles.for_each(async |result| run.ended(result)).await;
    tasks.shutdown().await;
    tracing::info!("RAGEngines are not being reconciled any more");
}

/// What the reconciles share.
struct Run {
    context: Context,
    metrics: Metrics,
    queue: Workqueue,
    /// Of engines whose last reconcile failed.
    failures: Mutex<HashMap<ObjectRef<Guarded>, ExponentialBackoff>>,
}

impl Run {
    async fn one(&self, engine: &Guarded) -> Result<Action, ReconcileError> {
        let reference = ObjectRef::from_obj(engine);
        self.queue.take(&reference.to_string());
        let measured = self.metrics.reconciling(NAME);
        let action = Box::pin(reconcile(engine, &self.context)).await?;
        self.failures.lock().remove(&reference);
        let again = action != Action::await_change();
        measured.end(if again {
            ReconcileResult::requeue_after
        } else {
            ReconcileResult::success
        });
        Ok(action)
    }

    /// Later each time, and not before the API server wants to hear of it again.
    fn back_off(&self, engine: &Guarded, error: &ReconcileError) -> Action {
        let reference = ObjectRef::from_obj(engine);
        let mut failures = self.failures.lock();
        let pauses = failures.entry(reference).or_insert_with(|| {
            let (first, longest) = BACK_OFF;
            let builder = ExponentialBuilder::new().with_min_delay(first).with_max_delay(longest);
            builder.without_max_times().with_jitter().build()
        });
        let pause = pauses
            .next()
            .unwrap_or(BACK_OFF.1)
            .max(retry_after(error).unwrap_or_default());
        self.queue.retry();
        Action::requeue(pause)
    }

    fn ended(&self, result: Result<(ObjectRef<Guarded>, Action), Error<ReconcileError, Infallible>>) {
        match result {
            Ok(_) => {}
            Err(Error::ObjectNotFound(gone)) => {
                let namespace = gone.namespace.as_deref().unwrap_or_default();
                let reference = ObjectRef::<Guarded>::new(&gone.name).within(namespace);
                self.queue.take(&reference.to_string());
                self.failures.lock().remove(&reference);
                self.context.publisher.forget(namespace, &gone.name);
            }
            Err(Error::ReconcilerFailed(error, engine)) => {
                let namespace = engine.namespace.as_deref().unwrap_or_default();
                tracing::warn!(
                    engine.name = engine.name,
                    engine.namespace = namespace,
                    error = %chain(&error),
                    "a reconcile failed and is tried again"
                );
            }
            Err(error) => tracing::error!(error = %chain(&error), "the queue failed"),
        }
    }
}

/// What the API server says of when to try again.
fn retry_after(error: &ReconcileError) -> Option<Duration> {
    let error = match error {
        ReconcileError::Status(error) => error,
        ReconcileError::Apply(ApplyError::Refuse { answer, .. }) => answer,
        ReconcileError::Dereference(DereferenceError::Read { source, .. }) => source,
        ReconcileError::Apply(ApplyError::Foreign { .. }) => return None,
    };
    let kube::Error::Api(status) = error else {
        return None;
    };
    let seconds = status.details.as_ref()?.retry_after_seconds;
    Some(Duration::from_secs(u64::from(seconds)))
}

fn phases(caches: &Caches) -> Vec<(Phase, usize)> {
    let engines = caches.engines.state();
    let phase = |engine: &Guarded| {
        let Ok(engine) = &engine.0 else {
            return Phase::error;
        };
        let conditions = engine.status.as_ref().and_then(|status| status.conditions.as_ref());
        let ready = find(conditions, types::READY);
        match ready {
            _ if engine.metadata.deletion_timestamp.is_some() => Phase::deleting,
            None => Phase::pending,
            Some(ready) if ready.status == "True" => Phase::succeeded,
            Some(ready) if ready.reason == "PodsPending" => Phase::pending,
            Some(_) => Phase::error,
        }
    };
    [Phase::succeeded, Phase::error, Phase::pending, Phase::deleting]
        .map(|wanted| (wanted, engines.iter().filter(|engine| phase(engine) == wanted).count()))
        .to_vec()
}
