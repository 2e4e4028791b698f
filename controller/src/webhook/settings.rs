//! How the webhooks are set up.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use axum::http::Uri;
use kaito_api::admission::Environment;

use crate::options::ControllerKind;

/// How the webhooks are set up.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Where to listen. Port 0 takes one that is free.
    pub address: SocketAddr,
    /// Namespace that the controller is installed in: the Service, the Secret and the default guardrails policy are
    /// there.
    pub namespace: String,
    /// Name of the Service in front.
    pub service: String,
    /// Port of the Service.
    pub service_port: u16,
    /// Where the API server finds the webhooks instead of the Service.
    pub url: Option<WebhookUrl>,
    /// The resources whose webhooks are kept up.
    pub controllers: BTreeSet<ControllerKind>,
    /// What the rules of admission depend on.
    pub environment: Environment,
    /// How long certificates last. The default suits everything but tests.
    pub lifetime: CertificateLifetime,
}

impl WebhookSettings {
    /// Secret with the certificate. KAITO has one a chart; with both controllers in one process, the engine's is used.
    pub(super) fn secret(&self) -> &'static str {
        if self.controllers.contains(&ControllerKind::Ragengine) {
            "ragengine-webhook-cert"
        } else {
            "workspace-webhook-cert"
        }
    }

    /// The names that the certificate must be good for.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let Self { service, namespace, .. } = self;
        [
            service.clone(),
            format!("{service}.{namespace}"),
            format!("{service}.{namespace}.svc"),
            format!("{service}.{namespace}.svc.cluster.local"),
        ]
        .into_iter()
        .chain(self.url.as_ref().map(|url| url.host.clone()))
        .collect()
    }
}

/// How long certificates last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateLifetime {
    /// How long a certificate is good for. It is replaced after two thirds of this.
    pub validity: Duration,
    /// How long a new authority is published before a certificate that it signed is served: API servers need a moment
    /// until they have read it.
    pub settle: Duration,
}

impl Default for CertificateLifetime {
    fn default() -> Self {
        Self {
            validity: Duration::from_secs(90 * 24 * 60 * 60),
            settle: Duration::from_secs(60),
        }
    }
}

/// Where an API server finds webhooks that are not behind a Service: `https://host:port`, perhaps with a path before
/// the webhooks' own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookUrl {
    base: String,
    host: String,
}

/// Why a text is no URL of webhooks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no URL for webhooks: it must be https://host:port without user, query or fragment")]
pub struct InvalidWebhookUrl(String);

impl WebhookUrl {
    /// URL of the webhook with this path.
    pub(super) fn of(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

impl FromStr for WebhookUrl {
    type Err = InvalidWebhookUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || InvalidWebhookUrl(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let has_user = uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'));
        if uri.scheme_str() != Some("https") || host.is_empty() || has_user || text.contains(['?', '#']) {
            return Err(wrong());
        }
        Ok(Self {
            base: text.trim_end_matches('/').to_owned(),
            host: host.to_owned(),
        })
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.base)
    }
}
