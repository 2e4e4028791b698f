//! Keeps one object that names a webhook right, for as long as the controller runs.
//!
//! Where it does not exist it is waited for; when somebody resets it, as `helm upgrade` does, it is put right again.
//! What is right is not written.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{DefaultBackoff, watch_object};
use kube::{Api, Client};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::injection::{Endpoint, Finding, Target, Trust};
use super::pace::Pace;
use super::settings::WebhookSettings;

/// How long the API server may take for one write.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// What was last seen of each target, by its name; those that were not looked at yet are missing.
pub(super) type Injected = BTreeMap<&'static str, Seen>;

/// A target as it was last seen, and `None` if it does not exist.
#[derive(Clone, Debug)]
pub(super) struct Seen(pub(super) Option<Arc<Value>>);

/// Keeps one target right.
pub(super) struct Injector {
    api: Api<DynamicObject>,
    target: Target,
    endpoint: Endpoint,
    trust: watch::Receiver<Trust>,
    injected: watch::Sender<Injected>,
    seen: Option<Seen>,
    pace: Pace,
    backoff: DefaultBackoff,
    retry_at: Option<Instant>,
}

impl Injector {
    pub(super) fn new(
        client: &Client,
        settings: &WebhookSettings,
        target: Target,
        trust: watch::Receiver<Trust>,
        injected: watch::Sender<Injected>,
    ) -> Self {
        Self {
            api: Api::all_with(client.clone(), &target.resource),
            target,
            endpoint: Endpoint::of(settings),
            trust,
            injected,
            seen: None,
            pace: Pace::new(Instant::now()),
            backoff: DefaultBackoff::default(),
            retry_at: None,
        }
    }

    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut objects = pin!(watch_object(self.api.clone(), self.target.name).default_backoff());
        let mut trust = self.trust.clone();
        loop {
            let retry_at = self.retry_at;
            tokio::select! {
                () = shutdown.cancelled() => return,
                object = objects.next() => match object {
                    Some(Ok(object)) => self.see(object),
                    Some(Err(error)) => tracing::warn!(
                        kind = self.target.resource.kind, name = self.target.name, error = %error,
                        "cannot watch an object that names the webhooks; the controller's role needs list and watch on it"
                    ),
                    // A watch has no end.
                    None => return,
                },
                changed = trust.changed() => if changed.is_err() {
                    return;
                },
                () = sleep_until(retry_at.unwrap_or_else(Instant::now)), if retry_at.is_some() => {
                    self.retry_at = None;
                },
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.put_right() => {}
            }
        }
    }

    /// Notes what the object says, and tells the keeper of the certificate.
    fn see(&mut self, object: Option<DynamicObject>) {
        let object = object
            .and_then(|object| serde_json::to_value(object).ok())
            .map(Arc::new);
        let was_missing = matches!(self.seen, Some(Seen(None)));
        if object.is_none() && !was_missing {
            tracing::info!(
                kind = self.target.resource.kind,
                name = self.target.name,
                "an object that names the webhooks does not exist; waiting for it"
            );
        }
        let seen = Seen(object);
        self.injected.send_modify(|injected| {
            injected.insert(self.target.name, seen.clone());
        });
        self.seen = Some(seen);
    }

    async fn put_right(&mut self) {
        let Some(Seen(Some(object))) = &self.seen else {
            return;
        };
        let finding = {
            let trust = self.trust.borrow();
            self.target.examine(object, &self.endpoint, &trust)
        };
        let patch = match finding {
            Finding::Right => return,
            Finding::NotThere(reason) => {
                tracing::warn!(
                    kind = self.target.resource.kind,
                    name = self.target.name,
                    reason,
                    "cannot tell the API server where the webhook is; reinstall the chart"
                );
                return;
            }
            Finding::Wrong(patch) => patch,
        };
        let now = Instant::now();
        let at = self.pace.next(now).max(self.retry_at.unwrap_or(now));
        if at > now {
            self.retry_at = Some(at);
            return;
        }
        self.pace.spend(now);
        match self.write(patch).await {
            Ok(object) => {
                self.backoff = DefaultBackoff::default();
                tracing::info!(
                    kind = self.target.resource.kind,
                    name = self.target.name,
                    "told the API server where the webhook is and whom to trust"
                );
                self.see(Some(object));
            }
            Err(error) => {
                self.retry_at = Some(Instant::now() + self.backoff.next().unwrap_or(WRITE_TIMEOUT));
                tracing::warn!(
                    kind = self.target.resource.kind, name = self.target.name, error = %error,
                    "cannot tell the API server where the webhook is; the controller's role needs patch on this object"
                );
            }
        }
    }

    async fn write(&self, patch: Value) -> Result<DynamicObject, WriteError> {
        let patch = Patch::Json::<()>(serde_json::from_value(patch).map_err(WriteError::Patch)?);
        let parameters = PatchParams::default();
        let write = self.api.patch(self.target.name, &parameters, &patch);
        Ok(timeout(WRITE_TIMEOUT, write)
            .await
            .map_err(|_| WriteError::TimedOut)??)
    }
}

#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error("this is no JSON patch: {0}")]
    Patch(serde_json::Error),
    #[error("the API server did not answer within {WRITE_TIMEOUT:?}")]
    TimedOut,
    #[error(transparent)]
    Api(#[from] kube::Error),
}
