//! Log lines, to standard error.

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, registry};

use crate::options::LogFormat;

const DEFAULT_FILTER: &str = "info";

/// Starts them. A filter in RUST_LOG that does not parse is reported and replaced by the default.
pub(crate) fn start(format: LogFormat) {
    let wanted = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let (filter, problem) = match EnvFilter::try_new(if wanted.is_empty() { DEFAULT_FILTER } else { &wanted }) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(DEFAULT_FILTER), Some(error)),
    };
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let subscriber = registry().with(filter);
    match format {
        LogFormat::Text => subscriber.with(lines).init(),
        LogFormat::Json => subscriber.with(lines.json().flatten_event(true)).init(),
    }
    if let Some(problem) = problem {
        tracing::warn!(%problem, "RUST_LOG does not parse, using the default");
    }
}
