//! Chats and the model behind them.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::registry::{FloatCounter, HistogramFamily, latency_family, register};

/// Where an answer came from; a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "variant names are the label values on the wire")]
pub(crate) enum Grounding {
    /// Passages of an index.
    grounded,
    /// An index was named, and no passage was found or none could be used.
    ungrounded,
    /// No index was named.
    passthrough,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GroundingLabels {
    grounding: Grounding,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    status: &'static str,
}

/// Counters of chats.
pub(crate) struct ChatMetrics {
    chats: Family<GroundingLabels, FloatCounter>,
    model_requests: Family<OutcomeLabels, FloatCounter>,
    model_latency: HistogramFamily<OutcomeLabels>,
}

impl ChatMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            chats: register(
                registry,
                "rag_chat_answers",
                "Chats by where their answer came from",
                Family::default(),
            ),
            model_requests: register(
                registry,
                "rag_llm_requests",
                "Requests to the language model",
                Family::default(),
            ),
            model_latency: register(
                registry,
                "rag_llm_latency_seconds",
                "Time until the language model answered, or began to if the answer is streamed",
                latency_family(),
            ),
        }
    }

    pub(crate) fn observe_chat(&self, grounding: Grounding) {
        self.chats.get_or_create(&GroundingLabels { grounding }).inc();
    }

    pub(crate) fn observe_model(&self, succeeded: bool, took: Duration) {
        let labels = OutcomeLabels {
            status: if succeeded { "success" } else { "failure" },
        };
        self.model_requests.get_or_create(&labels).inc();
        self.model_latency.get_or_create(&labels).observe(took.as_secs_f64());
    }
}
