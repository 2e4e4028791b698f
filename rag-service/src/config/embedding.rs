//! How texts become vectors.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use kaito_embeddings::{LocalSettings, Precision, RemoteSettings};
use secrecy::SecretString;

use super::cache_dir;

/// What is used when nothing is configured: the model that `make setup` installs.
const DEFAULT_MODEL: &str = "sentence-transformers/all-MiniLM-L6-v2";
/// KAITO's defaults for keys, which stand for "none".
const PLACEHOLDER_SECRET: &str = "default-access-secret";

/// The embedding model, here or elsewhere.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Embedding")]
pub struct EmbeddingConfig {
    /// Whether the model runs in this process or behind a URL. [default: EMBEDDING_TYPE, else local]
    #[arg(
        long,
        env = "EMBEDDING_SOURCE_TYPE",
        value_name = "EMBEDDING_SOURCE_TYPE",
        ignore_case = true
    )]
    embedding_source_type: Option<EmbeddingSource>,
    /// The name KAITO's controller uses for EMBEDDING_SOURCE_TYPE.
    #[arg(
        long,
        env = "EMBEDDING_TYPE",
        value_name = "EMBEDDING_TYPE",
        ignore_case = true,
        hide = true
    )]
    embedding_type: Option<EmbeddingSource>,
    /// Model to run in this process: an id of the catalogue, or a directory with model.onnx and tokenizer.json.
    /// [default: MODEL_ID, else sentence-transformers/all-MiniLM-L6-v2]
    #[arg(long, env = "LOCAL_EMBEDDING_MODEL_ID", value_name = "LOCAL_EMBEDDING_MODEL_ID")]
    local_embedding_model_id: Option<String>,
    /// The name KAITO's controller uses for LOCAL_EMBEDDING_MODEL_ID.
    #[arg(long, env = "MODEL_ID", value_name = "MODEL_ID", hide = true)]
    model_id: Option<String>,
    /// Which of the model's files to run. int8 is about twice as fast and a little less exact.
    #[arg(
        long,
        env = "RAG_EMBEDDING_PRECISION",
        value_name = "RAG_EMBEDDING_PRECISION",
        default_value = "fp32"
    )]
    embedding_precision: ModelPrecision,
    /// Directory of installed models. [default: models in KAITO_RS_CACHE, which is ~/.cache/kaito-rs]
    #[arg(long, env = "RAG_MODELS_DIR", value_name = "RAG_MODELS_DIR")]
    models_dir: Option<PathBuf>,
    /// ONNX Runtime's shared library. [default: what `make setup` installed]
    #[arg(long, env = "ORT_DYLIB_PATH", value_name = "ORT_DYLIB_PATH")]
    onnx_runtime: Option<PathBuf>,
    /// Threads that one run of the model uses. [default: one for each core]
    #[arg(long, env = "RAG_EMBEDDING_THREADS", value_name = "RAG_EMBEDDING_THREADS",
          value_parser = super::limits::positive)]
    embedding_threads: Option<usize>,
    /// Largest batch, in tokens including padding.
    #[arg(long, env = "RAG_EMBEDDING_BATCH_TOKENS", value_name = "RAG_EMBEDDING_BATCH_TOKENS",
          default_value_t = 1024, value_parser = super::limits::positive)]
    embedding_batch_tokens: usize,
    /// Embedding calls that may wait; more get 429.
    #[arg(long, env = "RAG_EMBEDDING_QUEUE", value_name = "RAG_EMBEDDING_QUEUE", default_value_t = 256,
          value_parser = super::limits::positive)]
    embedding_queue: usize,
    /// Download a model that is not installed, if the model hub can be reached.
    #[arg(long, env = "RAG_ALLOW_MODEL_DOWNLOAD", value_name = "RAG_ALLOW_MODEL_DOWNLOAD", default_value_t = false,
          action = clap::ArgAction::Set)]
    allow_model_download: bool,
    /// Where a remote model is asked: a path ending in /embeddings speaks OpenAI's format, any other Hugging Face's.
    #[arg(
        long,
        env = "REMOTE_EMBEDDING_URL",
        value_name = "REMOTE_EMBEDDING_URL",
        default_value = "http://localhost:5000/embedding"
    )]
    remote_embedding_url: String,
    /// Bearer token for the remote model.
    #[arg(
        long,
        env = "REMOTE_EMBEDDING_ACCESS_SECRET",
        value_name = "REMOTE_EMBEDDING_ACCESS_SECRET",
        hide_env_values = true
    )]
    remote_embedding_access_secret: Option<SecretString>,
    /// Name of the remote model: sent to it, and kept with every index.
    #[arg(long, env = "RAG_REMOTE_EMBEDDING_MODEL", value_name = "RAG_REMOTE_EMBEDDING_MODEL")]
    remote_embedding_model: Option<String>,
    /// Tokens of a passage that the remote model reads; passages are cut to fit.
    #[arg(long, env = "RAG_REMOTE_EMBEDDING_MAX_TOKENS", value_name = "RAG_REMOTE_EMBEDDING_MAX_TOKENS",
          default_value_t = 512, value_parser = super::limits::positive)]
    remote_embedding_max_tokens: usize,
    /// Texts sent to the remote model in one request.
    #[arg(long, env = "RAG_REMOTE_EMBEDDING_BATCH", value_name = "RAG_REMOTE_EMBEDDING_BATCH", default_value_t = 32,
          value_parser = super::limits::positive)]
    remote_embedding_batch: usize,
    /// Seconds the remote model may be silent.
    #[arg(
        long,
        env = "RAG_REMOTE_EMBEDDING_TIMEOUT_SECONDS",
        value_name = "RAG_REMOTE_EMBEDDING_TIMEOUT_SECONDS",
        default_value_t = 60
    )]
    remote_embedding_timeout_seconds: u64,
}

/// Where the model runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EmbeddingSource {
    /// In this process.
    Local,
    /// Behind a URL.
    Remote,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModelPrecision {
    Fp32,
    Int8,
}

impl EmbeddingConfig {
    /// Where the model runs.
    pub fn source(&self) -> EmbeddingSource {
        self.embedding_source_type
            .or(self.embedding_type)
            .unwrap_or(EmbeddingSource::Local)
    }

    /// Directory of installed models.
    pub fn models_dir(&self) -> PathBuf {
        self.models_dir.clone().unwrap_or_else(|| cache_dir().join("models"))
    }

    /// Settings of a model in this process.
    pub fn local(&self) -> LocalSettings {
        let named = [&self.local_embedding_model_id, &self.model_id];
        let model = named.into_iter().flatten().find(|model| !model.is_empty());
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let runtime = || cache_dir().join("onnxruntime/1.32.0/libonnxruntime.so");
        LocalSettings {
            model: model.cloned().unwrap_or_else(|| DEFAULT_MODEL.to_owned()),
            precision: match self.embedding_precision {
                ModelPrecision::Fp32 => Precision::Fp32,
                ModelPrecision::Int8 => Precision::Int8,
            },
            models_dir: self.models_dir(),
            runtime_library: self.onnx_runtime.clone().unwrap_or_else(runtime),
            threads: self.embedding_threads.unwrap_or(cores),
            max_batch_tokens: self.embedding_batch_tokens,
            queue_capacity: self.embedding_queue,
            allow_download: self.allow_model_download,
        }
    }

    /// Settings of a model behind a URL.
    pub fn remote(&self) -> RemoteSettings {
        use secrecy::ExposeSecret;
        let secret = self.remote_embedding_access_secret.clone().filter(|secret| {
            let secret = secret.expose_secret();
            !secret.is_empty() && secret != PLACEHOLDER_SECRET
        });
        RemoteSettings {
            model: self.remote_embedding_model.clone(),
            access_secret: secret,
            content_tokens: Some(self.remote_embedding_max_tokens),
            batch_size: self.remote_embedding_batch,
            waiting_calls: self.embedding_queue,
            read_timeout: Duration::from_secs(self.remote_embedding_timeout_seconds),
            ..RemoteSettings::new(self.remote_embedding_url.clone())
        }
    }
}
