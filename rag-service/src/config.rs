//! Everything that can be configured, as command-line options that are environment variables too.
//!
//! Names that KAITO's service or controller use are kept; ours start with `RAG_`.

mod authentication;
mod embedding;
mod guardrails;
mod limits;
mod model;
pub mod reference;
mod retrieval;
mod server;
mod storage;

use clap::Parser;

pub use authentication::AuthenticationConfig;
pub use embedding::{EmbeddingConfig, EmbeddingSource};
pub use guardrails::GuardrailsConfig;
pub use limits::LimitsConfig;
pub use model::ModelConfig;
pub use retrieval::{FusionMethod, RetrievalConfig};
pub use server::{LogFormat, ServerConfig};
pub use storage::{StorageConfig, VectorDatabase};

/// Indexes documents, finds the passages that answer a question, and lets a language model answer from them, over HTTP.
///
/// Without any option it serves on 127.0.0.1:5000, keeps its data in ./data, and embeds with the model that `make
/// setup` installed. Every option can be given as the environment variable named behind it.
#[derive(Clone, Debug, Parser)]
#[command(name = "rag-service", version, max_term_width = 120)]
pub struct Config {
    /// Where and how to serve.
    #[command(flatten)]
    pub server: ServerConfig,
    /// Who may use the service.
    #[command(flatten)]
    pub authentication: AuthenticationConfig,
    /// How texts become vectors.
    #[command(flatten)]
    pub embedding: EmbeddingConfig,
    /// Where indexes are kept.
    #[command(flatten)]
    pub storage: StorageConfig,
    /// How passages are cut and ranked.
    #[command(flatten)]
    pub retrieval: RetrievalConfig,
    /// Which model answers chats, and from how much context.
    #[command(flatten)]
    pub model: ModelConfig,
    /// What an answer may not contain.
    #[command(flatten)]
    pub guardrails: GuardrailsConfig,
    /// What a request may ask for.
    #[command(flatten)]
    pub limits: LimitsConfig,
}

/// The cache directory that `make setup` fills: `KAITO_RS_CACHE`, else `~/.cache/kaito-rs`.
fn cache_dir() -> std::path::PathBuf {
    let own = std::env::var_os("KAITO_RS_CACHE").map(std::path::PathBuf::from);
    own.unwrap_or_else(|| std::env::home_dir().unwrap_or_default().join(".cache/kaito-rs"))
}
