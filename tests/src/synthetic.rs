//! A service in this process over a corpus of random words, for benchmarks.
//!
//! 10,000 passages of 40 words drawn from a vocabulary of 5,000 by a power law, under random unit vectors of 384
//! components: an exact search takes the same time whatever the vectors are. Queries are embedded by the real model.

use std::sync::Arc;

use anyhow::Result;
use clap::Parser;
use kaito_embeddings::{Embedder, LocalEmbedder};
use rag_core::document::Document;
use rag_core::embed_text::EmbeddedKeys;
use rag_core::embedding::Embedding;
use rag_core::index_name::IndexName;
use rag_core::metadata::Metadata;
use rag_core::node::{CharSpan, Chunk, TextKind, link_nodes};
use rag_core::node_parser::{NodeParser, NodeParserSettings, TokenCounter};
use rag_service::engine::{ChatEngine, Engine, EngineParts, RetrievalSettings};
use rag_service::guardrails::Guardrails;
use rag_service::http::{AppState, AppStateParts, Readiness, Services, router, without_delay};
use rag_service::{Config, EmbeddingMode, Metrics, prepare_chat};
use rag_store::{DocumentStore, EmbeddedStore, EmbeddedStoreSettings, EmbeddingSpace, IndexedDocument, IndexedNode};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::client::Client;

/// Passages of the corpus.
pub const NODES: usize = 10_000;
/// Components of a vector.
pub const DIMENSION: usize = 384;
/// The index.
pub const INDEX: &str = "bench";
const WORDS_A_NODE: usize = 40;
const VOCABULARY: usize = 5000;

/// A running service and what it was made from.
pub struct SyntheticService {
    /// A client for it.
    pub client: Client,
    /// Its data directory.
    pub directory: TempDir,
    /// The corpus's vectors, in the order of the nodes' keys, which start at 1.
    pub vectors: Vec<Embedding>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Drop for SyntheticService {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The configuration of a service without any option but these.
///
/// # Panics
/// When an option does not exist.
pub fn configuration(options: &[&str]) -> Config {
    Config::parse_from(std::iter::once("bench").chain(options.iter().copied()))
}

impl SyntheticService {
    /// Starts a service over the corpus, with options of its command line.
    ///
    /// # Errors
    /// When the model is not installed or a part cannot start.
    pub async fn start(embedder: Arc<LocalEmbedder>, options: &[&str]) -> Result<Self> {
        let config = configuration(options);
        let directory = tempfile::tempdir()?;
        let metrics = Arc::new(Metrics::new(EmbeddingMode::local));
        let store = Arc::new(EmbeddedStore::open(
            EmbeddedStoreSettings {
                data_dir: directory.path().join("data"),
                persist_root: directory.path().join("persist"),
                space: EmbeddingSpace {
                    model_id: embedder.model_id().to_owned(),
                    dimension: DIMENSION,
                },
                max_open_indexes: 8,
                write_queue: 64,
            },
            Arc::clone(&metrics) as Arc<dyn rag_store::StoreObserver>,
        )?);
        let mut random = StdRng::seed_from_u64(1);
        let vectors: Vec<Embedding> = (0..NODES).map(|_| vector(&mut random)).collect::<Result<_>>()?;
        let documents = vectors.iter().map(|vector| document(&mut random, vector)).collect();
        store.insert(&IndexName::try_from(INDEX)?, documents).await?;
        let engine = Arc::new(Engine::new(EngineParts {
            store,
            embedder,
            node_parser: NodeParser::new(NodeParserSettings::default(), TokenCounter::estimate()),
            embedded_keys: EmbeddedKeys::default(),
            retrieval: RetrievalSettings {
                fusion: config.retrieval.fusion(),
                candidates: config.retrieval.fusion_candidates,
            },
            query_cache_entries: config.retrieval.query_cache_entries,
            metrics: Arc::clone(&metrics),
        }));
        let readiness = Readiness::default();
        // Without a threshold: random vectors are far from any question.
        let chat = prepare_chat(&config, None)?.map(|prepare| Arc::new(ChatEngine::new(prepare(Arc::clone(&engine)))));
        readiness.open(Services { engine, chat });
        let guardrails = Arc::new(Guardrails::load(&config.guardrails, Arc::clone(&metrics)));
        let state = AppState::new(
            readiness,
            AppStateParts {
                metrics,
                limits: config.limits,
                max_top_k: config.retrieval.max_top_k,
                max_concurrent_chats: config.model.max_concurrent_chats,
                guardrails,
                authentication: None,
            },
        );
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = Client::new(format!("http://{}", listener.local_addr()?));
        let server = tokio::spawn(async move { axum::serve(without_delay(listener), router(state)).await });
        Ok(Self {
            client,
            directory,
            vectors,
            server,
        })
    }
}

/// A random direction.
///
/// # Errors
/// Never in practice: when all components are 0.
pub fn vector(random: &mut StdRng) -> Result<Embedding> {
    Ok(Embedding::normalised(
        (0..DIMENSION).map(|_| random.random_range(-1.0_f32..1.0)).collect(),
    )?)
}

/// Words by a power law: the first ones of the vocabulary are common, most are rare.
pub fn sentence(random: &mut StdRng, words: usize) -> String {
    let word = |random: &mut StdRng| {
        let share: f64 = random.random_range(0.0..1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the vocabulary's size"
        )]
        let number = (share.powi(3) * VOCABULARY as f64) as usize;
        format!("w{number}x")
    };
    (0..words).map(|_| word(random)).collect::<Vec<_>>().join(" ")
}

fn document(random: &mut StdRng, embedding: &Embedding) -> IndexedDocument {
    let text = sentence(random, WORDS_A_NODE);
    let document = Document::new(text.clone(), Metadata::default());
    let chunk = Chunk {
        text,
        span: CharSpan { start: 0, end: 0 },
    };
    let nodes = link_nodes(&document.id, TextKind::Prose, vec![chunk]);
    IndexedDocument {
        document: document.into(),
        search_header: String::new(),
        nodes: nodes
            .into_iter()
            .map(|node| IndexedNode {
                node,
                embedding: embedding.clone(),
            })
            .collect(),
    }
}
