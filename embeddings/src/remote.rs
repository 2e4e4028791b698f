//! A model behind HTTP, in one of two wire formats: OpenAI's `/v1/embeddings`, or Hugging Face's `{"inputs": …}`, which
//! text-embeddings-inference and KAITO's protocol share.
//!
//! What is deliberately not here: a TLS provider. reqwest uses the process's one, which the program installs at start.

mod attempt;
mod settings;
mod wire;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;

use self::attempt::Client;
pub use self::settings::{ConnectRemote, RemoteFlavour, RemoteSettings, RetrySettings};
use self::wire::Request;
use crate::normalise::normalise;
use crate::{EmbedError, Embedder, InputKind, TokenLimit};

/// What the server embeds first, to learn its dimension.
const PROBE: &str = "What does this model read first?";
/// What a refused caller is told: the server's speed is not known here.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Embeds with a model behind HTTP.
pub struct RemoteEmbedder {
    client: Client,
    model_id: String,
    query_prefix: String,
    passage_prefix: String,
    content_tokens: Option<usize>,
    dimension: usize,
    batch_size: usize,
    concurrent_requests: usize,
    /// Calls under way; a caller who finds none left is refused.
    admission: Semaphore,
    /// Set once the server has turned out to take one text a request.
    one_by_one: AtomicBool,
}

impl RemoteEmbedder {
    /// Sends one text to the server, to check the settings and to learn the vectors' length.
    ///
    /// # Errors
    /// See [`ConnectRemote`]; each message names the fix.
    ///
    /// # Panics
    /// When the process has no rustls provider, which is the program's to install.
    pub async fn connect(settings: RemoteSettings) -> Result<Self, ConnectRemote> {
        let client = Client::new(&settings)?;
        let mut embedder = Self {
            client,
            model_id: settings.model.unwrap_or_else(|| "remote".to_owned()),
            query_prefix: settings.query_prefix,
            passage_prefix: settings.passage_prefix,
            content_tokens: settings.content_tokens,
            dimension: 0,
            batch_size: settings.batch_size.max(1),
            concurrent_requests: settings.concurrent_requests.max(1),
            admission: Semaphore::new(settings.waiting_calls.clamp(1, Semaphore::MAX_PERMITS)),
            one_by_one: AtomicBool::new(false),
        };
        let probe = Request::One(format!("{}{PROBE}", embedder.query_prefix));
        let vectors = embedder.client.send(&probe).await.map_err(ConnectRemote::Probe)?;
        embedder.dimension = vectors.first().map_or(0, Vec::len);
        embedder.checked(vectors).map_err(ConnectRemote::Probe)?;
        tracing::info!(
            model.id = %embedder.model_id,
            model.dimension = embedder.dimension,
            server.host = embedder.client.host(),
            "embedding server answers"
        );
        Ok(embedder)
    }

    /// The vectors of one request's worth of texts.
    async fn embed_batch(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        if let Some(request) = self
            .client
            .as_batch(&texts)
            .filter(|_| !self.one_by_one.load(Ordering::Relaxed))
        {
            match self.client.send(&request).await {
                Ok(vectors) => return self.checked(vectors),
                Err(error) if self.client.may_want_single_texts(&error) => {
                    // If single texts fail as well, it was a text and not the batch: nothing is remembered then.
                    let vectors = self.embed_singly(texts).await?;
                    self.one_by_one.store(true, Ordering::Relaxed);
                    tracing::info!(
                        server.host = self.client.host(),
                        "embedding server takes no batches, it gets one text a request from now on"
                    );
                    return Ok(vectors);
                }
                Err(error) => return Err(error),
            }
        }
        self.embed_singly(texts).await
    }

    async fn embed_singly(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        let requests = texts
            .into_iter()
            .map(|text| async move { self.client.send(&Request::One(text)).await });
        let vectors: Vec<Vec<Vec<f32>>> = stream::iter(requests)
            .buffered(self.concurrent_requests)
            .try_collect()
            .await?;
        self.checked(vectors.into_iter().flatten().collect())
    }

    /// Vectors of the known dimension, scaled to length 1.
    fn checked(&self, mut vectors: Vec<Vec<f32>>) -> Result<Vec<Vec<f32>>, EmbedError> {
        for vector in &mut vectors {
            if vector.len() != self.dimension {
                return Err(EmbedError::DimensionChanged {
                    expected: self.dimension,
                    found: vector.len(),
                });
            }
            normalise(vector).map_err(|_no_direction| EmbedError::RemoteMalformed {
                reason: "a vector cannot be scaled to length 1",
            })?;
        }
        Ok(vectors)
    }
}

#[async_trait]
impl Embedder for RemoteEmbedder {
    fn model_id(&self) -> &str {
        &self.model_id
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn token_limit(&self) -> TokenLimit {
        TokenLimit {
            content_tokens: self.content_tokens,
            tokenizer: None,
        }
    }

    async fn embed(&self, kind: InputKind, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let _admitted = self.admission.try_acquire().map_err(|_full| EmbedError::QueueFull {
            retry_after: RETRY_AFTER,
        })?;
        let prefix = match kind {
            InputKind::Query => &self.query_prefix,
            InputKind::Passage => &self.passage_prefix,
        };
        let texts: Vec<String> = texts.into_iter().map(|text| format!("{prefix}{text}")).collect();
        let batches: Vec<Vec<String>> = texts.chunks(self.batch_size).map(<[String]>::to_vec).collect();
        let answers: Vec<Vec<Vec<f32>>> = stream::iter(batches.into_iter().map(|batch| self.embed_batch(batch)))
            .buffered(self.concurrent_requests)
            .try_collect()
            .await?;
        Ok(answers.into_iter().flatten().collect())
    }
}

impl fmt::Debug for RemoteEmbedder {
    // Neither the key nor the URL, which may contain one.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RemoteEmbedder")
            .field("model_id", &self.model_id)
            .field("dimension", &self.dimension)
            .finish_non_exhaustive()
    }
}
