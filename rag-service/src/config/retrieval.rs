//! How passages are cut and ranked.

use clap::{Args, ValueEnum};
use rag_core::fusion::Fusion;

/// Splitting, ranking and caching.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Retrieval")]
pub struct RetrievalConfig {
    /// Largest passage in tokens of the embedding model. What the model reads is the limit if that is less.
    #[arg(long, env = "RAG_CHUNK_TOKENS", value_name = "RAG_CHUNK_TOKENS", default_value_t = 1024,
          value_parser = super::limits::positive)]
    pub chunk_tokens: usize,
    /// Tokens that neighbouring passages share; at most a fifth of the passage.
    #[arg(
        long,
        env = "RAG_CHUNK_OVERLAP_TOKENS",
        value_name = "RAG_CHUNK_OVERLAP_TOKENS",
        default_value_t = 200
    )]
    pub chunk_overlap_tokens: usize,
    /// Largest passage of source code, in characters.
    #[arg(long, env = "RAG_CODE_CHUNK_CHARACTERS", value_name = "RAG_CODE_CHUNK_CHARACTERS", default_value_t = 1500,
          value_parser = super::limits::positive)]
    pub code_chunk_characters: usize,
    /// Metadata keys embedded and searched together with the text, separated by commas; * for all (as KAITO does).
    #[arg(
        long,
        env = "RAG_EMBED_METADATA_KEYS",
        value_name = "RAG_EMBED_METADATA_KEYS",
        value_delimiter = ','
    )]
    pub embed_metadata_keys: Vec<String>,
    /// Most passages a query may ask for.
    #[arg(long, env = "RAG_MAX_TOP_K", value_name = "RAG_MAX_TOP_K", default_value_t = 300,
          value_parser = super::limits::positive)]
    pub max_top_k: usize,
    /// How the hits of vector search and word search become one ranking.
    #[arg(long, env = "RAG_FUSION", value_name = "RAG_FUSION", default_value = "weighted")]
    pub fusion: FusionMethod,
    /// Weight of vector search in weighted fusion, 0 to 1.
    #[arg(long, env = "RAG_FUSION_DENSE_WEIGHT", value_name = "RAG_FUSION_DENSE_WEIGHT", default_value_t = 0.5,
          value_parser = share)]
    pub fusion_dense_weight: f64,
    /// Constant of reciprocal rank fusion.
    #[arg(long, env = "RAG_FUSION_RRF_CONSTANT", value_name = "RAG_FUSION_RRF_CONSTANT", default_value_t = 60.0,
          value_parser = not_negative)]
    pub fusion_rrf_constant: f64,
    /// Hits that each search hands to fusion; more rank better and cost a little time.
    #[arg(long, env = "RAG_FUSION_CANDIDATES", value_name = "RAG_FUSION_CANDIDATES", default_value_t = 1000,
          value_parser = super::limits::positive)]
    pub fusion_candidates: usize,
    /// Query vectors kept in memory.
    #[arg(
        long,
        env = "RAG_QUERY_CACHE_ENTRIES",
        value_name = "RAG_QUERY_CACHE_ENTRIES",
        default_value_t = 4096
    )]
    pub query_cache_entries: u64,
}

/// Ways to fuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FusionMethod {
    /// Weighted sum of normalised scores.
    Weighted,
    /// Reciprocal rank fusion.
    ReciprocalRank,
}

impl RetrievalConfig {
    /// The configured fusion with its parameter.
    pub fn fusion(&self) -> Fusion {
        match self.fusion {
            FusionMethod::Weighted => Fusion::Weighted {
                dense_weight: self.fusion_dense_weight,
            },
            FusionMethod::ReciprocalRank => Fusion::ReciprocalRank {
                constant: self.fusion_rrf_constant,
            },
        }
    }
}

pub(super) fn share(value: &str) -> Result<f64, String> {
    match value.parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("a number from 0 to 1 is needed".to_owned()),
    }
}

pub(super) fn not_negative(value: &str) -> Result<f64, String> {
    match value.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("a number of at least 0 is needed".to_owned()),
    }
}
