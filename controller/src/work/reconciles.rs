//! Reconciles, one object at a time, several objects side by side, and later each time one fails.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::{Stream, StreamExt};
use kube::Resource;
use kube::runtime::controller::{Action, Config, Error, ReconcileRequest, applier};
use kube::runtime::reflector::{ObjectRef, Store};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::ReadError;
use crate::apply::ApplyError;
use crate::metrics::{Metrics, ReconcileResult, Workqueue};
use crate::watch::chain;

/// Changes of one object that come within this time are one reconcile.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// First and longest wait after a failure.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(120));

/// Why a reconcile failed; it is tried again, later each time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    /// Something that the object refers to cannot be read.
    #[error("cannot look up what the object refers to")]
    Dereference(#[from] ReadError),
    /// What was made for it before cannot be listed.
    #[error("cannot list what was made for the object")]
    List(#[source] kube::Error),
    /// Something cannot be made, changed or deleted.
    #[error("cannot make what the object asks for")]
    Apply(#[from] ApplyError),
    /// The status cannot be written.
    #[error("cannot write the status")]
    Status(#[from] kube::Error),
}

impl ReconcileError {
    /// What the API server answered, if it did.
    fn answer(&self) -> Option<&kube::Error> {
        match self {
            Self::List(error) | Self::Status(error) => Some(error),
            Self::Apply(error) => error.answer(),
            Self::Dereference(error) => Some(&error.source),
        }
    }
}

/// Who looks at objects of one kind.
pub(crate) trait Reconciler: Send + Sync + 'static {
    /// Name in metrics.
    const NAME: &'static str;
    /// The kind.
    type Object: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static;

    /// Looks at one object, and does what is to be done.
    fn reconcile(&self, object: &Self::Object) -> impl Future<Output = Result<Action, ReconcileError>> + Send;

    /// An object is gone.
    fn forget(&self, namespace: &str, name: &str);
}

type Ended<R> = Result<(ObjectRef<<R as Reconciler>::Object>, Action), Error<ReconcileError, Infallible>>;

/// A controller's queue and what it counts.
pub(crate) struct Reconciles<R: Reconciler> {
    reconciler: R,
    metrics: Metrics,
    queue: Workqueue,
    /// Of objects whose last reconcile failed.
    failures: Mutex<HashMap<ObjectRef<R::Object>, ExponentialBackoff>>,
}

impl<R: Reconciler> Reconciles<R> {
    /// Reconciles by `reconciler`, counted in `metrics`. `queue` is the one that its trigger fills.
    pub(crate) fn new(reconciler: R, queue: Workqueue, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            reconciler,
            queue,
            metrics,
            failures: Mutex::default(),
        })
    }

    /// Runs until `stop`, and then until the reconciles that have begun are done.
    pub(crate) async fn run(
        self: Arc<Self>,
        objects: Store<R::Object>,
        triggered: impl Stream<Item = ObjectRef<R::Object>> + Send,
        concurrency: u16,
        stop: CancellationToken,
    ) {
        self.metrics.set_concurrency(R::NAME, concurrency);
        let requests = triggered.map(|object| Ok::<_, Infallible>(ReconcileRequest::from(object)));
        let config = Config::default().concurrency(concurrency).debounce(DEBOUNCE);
        let reconciles = applier(
            |object: Arc<R::Object>, all: Arc<Self>| Box::pin(async move { all.one(&object).await }),
            |object, error, all| all.back_off(&object, error),
            Arc::clone(&self),
            objects,
            Box::pin(requests.take_until(stop.cancelled_owned())),
            config,
        );
        tracing::info!(controller = R::NAME, "objects are being reconciled");
        reconciles.for_each(async |result| self.ended(result)).await;
        tracing::info!(controller = R::NAME, "objects are not being reconciled any more");
    }

    async fn one(&self, object: &R::Object) -> Result<Action, ReconcileError> {
        let reference = ObjectRef::from_obj(object);
        self.queue.take(&reference.to_string());
        let measured = self.metrics.reconciling(R::NAME);
        let action = self.reconciler.reconcile(object).await?;
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
    fn back_off(&self, object: &R::Object, error: &ReconcileError) -> Action {
        let reference = ObjectRef::from_obj(object);
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

    fn ended(&self, result: Ended<R>) {
        match result {
            Ok(_) => {}
            Err(Error::ObjectNotFound(gone)) => {
                let namespace = gone.namespace.as_deref().unwrap_or_default();
                let reference = ObjectRef::<R::Object>::new(&gone.name).within(namespace);
                self.queue.take(&reference.to_string());
                self.failures.lock().remove(&reference);
                self.reconciler.forget(namespace, &gone.name);
            }
            Err(Error::ReconcilerFailed(error, object)) => {
                let namespace = object.namespace.as_deref().unwrap_or_default();
                tracing::warn!(
                    controller = R::NAME,
                    object.name = object.name,
                    object.namespace = namespace,
                    error = %chain(&error),
                    "a reconcile failed and is tried again"
                );
            }
            Err(error) => tracing::error!(error = %chain(&error), "the queue failed"),
        }
    }
}

/// What the API server says of when to try again.
fn retry_after(failure: &ReconcileError) -> Option<Duration> {
    let Some(kube::Error::Api(status)) = failure.answer() else {
        return None;
    };
    let seconds = status.details.as_ref()?.retry_after_seconds;
    Some(Duration::from_secs(u64::from(seconds)))
}
