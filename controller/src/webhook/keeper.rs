//! Keeps the certificate: reads it from the Secret, serves it, and writes a new one when it is time.
//!
//! Replicas agree by optimistic concurrency: who writes says which version of the Secret it has seen, and who comes too
//! late reads what was written.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{DefaultBackoff, watch_object};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::WebhookError;
use super::injection::{Target, Trust};
use super::injector::{Injected, Seen};
use super::pace::Pace;
use super::rotation::{Circumstances, Step, after, next_step};
use super::secret::{Contents, Ours};
use super::server::Resolver;
use super::settings::{CertificateLifetime, WebhookSettings};

/// How long the API server may take for one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a replica that starts tries to write before another one.
const ATTEMPTS: usize = 10;

/// Keeps the certificate.
pub(super) struct Keeper {
    api: Api<Secret>,
    namespace: String,
    name: &'static str,
    names: BTreeSet<String>,
    lifetime: CertificateLifetime,
    targets: Vec<Target>,
    resolver: Arc<Resolver>,
    trust: watch::Sender<Trust>,
    injected: watch::Receiver<Injected>,
    secret: Option<Secret>,
    contents: Contents,
    /// What this replica serves, if we made it.
    served: Option<Ours>,
    pace: Pace,
    backoff: DefaultBackoff,
    retry_at: Option<Instant>,
}

/// Why the Secret could not be read or written.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("cannot make a certificate: {0}")]
    Issue(#[from] rcgen::Error),
    #[error("the API server did not answer within {REQUEST_TIMEOUT:?}")]
    TimedOut,
    #[error(transparent)]
    Api(#[from] kube::Error),
    #[error("others change the Secret all the time")]
    Contended,
}

impl Keeper {
    /// A keeper; whom to trust, for the injectors; and where they say what they see.
    pub(super) fn new(
        client: &Client,
        settings: &WebhookSettings,
        targets: &[Target],
        resolver: &Arc<Resolver>,
    ) -> (Self, watch::Receiver<Trust>, watch::Sender<Injected>) {
        let (trust, trusted) = watch::channel(Trust::default());
        let (injected, seen) = watch::channel(Injected::new());
        let keeper = Self {
            api: Api::namespaced(client.clone(), &settings.namespace),
            namespace: settings.namespace.clone(),
            name: settings.secret(),
            names: settings.names(),
            lifetime: settings.lifetime,
            targets: targets.to_vec(),
            resolver: Arc::clone(resolver),
            trust,
            injected: seen,
            secret: None,
            contents: Contents::Empty,
            served: None,
            pace: Pace::new(Instant::now()),
            backoff: DefaultBackoff::default(),
            retry_at: None,
        };
        (keeper, trusted, injected)
    }

    /// Reads the certificate, or makes one. When somebody else is to make it, it may not be there yet.
    pub(super) async fn open(&mut self) -> Result<(), WebhookError> {
        self.read_or_make()
            .await
            .map_err(|error| WebhookError::KeepCertificate {
                secret: self.name.to_owned(),
                namespace: self.namespace.clone(),
                source: Box::new(error),
            })
    }

    async fn read_or_make(&mut self) -> Result<(), KeepError> {
        self.read().await?;
        for _ in 0..ATTEMPTS {
            match self.next_step() {
                step @ Step::Replace(_) => self.take(&step).await?,
                // The rest has time.
                Step::Wait(_) | Step::Announce | Step::Switch => return Ok(()),
            }
        }
        Err(KeepError::Contended)
    }

    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut secrets = pin!(watch_object(self.api.clone(), self.name).default_backoff());
        let mut injected = self.injected.clone();
        loop {
            let wake_at = tokio::select! {
                () = shutdown.cancelled() => return,
                wake_at = self.keep() => wake_at,
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                secret = secrets.next() => match secret {
                    Some(Ok(secret)) => self.adopt(secret),
                    Some(Err(error)) => tracing::warn!(
                        secret = self.name, error = %error,
                        "cannot watch the Secret with the webhook certificate; the controller's role needs list and \
                         watch on it"
                    ),
                    // A watch has no end.
                    None => return,
                },
                // Fails when all injectors have ended, which they do together with this.
                Ok(()) = injected.changed() => {},
                () = sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => {},
            }
        }
    }

    /// Does all that is due, and says when to look again at the latest.
    async fn keep(&mut self) -> Option<Instant> {
        loop {
            let step = self.next_step();
            if let Step::Wait(until) = step {
                return until.map(instant);
            }
            let now = Instant::now();
            let at = self.pace.next(now).max(self.retry_at.unwrap_or(now));
            if at > now {
                return Some(at);
            }
            self.pace.spend(now);
            match self.take(&step).await {
                Ok(()) => {
                    self.retry_at = None;
                    self.backoff = DefaultBackoff::default();
                }
                Err(error) => {
                    self.retry_at = Some(Instant::now() + self.backoff.next().unwrap_or(REQUEST_TIMEOUT));
                    tracing::error!(
                        secret = self.name, error = %error,
                        "cannot renew the webhook certificate; the controller's role needs get and update on this Secret"
                    );
                }
            }
        }
    }

    fn next_step(&self) -> Step {
        let published = self.is_published();
        next_step(&self.contents, &self.circumstances(published))
    }

    fn circumstances(&self, published: bool) -> Circumstances<'_> {
        Circumstances {
            now: Timestamp::now(),
            names: &self.names,
            lifetime: self.lifetime,
            published,
        }
    }

    /// Whether every object that names our webhooks, and exists, says to trust the authorities of the Secret.
    fn is_published(&self) -> bool {
        let Contents::Ours(ours) = &self.contents else {
            return false;
        };
        let injected = self.injected.borrow();
        self.targets.iter().all(|target| match injected.get(target.name) {
            Some(Seen(Some(object))) => target.trusts(object, &ours.authorities),
            Some(Seen(None)) => true,
            None => false,
        })
    }

    /// Writes what comes after a step, or reads what somebody else has written in the meantime.
    async fn take(&mut self, step: &Step) -> Result<(), KeepError> {
        let held = match &self.contents {
            Contents::Ours(ours) => Some(ours.as_ref()),
            _ => self.served.as_ref(),
        };
        let Some(wanted) = after(step, held, &self.circumstances(false))? else {
            return Ok(());
        };
        match step {
            Step::Replace(reason) if matches!(self.contents, Contents::Empty) => {
                tracing::info!(secret = self.name, reason, "writing a webhook certificate");
            }
            Step::Replace(reason) => {
                tracing::warn!(secret = self.name, reason, "writing a new webhook certificate")
            }
            Step::Announce => tracing::info!(secret = self.name, "announcing a new webhook certificate"),
            Step::Switch => tracing::info!(secret = self.name, "serving the new webhook certificate"),
            Step::Wait(_) => {}
        }
        match self.write(&wanted).await {
            Ok(secret) => self.adopt(Some(secret)),
            // It was changed, or made, or deleted.
            Err(KeepError::Api(kube::Error::Api(status)))
                if status.code == 409 || status.code == 404 && self.secret.is_some() =>
            {
                tracing::debug!(secret = self.name, "another replica was faster");
                self.read().await?;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), KeepError> {
        let secret = in_time(self.api.get_opt(self.name)).await?;
        self.adopt(secret);
        Ok(())
    }

    /// Writes the Secret, unless it has changed since it was read.
    async fn write(&self, ours: &Ours) -> Result<Secret, KeepError> {
        let parameters = PostParams::default();
        let mut secret = self.secret.clone().unwrap_or_else(|| Secret {
            metadata: ObjectMeta {
                name: Some(self.name.to_owned()),
                ..ObjectMeta::default()
            },
            ..Secret::default()
        });
        ours.write(secret.data.get_or_insert_default());
        if self.secret.is_some() {
            in_time(self.api.replace(self.name, &parameters, &secret)).await
        } else {
            in_time(self.api.create(&parameters, &secret)).await
        }
    }

    /// Takes over what the Secret says. What cannot be used changes nothing of what is served.
    fn adopt(&mut self, secret: Option<Secret>) {
        self.contents = Contents::read(secret.as_ref());
        self.secret = secret;
        let trust = match &self.contents {
            Contents::Ours(ours) => {
                self.resolver.serve(&ours.serving);
                self.served = Some(ours.as_ref().clone());
                Trust::Authorities(ours.authorities.clone())
            }
            Contents::External { serving, authorities } => {
                self.resolver.serve(serving);
                self.served = None;
                authorities.clone().map_or(Trust::AsItIs, Trust::Authorities)
            }
            Contents::AwaitingExternal(reason) => {
                tracing::warn!(
                    secret = self.name,
                    reason,
                    "waiting for a certificate in the Secret; it is made by cert-manager, look there"
                );
                return;
            }
            Contents::Empty | Contents::Garbage(_) => return,
        };
        self.trust.send_if_modified(|current| {
            let is_new = *current != trust;
            *current = trust;
            is_new
        });
    }
}

async fn in_time<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, KeepError> {
    Ok(timeout(REQUEST_TIMEOUT, request)
        .await
        .map_err(|_| KeepError::TimedOut)??)
}

/// When the wall clock will show `time`.
fn instant(time: Timestamp) -> Instant {
    let wait = Duration::try_from(time.duration_since(Timestamp::now())).unwrap_or_default();
    Instant::now() + wait
}
