//! What is counted of the webhooks.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Which webhook was asked; a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "variant names are the label values on the wire")]
pub(super) enum Path {
    /// Admission of RAGEngines.
    validate_ragengine,
    /// Admission of Workspaces.
    validate_workspace,
    /// Admission of InferenceSets.
    validate_inferenceset,
    /// Conversion.
    convert,
}

/// How it went; a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "variant names are the label values on the wire")]
pub(super) enum Verdict {
    /// The object was let in.
    allowed,
    /// The object was refused.
    refused,
    /// All objects were converted.
    converted,
    /// An object could not be converted.
    failed,
    /// The request was none that an API server would send.
    unreadable,
    /// There was no time or no room for it.
    dropped,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    path: Path,
    verdict: Verdict,
}

/// Counters of the webhooks. Clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct WebhookMetrics {
    requests: Family<Labels, Counter>,
}

impl WebhookMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "kaito_webhook_requests",
            "Requests to the admission and conversion webhooks by what came of them",
            self.requests.clone(),
        );
    }

    pub(super) fn count(&self, path: Path, verdict: Verdict) {
        self.requests.get_or_create(&Labels { path, verdict }).inc();
    }
}
