//! The webhooks: admission of RAGEngines and Workspaces, conversion between their versions, and all that it takes for
//! the API server to trust them.
//!
//! Every replica serves. What they share is one Secret with the certificate: a replica that finds it missing, unusable
//! or old writes it, the others read what was written. `keeper` does that and `rotation` decides when; `injector`
//! keeps the certificate's authority in the objects that tell the API server where the webhooks are. What is let in is
//! decided in [`kaito_api::admission`]; `admission` only finds the facts.
//!
//! Deliberately absent: probes (`run` serves them), and the ValidatingWebhookConfigurations and CRDs themselves, which
//! the Helm charts make.

mod settings;

mod admission;
mod config_maps;
mod conversion;
mod metrics;
mod server;

mod certificate;
mod injection;
mod injector;
mod keeper;
mod pace;
mod rotation;
mod secret;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use kaito_api::admission::{Load, Preset};
use kube::Client;
use prometheus_client::registry::Registry;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use settings::{CertificateLifetime, InvalidWebhookUrl, WebhookSettings, WebhookUrl};

use injector::Injector;
use keeper::Keeper;
use metrics::WebhookMetrics;
use server::{Resolver, Server};

/// Where facts about models come from.
pub trait PresetFactsSource: Send + Sync {
    /// What is known of the model that a Workspace names. The name is as the user wrote it, in any case.
    fn preset(&self, name: &str) -> Preset;

    /// Whether the model fits on the machines, as far as both are known; if not, why. Without a context of
    /// `context_tokens`, the usual one counts.
    ///
    /// # Errors
    ///
    /// The arithmetic, and what would fit.
    fn fit(&self, load: &Load<'_>, context_tokens: Option<u64>) -> Result<(), String>;
}

/// Why the webhooks cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The port is taken, or may not be used.
    #[error("cannot listen for webhooks on {address}; choose another port with --webhook-port")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS for webhooks")]
    Tls(#[source] rustls::Error),
    /// The Secret with the certificate can be neither read nor written.
    #[error(
        "cannot keep the webhook certificate in Secret {secret:?} of namespace {namespace:?}; the controller's role \
         needs get, list, watch and update on it, and create where the chart does not make it"
    )]
    KeepCertificate {
        /// Name of the Secret.
        secret: String,
        /// Its namespace.
        namespace: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Webhooks that are served.
#[derive(Debug)]
pub struct Webhook {
    address: SocketAddr,
    resolver: Arc<Resolver>,
    metrics: WebhookMetrics,
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
}

impl Webhook {
    /// Listens, reads or makes the certificate, and serves until `shutdown` is cancelled.
    ///
    /// # Errors
    ///
    /// The port cannot be had, or the Secret with the certificate can be neither read nor written.
    pub async fn start(
        client: Client,
        settings: WebhookSettings,
        presets: Arc<dyn PresetFactsSource>,
        shutdown: CancellationToken,
    ) -> Result<Self, WebhookError> {
        let resolver = Arc::new(Resolver::default());
        let metrics = WebhookMetrics::default();
        let server = Server::bind(settings.address, &resolver)?;
        let address = server.address();
        let targets = injection::targets(&settings.controllers);
        let (mut keeper, trust, injected) = Keeper::new(&client, &settings, &targets, &resolver);
        keeper.open().await?;

        let mut tasks = JoinSet::new();
        for target in targets {
            let injector = Injector::new(&client, &settings, target, trust.clone(), injected.clone());
            tasks.spawn(injector.run(shutdown.clone()));
        }
        tasks.spawn(keeper.run(shutdown.clone()));
        let reviewer = admission::Reviewer::new(client, settings.environment, settings.namespace, presets);
        tasks.spawn(server.run(server::router(reviewer, &metrics), shutdown.clone()));
        tracing::info!(webhook.address = %address, "serving webhooks");
        Ok(Self {
            address,
            resolver,
            metrics,
            shutdown,
            tasks,
        })
    }

    /// Where the webhooks are served; the port is known even if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether requests can be answered: there is a certificate, and the end has not begun.
    pub fn is_ready(&self) -> bool {
        self.resolver.has_certificate() && !self.shutdown.is_cancelled()
    }

    /// Adds the counter `kaito_webhook_requests_total` to what is exported. It counts from the start either way.
    pub fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    /// Waits until everything has ended: after the token was cancelled and open requests were answered.
    pub async fn stopped(mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(error = %error, "a task of the webhooks ended unexpectedly");
            }
        }
    }
}
