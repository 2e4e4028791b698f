//! Names, help texts and buckets.

use std::hash::Hash;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use super::authentication::AuthenticationMetrics;
use super::chat::ChatMetrics;
use super::guardrails::GuardrailsMetrics;
use super::{EmbeddingLabels, Operation, RebuildLabels, SearchModeLabels, StatusLabels, StoreLabels};

const LATENCY: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
const STORE_LATENCY: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const RESULT_COUNTS: &[f64] = &[0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 300.0];
const LOW_SCORES: &[f64] = &[0.1, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];
const HIGH_SCORES: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0];
const SPREADS: &[f64] = &[0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0];
const CANDIDATES: &[f64] = &[0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0];
const SOURCES: &[f64] = &[0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0];

/// Counts are floats, as KAITO's: `3.0` on the wire.
pub(super) type FloatCounter = Counter<f64, AtomicU64>;
pub(super) type HistogramFamily<Labels> = Family<Labels, Histogram, Buckets>;

/// Makes histograms with given bounds.
#[derive(Clone)]
pub(super) struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// Latency and number of requests to one route.
pub(super) struct RouteMetrics {
    pub(super) latency: HistogramFamily<StatusLabels>,
    pub(super) requests: Family<StatusLabels, FloatCounter>,
}

/// Every metric, and the registry that prints them.
pub(super) struct Registered {
    pub(super) registry: Registry,
    pub(super) running: Gauge,
    pub(super) all_requests: RouteMetrics,
    pub(super) embedding_latency: HistogramFamily<EmbeddingLabels>,
    pub(super) embedding_requests: Family<EmbeddingLabels, FloatCounter>,
    pub(super) store_latency: HistogramFamily<StoreLabels>,
    pub(super) search_modes: Family<SearchModeLabels, FloatCounter>,
    pub(super) indexes: Gauge,
    pub(super) nodes: Gauge,
    pub(super) rebuilds: Family<RebuildLabels, FloatCounter>,
    pub(super) result_count: Histogram,
    pub(super) lowest_score: Histogram,
    pub(super) average_score: Histogram,
    pub(super) top_score: Histogram,
    pub(super) median_score: Histogram,
    pub(super) score_spread: Histogram,
    pub(super) dense_candidates: Histogram,
    pub(super) sparse_candidates: Histogram,
    pub(super) overlap: Histogram,
    pub(super) dense_only: Histogram,
    pub(super) sparse_only: Histogram,
    index: RouteMetrics,
    list_indexes: RouteMetrics,
    list_documents: RouteMetrics,
    update_documents: RouteMetrics,
    delete_documents: RouteMetrics,
    delete_index: RouteMetrics,
    retrieve: RouteMetrics,
    persist: RouteMetrics,
    load: RouteMetrics,
    chat: RouteMetrics,
    list_models: RouteMetrics,
    pub(super) chats: ChatMetrics,
    pub(super) authentication: AuthenticationMetrics,
    pub(super) guardrails: GuardrailsMetrics,
}

impl Registered {
    pub(super) fn new() -> Self {
        let mut registry = Registry::default();
        let registrar = &mut registry;
        Self {
            running: register(
                registrar,
                "num_requests_running",
                "Requests being served",
                Gauge::default(),
            ),
            all_requests: route(registrar, "e2e_request", "all tracked routes"),
            embedding_latency: register(
                registrar,
                "rag_embedding_latency_seconds",
                "Time to embed one batch of passages",
                Family::new_with_constructor(Buckets(LATENCY)),
            ),
            embedding_requests: register(
                registrar,
                "rag_embedding_requests",
                "Batches of passages embedded",
                Family::default(),
            ),
            store_latency: register(
                registrar,
                "rag_vector_store_operation_latency_seconds",
                "Time of one operation on the store",
                Family::new_with_constructor(Buckets(STORE_LATENCY)),
            ),
            search_modes: register(
                registrar,
                "rag_hybrid_search_mode",
                "Retrievals by the searches that took part",
                Family::default(),
            ),
            indexes: register(registrar, "rag_index_count", "Indexes", Gauge::default()),
            nodes: register(registrar, "rag_node_count", "Passages in all indexes", Gauge::default()),
            rebuilds: register(
                registrar,
                "rag_derived_index_rebuilds",
                "Vector and lexical indexes rebuilt from the documents",
                Family::default(),
            ),
            result_count: histogram(
                registrar,
                "rag_retrieve_result_count",
                "Passages returned",
                RESULT_COUNTS,
            ),
            lowest_score: histogram(
                registrar,
                "rag_lowest_source_score",
                "Lowest score returned",
                LOW_SCORES,
            ),
            average_score: histogram(registrar, "rag_avg_source_score", "Mean score returned", LOW_SCORES),
            top_score: histogram(registrar, "rag_hybrid_top_score", "Highest score returned", HIGH_SCORES),
            median_score: histogram(
                registrar,
                "rag_hybrid_median_score",
                "Median score returned",
                HIGH_SCORES,
            ),
            score_spread: histogram(
                registrar,
                "rag_hybrid_score_spread",
                "Highest less lowest score",
                SPREADS,
            ),
            dense_candidates: histogram(
                registrar,
                "rag_hybrid_dense_candidates",
                "Hits of vector search before fusion",
                CANDIDATES,
            ),
            sparse_candidates: histogram(
                registrar,
                "rag_hybrid_sparse_candidates",
                "Hits of word search before fusion",
                CANDIDATES,
            ),
            overlap: histogram(
                registrar,
                "rag_hybrid_overlap_count",
                "Results found by both searches",
                SOURCES,
            ),
            dense_only: histogram(
                registrar,
                "rag_hybrid_dense_only_count",
                "Results found by vector search only",
                SOURCES,
            ),
            sparse_only: histogram(
                registrar,
                "rag_hybrid_sparse_only_count",
                "Results found by word search only",
                SOURCES,
            ),
            index: route(registrar, "rag_index", "POST /index"),
            list_indexes: route(registrar, "rag_indexes", "GET /indexes"),
            list_documents: route(registrar, "rag_indexes_document", "GET /indexes/{name}/documents"),
            update_documents: route(
                registrar,
                "rag_indexes_update_document",
                "POST /indexes/{name}/documents",
            ),
            delete_documents: route(
                registrar,
                "rag_indexes_delete_document",
                "POST /indexes/{name}/documents/delete",
            ),
            delete_index: route(registrar, "rag_delete_index", "DELETE /indexes/{name}"),
            retrieve: route(registrar, "rag_indexes_retrieve", "POST /retrieve"),
            persist: route(registrar, "rag_persist", "POST /persist/{name}"),
            load: route(registrar, "rag_load", "POST /load/{name}"),
            chat: route(registrar, "rag_chat", "POST /v1/chat/completions"),
            list_models: route(registrar, "rag_models", "GET /v1/models"),
            chats: ChatMetrics::register(registrar),
            authentication: AuthenticationMetrics::register(registrar),
            guardrails: GuardrailsMetrics::register(registrar),
            registry,
        }
    }

    pub(super) fn route(&self, operation: Operation) -> &RouteMetrics {
        match operation {
            Operation::Index => &self.index,
            Operation::ListIndexes => &self.list_indexes,
            Operation::ListDocuments => &self.list_documents,
            Operation::UpdateDocuments => &self.update_documents,
            Operation::DeleteDocuments => &self.delete_documents,
            Operation::DeleteIndex => &self.delete_index,
            Operation::Retrieve => &self.retrieve,
            Operation::Persist => &self.persist,
            Operation::Load => &self.load,
            Operation::Chat => &self.chat,
            Operation::ListModels => &self.list_models,
        }
    }
}

pub(super) fn register<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

/// Histograms of latencies, in seconds.
pub(super) fn latency_family<Labels: Clone + Hash + Eq>() -> HistogramFamily<Labels> {
    Family::new_with_constructor(Buckets(LATENCY))
}

fn histogram(registry: &mut Registry, name: &str, help: &str, buckets: &'static [f64]) -> Histogram {
    register(registry, name, help, Buckets(buckets).new_metric())
}

fn route(registry: &mut Registry, prefix: &str, route: &str) -> RouteMetrics {
    // The sum over all routes is the one that does not say "requests".
    let requests = if prefix == "e2e_request" {
        prefix.to_owned()
    } else {
        format!("{prefix}_requests")
    };
    RouteMetrics {
        latency: register(
            registry,
            &format!("{prefix}_latency_seconds"),
            &format!("Time to serve {route}"),
            Family::new_with_constructor(Buckets(LATENCY)),
        ),
        requests: register(registry, &requests, &format!("Requests to {route}"), Family::default()),
    }
}
