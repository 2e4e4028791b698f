//! The language model that answers chats, and how much of its window passages may fill.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::limits;
use crate::llm::ModelSettings;

/// KAITO's default for a key, which stands for "none".
const PLACEHOLDER_SECRET: &str = "default-access-secret";

/// The model behind `/v1/chat/completions`.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Chat")]
pub struct ModelConfig {
    /// Where the model is asked, with the whole path: .../v1/chat/completions, or .../v1/completions of a model without
    /// chats. Without it the service only retrieves.
    #[arg(long, env = "LLM_INFERENCE_URL", value_name = "LLM_INFERENCE_URL")]
    llm_inference_url: Option<String>,
    /// Bearer token for the model.
    #[arg(
        long,
        env = "LLM_ACCESS_SECRET",
        value_name = "LLM_ACCESS_SECRET",
        hide_env_values = true
    )]
    llm_access_secret: Option<SecretString>,
    /// The model's context window in tokens. The smaller of this and what the model's server says counts.
    #[arg(long, env = "LLM_CONTEXT_WINDOW", value_name = "LLM_CONTEXT_WINDOW", default_value_t = 64_000,
          value_parser = limits::positive)]
    pub llm_context_window: usize,
    /// Tokens kept free for the answer when a request has no max_tokens; never more than half of what is left.
    #[arg(
        long,
        env = "RAG_RESERVED_COMPLETION_TOKENS",
        value_name = "RAG_RESERVED_COMPLETION_TOKENS",
        default_value_t = 1024,
        value_parser = limits::positive
    )]
    pub reserved_completion_tokens: usize,
    /// Share of the tokens left after instructions, history, question and answer that passages may fill.
    #[arg(long, env = "RAG_CONTEXT_TOKEN_FILL_RATIO", value_name = "RAG_CONTEXT_TOKEN_FILL_RATIO",
          default_value_t = 0.5, value_parser = super::retrieval::share)]
    pub context_token_fill_ratio: f64,
    /// How far a passage may be from the question: the squared distance of their unit vectors, which is 2 - 2 * cosine
    /// (0.85 is a cosine of 0.575). 0 for no limit. [default: what the embedding model's catalogue row says]
    #[arg(long, env = "RAG_SIMILARITY_THRESHOLD", value_name = "RAG_SIMILARITY_THRESHOLD",
          value_parser = super::retrieval::not_negative)]
    pub similarity_threshold: Option<f64>,
    /// Tokens that a passage is thought to have when it is decided how many are looked at: the window divided by this,
    /// at least 100, at most RAG_MAX_TOP_K.
    #[arg(long, env = "RAG_DOCUMENT_NODE_TOKEN_APPROXIMATION", value_name = "RAG_DOCUMENT_NODE_TOKEN_APPROXIMATION",
          default_value_t = 500, value_parser = limits::positive)]
    pub node_token_approximation: usize,
    /// The model's tokenizer.json, to count tokens exactly. [default: <model id> in RAG_MODELS_DIR if it is there, else
    /// the bundled o200k]
    #[arg(long, env = "RAG_LLM_TOKENIZER", value_name = "RAG_LLM_TOKENIZER")]
    pub llm_tokenizer: Option<PathBuf>,
    /// Seconds that connecting to the model may take.
    #[arg(
        long,
        env = "RAG_LLM_CONNECT_TIMEOUT_SECONDS",
        value_name = "RAG_LLM_CONNECT_TIMEOUT_SECONDS",
        default_value_t = 10
    )]
    llm_connect_timeout_seconds: u64,
    /// Seconds the model may be silent, before its answer and in the middle of it.
    #[arg(
        long,
        env = "RAG_LLM_READ_TIMEOUT_SECONDS",
        value_name = "RAG_LLM_READ_TIMEOUT_SECONDS",
        default_value_t = 300
    )]
    llm_read_timeout_seconds: u64,
    /// How often a request is sent again after 429, 502, 503, 504 or a failed connection.
    #[arg(long, env = "RAG_LLM_RETRIES", value_name = "RAG_LLM_RETRIES", default_value_t = 2)]
    llm_retries: usize,
    /// Seconds for which the list of the backend's models is remembered.
    #[arg(
        long,
        env = "RAG_LLM_MODELS_EXPIRY_SECONDS",
        value_name = "RAG_LLM_MODELS_EXPIRY_SECONDS",
        default_value_t = 300
    )]
    llm_models_expiry_seconds: u64,
    /// Largest answer of the model that is not streamed, in bytes.
    #[arg(long, env = "RAG_LLM_MAX_ANSWER_BYTES", value_name = "RAG_LLM_MAX_ANSWER_BYTES", default_value_t = 32 << 20,
          value_parser = limits::positive)]
    llm_max_answer_bytes: usize,
    /// Chats served at one time, besides other requests; more get 503 with Retry-After.
    #[arg(long, env = "RAG_MAX_CONCURRENT_CHATS", value_name = "RAG_MAX_CONCURRENT_CHATS", default_value_t = 256,
          value_parser = limits::positive)]
    pub max_concurrent_chats: usize,
}

impl ModelConfig {
    /// How to reach the model, or `None` when there is none. An empty URL is none, as in KAITO.
    pub fn model(&self) -> Option<ModelSettings> {
        let url = self.llm_inference_url.clone().filter(|url| !url.trim().is_empty())?;
        let access_secret = self.llm_access_secret.clone().filter(|secret| {
            let secret = secret.expose_secret();
            !secret.is_empty() && secret != PLACEHOLDER_SECRET
        });
        Some(ModelSettings {
            url,
            access_secret,
            connect_timeout: Duration::from_secs(self.llm_connect_timeout_seconds),
            read_timeout: Duration::from_secs(self.llm_read_timeout_seconds),
            retries: self.llm_retries,
            models_expiry: Duration::from_secs(self.llm_models_expiry_seconds),
            text_completion_tokens: self.reserved_completion_tokens,
            max_answer_bytes: self.llm_max_answer_bytes,
        })
    }
}
