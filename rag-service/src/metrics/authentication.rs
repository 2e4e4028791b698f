//! API keys.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::registry::{FloatCounter, register};
use super::{ReloadLabels, ReloadResult};

/// Why a request was refused before it was looked at; a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "variant names are the label values on the wire")]
pub(crate) enum Refusal {
    /// It has no key, or not in the way that is understood.
    no_key,
    /// Its key is nobody's.
    unknown_key,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    reason: Refusal,
}

/// Counters of authentication.
pub(crate) struct AuthenticationMetrics {
    refusals: Family<RefusalLabels, FloatCounter>,
    reloads: Family<ReloadLabels, FloatCounter>,
    outdated: Gauge,
}

impl AuthenticationMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            refusals: register(
                registry,
                "rag_unauthenticated_requests",
                "Requests refused because they had no valid API key",
                Family::default(),
            ),
            reloads: register(
                registry,
                "rag_api_keys_reload",
                "Changes of the directory of API keys; a failure means that not every file in it could be used",
                Family::default(),
            ),
            outdated: register(
                registry,
                "rag_api_keys_outdated",
                "1 while not every file in the directory of API keys can be used",
                Gauge::default(),
            ),
        }
    }

    pub(crate) fn observe_refusal(&self, reason: Refusal) {
        self.refusals.get_or_create(&RefusalLabels { reason }).inc();
    }

    pub(crate) fn observe_reload(&self, result: ReloadResult) {
        self.reloads.get_or_create(&ReloadLabels { result }).inc();
        self.outdated.set(i64::from(result == ReloadResult::failure));
    }
}
