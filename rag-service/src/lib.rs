//! The RAG service: documents in, passages out, over HTTP.
//!
//! `engine` is the service without HTTP, `http` the only place that knows status codes, `config` the only one that
//! reads the environment, `serve` what ties them to a process.

pub mod authentication;
pub mod config;
mod directory_watch;
pub mod engine;
pub mod guardrails;
pub mod http;
pub mod llm;
mod metrics;
mod serve;
mod telemetry;

pub use config::Config;
pub use metrics::{EmbeddingMode, Metrics};
pub use serve::{main, prepare_chat};
