//! The seam between the service and whatever computes vectors.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokenizers::Tokenizer;

use crate::EmbedError;

/// Which side of a search a text is on. Many models want a different prefix for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// What somebody searches for. Overtakes passages in the local queue, and is cut to what the model reads.
    Query,
    /// What is indexed. Has to fit the model: a passage that does not is an error, never cut silently.
    Passage,
}

/// How long a passage may be.
#[derive(Clone)]
pub struct TokenLimit {
    /// Tokens of a passage's own text that the model reads: its maximum less special tokens and passage prefix.
    /// `None` when a remote model's limit is not configured.
    pub content_tokens: Option<usize>,
    /// Counts tokens as the model does (encode without special tokens). It neither truncates nor pads.
    /// `None` for remote models.
    pub tokenizer: Option<Arc<Tokenizer>>,
}

impl fmt::Debug for TokenLimit {
    // A tokenizer's own Debug prints its vocabulary.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenLimit")
            .field("content_tokens", &self.content_tokens)
            .field("has_tokenizer", &self.tokenizer.is_some())
            .finish()
    }
}

/// Computes one vector for each text.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// Which model the vectors are from. Vectors of different models must not meet in one index.
    fn model_id(&self) -> &str;

    /// Length of every vector.
    fn dimension(&self) -> usize;

    /// How long a passage may be, for whoever splits documents.
    fn token_limit(&self) -> TokenLimit;

    /// One vector for each text, in order: `[texts, dimension]`, each of length 1. No text gives no vector.
    ///
    /// Dropping the future withdraws what has not been computed yet.
    ///
    /// # Errors
    /// The call fails as a whole; see [`EmbedError`].
    async fn embed(&self, kind: InputKind, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError>;
}
