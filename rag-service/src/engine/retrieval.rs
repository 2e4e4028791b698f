//! Retrieval: embed the query, search twice, fuse, read the passages.

use std::collections::HashMap;
use std::time::Instant;

use rag_core::filter::Filter;
use rag_core::fusion::{fuse, single};
use rag_core::index_name::IndexName;
use rag_core::retrieval::{FusedHit, HitSource, NodeKey, RetrievalMode};
use rag_store::{Candidates, SearchRequest, StoredNode};
use tracing::instrument;

use super::{Engine, EngineError};
use crate::metrics::StoreOperation;

/// A passage can be deleted between being found and being read; then the search is made anew, this often at the most.
const MAX_ATTEMPTS: usize = 3;

/// What to look for.
#[derive(Clone, Debug)]
pub struct RetrieveRequest {
    /// The question, in the user's words.
    pub query: String,
    /// How many passages to return at the most.
    pub max_node_count: usize,
    /// Only passages of documents whose metadata match.
    pub filter: Option<Filter>,
    /// Which searches take part.
    pub mode: RetrievalMode,
}

/// A passage and the evidence for it.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrievedNode {
    /// The passage.
    pub node: StoredNode,
    /// Score and where it came from.
    pub hit: FusedHit,
}

impl Engine {
    /// Finds the passages that fit a query best, best first.
    ///
    /// # Errors
    /// When there is no such index, the query is blank, or embedding or searching fails.
    #[instrument(skip_all, fields(index.name = %name, mode = ?request.mode))]
    pub async fn retrieve(
        &self,
        name: &IndexName,
        request: RetrieveRequest,
    ) -> Result<Vec<RetrievedNode>, EngineError> {
        let started = Instant::now();
        let found = self.retrieve_uncounted(name, request).await;
        self.metrics
            .observe_store(StoreOperation::Query, found.is_ok(), started.elapsed());
        if let Ok(found) = &found {
            self.metrics.observe_results(found);
        }
        found
    }

    /// Does nothing when there is an index of this name.
    ///
    /// # Errors
    /// When there is none, or the store fails.
    pub async fn require_index(&self, name: &IndexName) -> Result<(), EngineError> {
        if self.store.contains(name).await? {
            Ok(())
        } else {
            Err(rag_store::StoreError::FindIndex(name.clone()).into())
        }
    }

    async fn retrieve_uncounted(
        &self,
        name: &IndexName,
        request: RetrieveRequest,
    ) -> Result<Vec<RetrievedNode>, EngineError> {
        self.require_index(name).await?;
        if request.query.trim().is_empty() {
            return Err(EngineError::ReadQuery);
        }
        let RetrieveRequest {
            query,
            max_node_count,
            filter,
            mode,
        } = request;
        let embedding = match mode {
            RetrievalMode::Lexical => None,
            RetrievalMode::Hybrid | RetrievalMode::Dense => Some(self.queries.embed(&query).await?),
        };
        let limit = match mode {
            RetrievalMode::Hybrid => self.retrieval.candidates.max(max_node_count),
            RetrievalMode::Dense | RetrievalMode::Lexical => max_node_count,
        };
        let search = SearchRequest {
            mode,
            embedding,
            query,
            limit,
            filter,
        };
        let mut attempt = 1;
        loop {
            let candidates = self.store.search(name, search.clone()).await?;
            let ranked = self.rank(mode, &candidates, max_node_count);
            let wanted = ranked.len();
            let results = self.read_nodes(name, ranked).await?;
            if results.len() == wanted || attempt == MAX_ATTEMPTS {
                self.metrics.observe_candidates(mode, &candidates);
                return Ok(results);
            }
            attempt += 1;
        }
    }

    fn rank(&self, mode: RetrievalMode, candidates: &Candidates, limit: usize) -> Vec<FusedHit> {
        match mode {
            RetrievalMode::Hybrid => fuse(self.retrieval.fusion, &candidates.dense, &candidates.lexical, limit),
            RetrievalMode::Dense => single(HitSource::DenseOnly, &candidates.dense, limit),
            RetrievalMode::Lexical => single(HitSource::SparseOnly, &candidates.lexical, limit),
        }
    }

    async fn read_nodes(&self, name: &IndexName, ranked: Vec<FusedHit>) -> Result<Vec<RetrievedNode>, EngineError> {
        let keys = ranked.iter().map(|hit| hit.node).collect();
        let nodes = self.store.nodes(name, keys).await?;
        let mut by_key: HashMap<NodeKey, StoredNode> = nodes.into_iter().map(|node| (node.key, node)).collect();
        Ok(ranked
            .into_iter()
            .filter_map(|hit| {
                Some(RetrievedNode {
                    node: by_key.remove(&hit.node)?,
                    hit,
                })
            })
            .collect())
    }
}
