//! Counters and histograms under KAITO's names, so that its dashboards go on working.

mod authentication;
mod chat;
mod guardrails;
mod registry;

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::EncodeLabelValue;
use rag_core::retrieval::{HitSource, RetrievalMode};
use rag_store::{Candidates, RebuildCause, StoreObserver, Totals};

use self::authentication::AuthenticationMetrics;
pub(crate) use self::authentication::Refusal;
use self::chat::ChatMetrics;
pub(crate) use self::chat::Grounding;
use self::guardrails::GuardrailsMetrics;
pub(crate) use self::guardrails::{ActivePolicy, FinalAction, PolicyStatus};
use self::registry::Registered;
use crate::engine::RetrievedNode;

/// Whether the embedding model runs here or elsewhere; a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "variant names are the label values on the wire")]
pub enum EmbeddingMode {
    /// In this process.
    local,
    /// At another service.
    remote,
}

/// A route with a latency histogram and a request counter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// POST /index
    Index,
    /// GET /indexes
    ListIndexes,
    /// GET /indexes/{name}/documents
    ListDocuments,
    /// POST /indexes/{name}/documents
    UpdateDocuments,
    /// POST /indexes/{name}/documents/delete
    DeleteDocuments,
    /// DELETE /indexes/{name}
    DeleteIndex,
    /// POST /retrieve
    Retrieve,
    /// POST /persist/{name}
    Persist,
    /// POST /load/{name}
    Load,
    /// POST /v1/chat/completions
    Chat,
    /// GET /v1/models
    ListModels,
}

/// What became of a change of files that are read again while the service runs; a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "variant names are the label values on the wire")]
pub(crate) enum ReloadResult {
    /// What they say now is in use.
    success,
    /// They cannot be used, or not all of them; what they said before goes on being used as far as it must.
    failure,
    /// Nothing had changed.
    noop,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    result: ReloadResult,
}

/// An operation on the store; a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "variant names are the label values on the wire")]
enum StoreOperationLabel {
    insert,
    query,
    delete,
}

/// An operation on the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreOperation {
    /// Documents were added.
    Insert,
    /// Passages were looked for.
    Query,
    /// Documents were deleted.
    Delete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "variant names are the label values on the wire")]
enum Status {
    success,
    failure,
    /// What the store's histogram says where the others say `failure`.
    error,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    status: Status,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EmbeddingLabels {
    status: Status,
    mode: EmbeddingMode,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StoreLabels {
    operation: StoreOperationLabel,
    status: Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "variant names are the label values on the wire")]
enum SearchMode {
    hybrid,
    dense,
    lexical,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SearchModeLabels {
    search_mode: SearchMode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "variant names are the label values on the wire")]
enum DerivedIndex {
    dense,
    lexical,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "variant names are the label values on the wire")]
enum Cause {
    stale_files,
    failed_apply,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RebuildLabels {
    index: DerivedIndex,
    cause: Cause,
}

/// All metrics of one process.
pub struct Metrics {
    registered: Registered,
    embedding_mode: EmbeddingMode,
}

/// A request being served; counts as running until dropped.
pub(crate) struct RunningRequest<'metrics>(&'metrics Metrics);

impl Drop for RunningRequest<'_> {
    fn drop(&mut self) {
        self.0.registered.running.dec();
    }
}

impl Metrics {
    /// Metrics of a service whose model runs in this mode.
    pub fn new(embedding_mode: EmbeddingMode) -> Self {
        Self {
            registered: Registered::new(),
            embedding_mode,
        }
    }

    /// The OpenMetrics text of everything.
    ///
    /// # Errors
    /// When formatting fails, which it cannot for a string.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registered.registry)?;
        Ok(text)
    }

    /// How much is stored, which is looked up when somebody asks.
    pub(crate) fn stored(&self, totals: Totals) {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.registered.indexes.set(number(totals.indexes));
        self.registered.nodes.set(number(totals.nodes));
    }

    /// Counters of chats.
    pub(crate) fn chats(&self) -> &ChatMetrics {
        &self.registered.chats
    }

    /// Counters of authentication.
    pub(crate) fn authentication(&self) -> &AuthenticationMetrics {
        &self.registered.authentication
    }

    /// Counters of the guardrails.
    pub(crate) fn guardrails(&self) -> &GuardrailsMetrics {
        &self.registered.guardrails
    }

    pub(crate) fn start_request(&self) -> RunningRequest<'_> {
        self.registered.running.inc();
        RunningRequest(self)
    }

    pub(crate) fn observe_request(&self, succeeded: bool, took: Duration) {
        let labels = StatusLabels {
            status: status(succeeded),
        };
        self.registered.all_requests.requests.get_or_create(&labels).inc();
        self.registered
            .all_requests
            .latency
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    pub(crate) fn observe_operation(&self, operation: Operation, succeeded: bool, took: Duration) {
        let labels = StatusLabels {
            status: status(succeeded),
        };
        let route = self.registered.route(operation);
        route.requests.get_or_create(&labels).inc();
        route.latency.get_or_create(&labels).observe(took.as_secs_f64());
    }

    pub(crate) fn observe_embedding(&self, succeeded: bool, took: Duration) {
        let labels = EmbeddingLabels {
            status: status(succeeded),
            mode: self.embedding_mode,
        };
        self.registered.embedding_requests.get_or_create(&labels).inc();
        self.registered
            .embedding_latency
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    pub(crate) fn observe_store(&self, operation: StoreOperation, succeeded: bool, took: Duration) {
        let labels = StoreLabels {
            operation: match operation {
                StoreOperation::Insert => StoreOperationLabel::insert,
                StoreOperation::Query => StoreOperationLabel::query,
                StoreOperation::Delete => StoreOperationLabel::delete,
            },
            status: if succeeded { Status::success } else { Status::error },
        };
        self.registered
            .store_latency
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    pub(crate) fn observe_candidates(&self, mode: RetrievalMode, candidates: &Candidates) {
        let search_mode = match mode {
            RetrievalMode::Hybrid => SearchMode::hybrid,
            RetrievalMode::Dense => SearchMode::dense,
            RetrievalMode::Lexical => SearchMode::lexical,
        };
        self.registered
            .search_modes
            .get_or_create(&SearchModeLabels { search_mode })
            .inc();
        self.registered.dense_candidates.observe(count(candidates.dense.len()));
        self.registered
            .sparse_candidates
            .observe(count(candidates.lexical.len()));
    }

    pub(crate) fn observe_results(&self, results: &[RetrievedNode]) {
        let registered = &self.registered;
        registered.result_count.observe(count(results.len()));
        let scores: Vec<f64> = results.iter().map(|result| result.hit.score).collect();
        let (Some(top), Some(lowest), Some(median)) = (scores.first(), scores.last(), scores.get(scores.len() / 2))
        else {
            return;
        };
        registered.lowest_score.observe(*lowest);
        registered
            .average_score
            .observe(scores.iter().sum::<f64>() / count(scores.len()));
        registered.top_score.observe(*top);
        registered.median_score.observe(*median);
        registered.score_spread.observe(top - lowest);
        let from = |source| count(results.iter().filter(|result| result.hit.source == source).count());
        registered.overlap.observe(from(HitSource::Both));
        registered.dense_only.observe(from(HitSource::DenseOnly));
        registered.sparse_only.observe(from(HitSource::SparseOnly));
    }

    fn observe_rebuild(&self, index: DerivedIndex, cause: RebuildCause) {
        let cause = match cause {
            RebuildCause::StaleFiles => Cause::stale_files,
            RebuildCause::FailedApply => Cause::failed_apply,
        };
        self.registered
            .rebuilds
            .get_or_create(&RebuildLabels { index, cause })
            .inc();
    }
}

impl StoreObserver for Metrics {
    fn dense_rebuilt(&self, cause: RebuildCause) {
        self.observe_rebuild(DerivedIndex::dense, cause);
    }

    fn lexical_rebuilt(&self, cause: RebuildCause) {
        self.observe_rebuild(DerivedIndex::lexical, cause);
    }
}

fn status(succeeded: bool) -> Status {
    if succeeded { Status::success } else { Status::failure }
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
