//! Log lines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::LogFormat;

/// tantivy announces every commit, which here is every write, and ONNX Runtime every optimisation. The OpenAI client
/// writes answers of the model into its lines, so it stays silent whatever is asked for.
const DEFAULT_FILTER: &str = "info,tantivy=warn,ort=warn";
const NEVER: &str = "async_openai=off";

/// Sends log lines to standard error. A filter in RUST_LOG that does not parse is reported and replaced by the default.
pub(crate) fn start(format: LogFormat) {
    let wanted = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let (filter, problem) = match EnvFilter::try_new(if wanted.is_empty() { DEFAULT_FILTER } else { &wanted }) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(DEFAULT_FILTER), Some(error)),
    };
    let filter = match NEVER.parse() {
        Ok(never) => filter.add_directive(never),
        Err(_) => filter,
    };
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    if let Some(problem) = problem {
        tracing::warn!(%problem, "RUST_LOG does not parse, using the default");
    }
}
