//! What the guardrails did, under KAITO's names.

use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rag_guardrails::{ScannerHit, ScannerType};

use super::registry::{FloatCounter, register};
use super::{ReloadLabels, ReloadResult};

/// What became of reading a policy; a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "variant names are the label values on the wire")]
pub(crate) enum PolicyStatus {
    /// It is in use.
    success,
    /// There is no such file.
    missing,
    /// It cannot be read or is not YAML.
    load_failed,
    /// It is YAML of another shape.
    invalid,
}

/// What became of an answer; a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "variant names are the label values on the wire")]
pub(crate) enum FinalAction {
    /// It left as it was.
    allow,
    /// Something was replaced.
    redact,
    /// It did not leave.
    block,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoadLabels {
    policy_status: PolicyStatus,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    r#type: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HitLabels {
    scanner_type: &'static str,
    action: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActionLabels {
    final_action: FinalAction,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PolicyLabels {
    path: String,
    sha256: String,
    enabled: &'static str,
    scanner_count: String,
}

/// Counters of the guardrails.
pub(crate) struct GuardrailsMetrics {
    loads: Family<LoadLabels, FloatCounter>,
    builds: Family<BuildLabels, FloatCounter>,
    hits: Family<HitLabels, FloatCounter>,
    actions: Family<ActionLabels, FloatCounter>,
    reloads: Family<ReloadLabels, FloatCounter>,
    loaded_at: Gauge<f64, AtomicU64>,
    outdated: Gauge,
    active: Family<PolicyLabels, Gauge>,
}

/// The policy in use, as the metrics describe it.
pub(crate) struct ActivePolicy<'policy> {
    pub(crate) path: Option<&'policy str>,
    pub(crate) sha256: Option<&'policy str>,
    pub(crate) enabled: bool,
    pub(crate) scanner_count: usize,
}

impl GuardrailsMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            loads: register(
                registry,
                "output_guardrails_policy_load",
                "Guardrail policies read",
                Family::default(),
            ),
            builds: register(
                registry,
                "output_guardrails_scanner_build",
                "Guardrail scanners built",
                Family::default(),
            ),
            hits: register(
                registry,
                "ragengine_guardrails_response_scanner_hits",
                "Answers in which a guardrail scanner found something",
                Family::default(),
            ),
            actions: register(
                registry,
                "ragengine_guardrails_response_actions",
                "Scanned answers by what became of them",
                Family::default(),
            ),
            reloads: register(
                registry,
                "guardrails_policy_reload",
                "Changes of the guardrail policy's file",
                Family::default(),
            ),
            loaded_at: register(
                registry,
                "guardrails_policy_loaded_timestamp_seconds",
                "When the guardrail policy in use was read",
                Gauge::default(),
            ),
            outdated: register(
                registry,
                "guardrails_policy_outdated",
                "1 while the policy's file is unusable and an earlier policy, or none, is in use",
                Gauge::default(),
            ),
            active: register(
                registry,
                "guardrails_active_policy_info",
                "The guardrail policy in use",
                Family::default(),
            ),
        }
    }

    pub(crate) fn observe_load(&self, policy_status: PolicyStatus) {
        self.loads.get_or_create(&LoadLabels { policy_status }).inc();
    }

    pub(crate) fn observe_build(&self, scanner: ScannerType) {
        self.builds
            .get_or_create(&BuildLabels {
                r#type: scanner.name(),
                status: "success",
            })
            .inc();
    }

    pub(crate) fn observe_reload(&self, result: ReloadResult) {
        self.reloads.get_or_create(&ReloadLabels { result }).inc();
        self.outdated.set(i64::from(result == ReloadResult::failure));
    }

    /// A file that was unusable from the start: there is no earlier policy.
    pub(crate) fn observe_outdated(&self) {
        self.outdated.set(1);
    }

    pub(crate) fn observe_active(&self, policy: &ActivePolicy<'_>) {
        self.active.clear();
        self.active
            .get_or_create(&PolicyLabels {
                path: policy.path.unwrap_or("none").to_owned(),
                sha256: policy.sha256.unwrap_or("none").to_owned(),
                enabled: if policy.enabled { "true" } else { "false" },
                scanner_count: policy.scanner_count.to_string(),
            })
            .set(1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.loaded_at.set(now.as_secs_f64());
    }

    pub(crate) fn observe_action(&self, final_action: FinalAction) {
        self.actions.get_or_create(&ActionLabels { final_action }).inc();
    }

    pub(crate) fn observe_hits(&self, hits: &[ScannerHit]) {
        for hit in hits {
            let labels = HitLabels {
                scanner_type: hit.scanner.name(),
                action: hit.action.name(),
            };
            self.hits.get_or_create(&labels).inc();
        }
    }
}
