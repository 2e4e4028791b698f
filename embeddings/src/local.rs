//! A model in this process: ONNX Runtime on a thread of its own, fed with batches that concurrent callers share.
//!
//! The way of a call: tokenise (on the blocking pool, in parallel with other callers) → wait in a bounded queue → the
//! owner thread flattens waiting calls, sorts their texts by length, cuts batches and runs them → the answer goes back
//! through a oneshot channel. The owner thread does nothing but run the model.

mod batch;
mod call;
mod directory;
mod load;
mod owner;
mod pool;
mod resolve;
mod runner;
mod runtime;
mod tokenise;
mod waiting;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tracing::Span;

pub use self::owner::BatchCounts;
use self::{call::Call, load::LoadedModel, owner::Counters, tokenise::TextTokenizer, waiting::Waiting};
use crate::{EmbedError, Embedder, InputKind, LoadModel, TokenLimit};

/// Which of a model's files to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Single precision: a text's vector does not depend on which batch it was in, to about seven digits.
    #[default]
    Fp32,
    /// int8 weights, and activations quantised by batch: faster and smaller, vectors differ slightly from fp32's and by
    /// batch.
    Int8,
}

/// Which model to run, and how.
#[derive(Debug, Clone)]
pub struct LocalSettings {
    /// An id of the catalogue in kaito-presets, the id of any model installed in `models_dir`, or the path of a directory
    /// (absolute, or starting with `.`).
    pub model: String,
    /// fp32 or int8.
    pub precision: Precision,
    /// Installed models, each in a directory named by its id with `/` written as `--`.
    pub models_dir: PathBuf,
    /// `libonnxruntime.so`, 1.24 or newer.
    pub runtime_library: PathBuf,
    /// Threads that one run of the model uses; at least 1.
    pub threads: usize,
    /// Upper bound of a batch: texts in it times the longest one's tokens. A text that is longer runs alone. 1,024 is a
    /// good value on CPUs: larger batches were no faster in measurements, and a query waits for the batch at hand.
    pub max_batch_tokens: usize,
    /// Calls of each kind that may wait; at least 1. Queries and passages are counted apart, so that indexing does not
    /// keep searches out.
    pub queue_capacity: usize,
    /// Whether a model that is not installed may be downloaded (those that fastembed knows).
    pub allow_download: bool,
}

/// Embeds with a model in this process. Dropping it stops its thread after the batch at hand.
pub struct LocalEmbedder {
    model_id: String,
    dimension: usize,
    tokenizer: Arc<TextTokenizer>,
    waiting: Arc<Waiting>,
    counters: Arc<Counters>,
    owner: Mutex<Option<JoinHandle<()>>>,
}

impl LocalEmbedder {
    /// Loads the model, embeds one text to check it, and starts its thread. Takes seconds and blocks: on an async
    /// runtime, call it inside `spawn_blocking`.
    ///
    /// # Errors
    /// See [`LoadModel`]; each message names the fix.
    pub fn load(settings: &LocalSettings) -> Result<Self, LoadModel> {
        let LoadedModel {
            id,
            runner,
            tokenizer,
            dimension,
        } = load::load(settings)?;
        let waiting = Arc::new(Waiting::new(settings.queue_capacity));
        let counters = Arc::new(Counters::default());
        let owner = owner::Owner {
            runner,
            waiting: Arc::clone(&waiting),
            counters: Arc::clone(&counters),
            max_batch_tokens: settings.max_batch_tokens,
            dimension,
        };
        let thread = owner.start().map_err(LoadModel::StartThread)?;
        Ok(Self {
            model_id: id,
            dimension,
            tokenizer: Arc::new(tokenizer),
            waiting,
            counters,
            owner: Mutex::new(Some(thread)),
        })
    }

    /// How much has been run since the model was loaded, the check at loading not included.
    #[must_use]
    pub fn batch_counts(&self) -> BatchCounts {
        self.counters.snapshot()
    }

    /// Refuses new calls, fails the waiting ones with [`EmbedError::Stopped`], and waits for the batch at hand.
    pub async fn shutdown(&self) {
        self.waiting.close();
        let thread = self.owner.lock().take();
        if let Some(thread) = thread {
            // Neither of the two can fail in a way that matters here: the owner's panic was reported when it happened.
            let _ended = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

#[async_trait]
impl Embedder for LocalEmbedder {
    fn model_id(&self) -> &str {
        &self.model_id
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn token_limit(&self) -> TokenLimit {
        self.tokenizer.limit()
    }

    async fn embed(&self, kind: InputKind, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        // Asked again when the call enters the queue; asked here so that an overloaded service does not tokenise for nothing.
        self.waiting.check_room(kind)?;
        let tokenizer = Arc::clone(&self.tokenizer);
        let span = Span::current();
        let texts = tokio::task::spawn_blocking(move || span.in_scope(|| tokenizer.tokenise_all(kind, texts)))
            .await
            .map_err(|panicked| EmbedError::Tokenise(Box::new(panicked)))??;
        let (sender, answer) = oneshot::channel();
        self.waiting.push(kind, Call::new(texts, sender))?;
        answer.await.unwrap_or(Err(EmbedError::Stopped))
    }
}

impl Drop for LocalEmbedder {
    fn drop(&mut self) {
        self.waiting.close();
    }
}

impl fmt::Debug for LocalEmbedder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LocalEmbedder")
            .field("model_id", &self.model_id)
            .field("dimension", &self.dimension)
            .finish_non_exhaustive()
    }
}
