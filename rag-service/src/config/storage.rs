//! Where indexes are kept.

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;

/// The store and its directories.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Storage")]
pub struct StorageConfig {
    /// Directory of the indexes. One process owns it.
    #[arg(long, env = "RAG_DATA_DIR", value_name = "RAG_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,
    /// Directory that /persist writes to and /load reads from; no path leads out of it.
    #[arg(
        long,
        env = "DEFAULT_VECTOR_DB_PERSIST_DIR",
        value_name = "DEFAULT_VECTOR_DB_PERSIST_DIR",
        default_value = "storage"
    )]
    pub persist_dir: PathBuf,
    /// Engine that holds the vectors: faiss. (KAITO's qdrant is not supported yet.)
    #[arg(
        long,
        env = "VECTOR_DB_TYPE",
        value_name = "VECTOR_DB_TYPE",
        default_value = "faiss",
        value_parser = parse_vector_database
    )]
    pub vector_db_type: VectorDatabase,
    /// Where an external vector database listens. Accepted for KAITO's sake: faiss needs none.
    #[arg(long, env = "VECTOR_DB_URL", value_name = "VECTOR_DB_URL", hide = true)]
    pub vector_db_url: Option<String>,
    /// Key of an external vector database. Accepted for KAITO's sake: faiss needs none.
    #[arg(
        long,
        env = "VECTOR_DB_ACCESS_SECRET",
        value_name = "VECTOR_DB_ACCESS_SECRET",
        hide = true,
        hide_env_values = true
    )]
    pub vector_db_access_secret: Option<SecretString>,
    /// Indexes kept open at one time; the least recently used ones are closed and opened again on use.
    #[arg(long, env = "RAG_MAX_OPEN_INDEXES", value_name = "RAG_MAX_OPEN_INDEXES", default_value_t = 64,
          value_parser = super::limits::positive)]
    pub max_open_indexes: usize,
    /// Write requests that may wait for one index; more get 429.
    #[arg(long, env = "RAG_WRITE_QUEUE", value_name = "RAG_WRITE_QUEUE", default_value_t = 64,
          value_parser = super::limits::positive)]
    pub write_queue: usize,
}

/// Engines that can hold the vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorDatabase {
    /// FAISS, inside this process.
    Faiss,
}

fn parse_vector_database(value: &str) -> Result<VectorDatabase, String> {
    match value.to_ascii_lowercase().as_str() {
        "faiss" => Ok(VectorDatabase::Faiss),
        "qdrant" => Err("qdrant is not supported yet; use faiss, which keeps its data in RAG_DATA_DIR".to_owned()),
        _ => Err(format!(
            "Unsupported VECTOR_DB_TYPE: '{value}'. Supported values: 'faiss'"
        )),
    }
}
