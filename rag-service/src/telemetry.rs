//! Log lines.

use std::io::IsTerminal;

use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, registry};

use crate::config::LogFormat;

/// tantivy announces every commit, which here is every write, and ONNX Runtime every optimisation. The OpenAI client
/// writes answers of the model into its lines, so it stays silent whatever is asked for.
const DEFAULT_FILTER: &str = "info,tantivy=warn,ort=warn";
const SILENT: &str = "async_openai";

/// Sends log lines to standard error. A filter in RUST_LOG that does not parse is reported and replaced by the default.
pub(crate) fn start(format: LogFormat) {
    let wanted = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let (filter, problem) = match EnvFilter::try_new(if wanted.is_empty() { DEFAULT_FILTER } else { &wanted }) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(DEFAULT_FILTER), Some(error)),
    };
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let subscriber = registry()
        .with(filter)
        .with(filter_fn(|line| !line.target().starts_with(SILENT)));
    match format {
        LogFormat::Text => subscriber.with(lines).init(),
        LogFormat::Json => subscriber.with(lines.json().flatten_event(true)).init(),
    }
    if let Some(problem) = problem {
        tracing::warn!(%problem, "RUST_LOG does not parse, using the default");
    }
}
