//! What a request may ask for.

use clap::Args;

/// Bounds on requests. Beyond them the answer is 413 or 422.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitsConfig {
    /// Largest request body, in bytes.
    #[arg(long, env = "RAG_MAX_BODY_BYTES", value_name = "RAG_MAX_BODY_BYTES", default_value_t = 64 << 20,
          value_parser = positive)]
    pub max_body_bytes: usize,
    /// Largest body of a chat, in bytes.
    #[arg(long, env = "RAG_MAX_CHAT_BODY_BYTES", value_name = "RAG_MAX_CHAT_BODY_BYTES", default_value_t = 16 << 20,
          value_parser = positive)]
    pub max_chat_body_bytes: usize,
    /// Most documents in one request.
    #[arg(
        long,
        env = "RAG_MAX_DOCUMENTS_PER_REQUEST",
        value_name = "RAG_MAX_DOCUMENTS_PER_REQUEST",
        default_value_t = 10_000,
        value_parser = positive
    )]
    pub max_documents: usize,
    /// Largest metadata of one document, in bytes of JSON.
    #[arg(long, env = "RAG_MAX_METADATA_BYTES", value_name = "RAG_MAX_METADATA_BYTES", default_value_t = 64 << 10,
          value_parser = positive)]
    pub max_metadata_bytes: usize,
    /// Deepest nesting of metadata; a flat object is 1 deep.
    #[arg(long, env = "RAG_MAX_METADATA_DEPTH", value_name = "RAG_MAX_METADATA_DEPTH", default_value_t = 8,
          value_parser = positive)]
    pub max_metadata_depth: usize,
    /// Longest query, in characters.
    #[arg(long, env = "RAG_MAX_QUERY_CHARACTERS", value_name = "RAG_MAX_QUERY_CHARACTERS", default_value_t = 32_768,
          value_parser = positive)]
    pub max_query_characters: usize,
    /// Requests served at one time; more get 503 with Retry-After.
    #[arg(long, env = "RAG_MAX_CONCURRENT_REQUESTS", value_name = "RAG_MAX_CONCURRENT_REQUESTS",
          default_value_t = 256, value_parser = positive)]
    pub max_concurrent_requests: usize,
}

/// Parses a count of at least one.
pub(super) fn positive(value: &str) -> Result<usize, String> {
    match value.parse::<usize>() {
        Ok(0) | Err(_) => Err("a whole number of at least 1 is needed".to_owned()),
        Ok(number) => Ok(number),
    }
}
