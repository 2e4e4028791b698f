//! Vectors for passages and for queries.

use std::sync::Arc;
use std::time::Instant;

use futures::{StreamExt, TryStreamExt, stream};
use kaito_embeddings::{Embedder, InputKind};
use moka::future::Cache;
use rag_core::embedding::Embedding;

use super::{Engine, EngineError};

/// Texts handed to the embedder in one call. A large request is many calls, so that it shares the model with others.
const TEXTS_A_CALL: usize = 64;
/// Calls of one request under way at a time: one being embedded, one being tokenised.
const CALLS_AT_A_TIME: usize = 2;

/// Embeds queries and remembers the latest ones.
pub struct QueryEmbedder {
    embedder: Arc<dyn Embedder>,
    cache: Cache<String, Embedding>,
}

impl QueryEmbedder {
    /// Keeps up to `entries` vectors.
    pub fn new(embedder: Arc<dyn Embedder>, entries: u64) -> Self {
        Self {
            embedder,
            cache: Cache::new(entries),
        }
    }

    /// The vector of a query.
    ///
    /// # Errors
    /// When the embedder fails.
    pub async fn embed(&self, query: &str) -> Result<Embedding, EngineError> {
        if let Some(known) = self.cache.get(query).await {
            return Ok(known);
        }
        let vectors = self.embedder.embed(InputKind::Query, vec![query.to_owned()]).await?;
        let vector = vectors.into_iter().next().unwrap_or_default();
        let embedding = Embedding::normalised(vector)?;
        self.cache.insert(query.to_owned(), embedding.clone()).await;
        Ok(embedding)
    }
}

impl Engine {
    /// Vectors of many passages, in their order.
    pub(super) async fn embed_passages(&self, texts: Vec<String>) -> Result<Vec<Embedding>, EngineError> {
        let calls: Vec<Vec<String>> = texts.chunks(TEXTS_A_CALL).map(<[String]>::to_vec).collect();
        let vectors: Vec<Vec<Embedding>> = stream::iter(calls.into_iter().map(|texts| self.embed_call(texts)))
            .buffered(CALLS_AT_A_TIME)
            .try_collect()
            .await?;
        Ok(vectors.into_iter().flatten().collect())
    }

    async fn embed_call(&self, texts: Vec<String>) -> Result<Vec<Embedding>, EngineError> {
        let started = Instant::now();
        let answer = self.embedder.embed(InputKind::Passage, texts).await;
        self.metrics.observe_embedding(answer.is_ok(), started.elapsed());
        Ok(answer?
            .into_iter()
            .map(Embedding::normalised)
            .collect::<Result<_, _>>()?)
    }
}
