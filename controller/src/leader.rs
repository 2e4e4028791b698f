//! Leader election by a Lease, as other controllers do it: of several copies, one works.
//!
//! Clocks of machines differ, so the times in a Lease are never compared with the own clock. A Lease is over when it has
//! not changed for its duration, as measured here. A leader that cannot renew in time stops before that, which is
//! before anybody else takes over.

mod lease;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

pub use lease::{Decision, Observed, decide};

/// How the election goes.
#[derive(Clone, Debug)]
pub struct ElectionSettings {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Name of this copy; no other has it.
    pub identity: String,
    /// How long a Lease is good for without renewal.
    pub duration: Duration,
    /// How long the leader may try in vain to renew.
    pub deadline: Duration,
    /// How often it is tried.
    pub period: Duration,
}

/// One copy's part in the election.
pub struct Election {
    api: Api<Lease>,
    settings: ElectionSettings,
    observed: Observed,
}

impl Election {
    /// Takes part.
    pub fn new(client: Client, settings: ElectionSettings) -> Self {
        Self {
            api: Api::namespaced(client, &settings.namespace),
            settings,
            observed: Observed::default(),
        }
    }

    /// Waits until this copy leads; `false` if it is told to stop before.
    pub async fn win(&mut self, stop: &CancellationToken) -> bool {
        let mut rounds = self.rounds();
        loop {
            tokio::select! {
                _ = rounds.tick() => {}
                () = stop.cancelled() => return false,
            }
            match self.attempt().await {
                Ok(true) => {
                    tracing::info!(
                        lease.name = self.settings.name,
                        leader = self.settings.identity,
                        "leading"
                    );
                    return true;
                }
                Ok(false) => {}
                Err(error) => tracing::warn!(error = %crate::watch::chain(&error), "the lease cannot be had"),
            }
        }
    }

    /// Renews until the lease is lost: then this returns, and the work has to end at once.
    pub async fn hold(&mut self) {
        let mut rounds = self.rounds();
        let mut renewed = Instant::now();
        loop {
            rounds.tick().await;
            let left = (renewed + self.settings.deadline).saturating_duration_since(Instant::now());
            match timeout(left, self.attempt()).await {
                Ok(Ok(true)) => renewed = Instant::now(),
                Ok(Ok(false)) => {
                    tracing::error!("another copy has taken the lease");
                    return;
                }
                Ok(Err(error)) => tracing::warn!(error = %crate::watch::chain(&error), "the lease is not renewed yet"),
                Err(_) => {}
            }
            if renewed.elapsed() >= self.settings.deadline {
                tracing::error!("the lease could not be renewed in time");
                return;
            }
        }
    }

    /// Gives the lease back, so that nobody has to wait for its end.
    pub async fn release(&mut self) {
        let Some(mut lease) = self.observed.lease().cloned() else {
            return;
        };
        let Some(spec) = lease
            .spec
            .as_mut()
            .filter(|spec| spec.holder_identity.as_ref() == Some(&self.settings.identity))
        else {
            return;
        };
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        let parameters = PostParams::default();
        let replaced = self.api.replace(&self.settings.name, &parameters, &lease);
        match timeout(self.settings.period, replaced).await {
            Ok(Ok(_)) => tracing::info!("the lease was given back"),
            Ok(Err(error)) => tracing::warn!(%error, "the lease was not given back"),
            Err(_) => tracing::warn!("the lease was not given back in time"),
        }
    }

    fn rounds(&self) -> tokio::time::Interval {
        let mut rounds = interval(self.settings.period);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        rounds
    }

    /// Looks at the lease and takes or renews it if that is possible. Whether this copy has it then.
    async fn attempt(&mut self) -> Result<bool, kube::Error> {
        let found = self.api.get_opt(&self.settings.name).await?;
        self.observed.see(found, Instant::now());
        let settings = &self.settings;
        let decision = decide(
            &self.observed,
            &settings.identity,
            settings.duration,
            Instant::now(),
            Timestamp::now(),
        );
        let written = match decision {
            Decision::Wait => return Ok(false),
            Decision::Create(mut lease) => {
                lease.metadata.name = Some(settings.name.clone());
                self.api.create(&PostParams::default(), &lease).await
            }
            // With the version that was seen: of several copies that try this, one succeeds.
            Decision::Replace(lease) => self.api.replace(&settings.name, &PostParams::default(), &lease).await,
        };
        match written {
            Ok(lease) => {
                self.observed.see(Some(lease), Instant::now());
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }
}
