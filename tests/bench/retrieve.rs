//! What does `/retrieve` cost beyond its parts?
//!
//! Corpus: 10,000 passages of 40 words drawn from a vocabulary of 5,000 by a power law, under random unit vectors of
//! 384 components (an exact search takes the same time whatever the vectors are). Question: a request over a kept-alive
//! connection against the sum of its parts, which are measured alone, in turn with it, in the same run: embedding the
//! query with the real model, FAISS search, tantivy search, each for as many hits as the service asks for.
//!
//! Prints criterion's figures and two ratios of medians. Above 1.3 for a new query, or above 2.0 for one whose vector
//! is cached, the service adds more than it should.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use criterion::Criterion;
use kaito_embeddings::{Embedder, InputKind, LocalEmbedder};
use kaito_tests::client::Client;
use rag_core::document::Document;
use rag_core::embed_text::EmbeddedKeys;
use rag_core::embedding::Embedding;
use rag_core::index_name::IndexName;
use rag_core::metadata::Metadata;
use rag_core::node::{CharSpan, Chunk, TextKind, link_nodes};
use rag_core::node_parser::{NodeParser, NodeParserSettings, TokenCounter};
use rag_service::engine::{Engine, EngineParts, RetrievalSettings};
use rag_service::http::{AppState, Readiness, router};
use rag_service::{Config, Metrics};
use rag_store::dense::DenseIndex;
use rag_store::lexical::LexicalIndex;
use rag_store::{DocumentStore, EmbeddedStore, EmbeddedStoreSettings, EmbeddingSpace, IndexedDocument, IndexedNode};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::runtime::Runtime;

const NODES: usize = 10_000;
const WORDS_A_NODE: usize = 40;
const VOCABULARY: usize = 5000;
const DIMENSION: usize = 384;
const ROUNDS: usize = 300;
const INDEX: &str = "bench";

/// The service in this process, and each of its parts by itself.
struct Bench {
    runtime: Runtime,
    client: Client,
    embedder: Arc<LocalEmbedder>,
    dense: DenseIndex,
    lexical: LexicalIndex,
    limit: usize,
    random: StdRng,
    _directory: tempfile::TempDir,
}

/// Medians of one run.
#[derive(Clone, Copy, Debug)]
struct Medians {
    embedding: Duration,
    dense: Duration,
    lexical: Duration,
    new_query: Duration,
    cached_query: Duration,
}

fn main() -> Result<()> {
    let mut bench = Bench::start()?;
    let medians = bench.medians()?;
    let parts = medians.embedding + medians.dense + medians.lexical;
    let search = medians.dense + medians.lexical;
    println!("{NODES} nodes, medians of {ROUNDS} rounds: {medians:?}");
    let ratio = |whole: Duration, part: Duration| whole.as_secs_f64() / part.as_secs_f64();
    println!(
        "/retrieve with a new query    / (embedding + FAISS + tantivy) = {:.2}",
        ratio(medians.new_query, parts)
    );
    println!(
        "/retrieve with a cached query / (FAISS + tantivy)             = {:.2}",
        ratio(medians.cached_query, search)
    );
    bench.criterion();
    Ok(())
}

impl Bench {
    fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let directory = tempfile::tempdir()?;
        let mut random = StdRng::seed_from_u64(1);
        let config = Config::parse_from(["bench"]);
        let embedder = Arc::new(LocalEmbedder::load(&config.embedding.local())?);
        let limit = config.retrieval.fusion_candidates;
        let metrics = Arc::new(Metrics::new(rag_service::EmbeddingMode::local));
        let settings = EmbeddedStoreSettings {
            data_dir: directory.path().join("data"),
            persist_root: directory.path().join("persist"),
            space: EmbeddingSpace {
                model_id: embedder.model_id().to_owned(),
                dimension: DIMENSION,
            },
            max_open_indexes: 8,
            write_queue: 64,
        };
        let store = Arc::new(EmbeddedStore::open(
            settings,
            Arc::clone(&metrics) as Arc<dyn rag_store::StoreObserver>,
        )?);
        let name = IndexName::try_from(INDEX)?;
        let vectors: Vec<Embedding> = (0..NODES).map(|_| vector(&mut random)).collect::<Result<_>>()?;
        let documents = vectors.iter().map(|vector| document(&mut random, vector)).collect();
        runtime.block_on(store.insert(&name, documents))?;
        let dense = DenseIndex::empty(DIMENSION)?;
        dense.apply((1..).zip(vectors.iter().map(Embedding::as_slice)), &[])?;
        let files = directory.path().join("data/indexes").join(name.directory_name());
        let lexical = LexicalIndex::open(&files.join("lexical"))?;
        let engine = Engine::new(EngineParts {
            store,
            embedder: Arc::clone(&embedder) as Arc<dyn Embedder>,
            node_parser: NodeParser::new(NodeParserSettings::default(), TokenCounter::estimate()),
            embedded_keys: EmbeddedKeys::default(),
            retrieval: RetrievalSettings {
                fusion: config.retrieval.fusion(),
                candidates: limit,
            },
            query_cache_entries: config.retrieval.query_cache_entries,
            metrics: Arc::clone(&metrics),
        });
        let readiness = Readiness::default();
        readiness.open(Arc::new(engine));
        let state = AppState::new(readiness, metrics, config.limits, config.retrieval.max_top_k);
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
        let client = Client::new(format!("http://{}", listener.local_addr()?));
        runtime.spawn(async move { axum::serve(listener, router(state)).await });
        Ok(Self {
            runtime,
            client,
            embedder,
            dense,
            lexical,
            limit,
            random,
            _directory: directory,
        })
    }

    /// Every part and the whole in turn, so that a busy moment of the machine falls on all of them.
    fn medians(&mut self) -> Result<Medians> {
        let mut samples: [Vec<Duration>; 5] = Default::default();
        for round in 0..ROUNDS + 20 {
            let query = sentence(&mut self.random, 8);
            let vector = vector(&mut self.random)?;
            let taken = [
                timed(|| self.embed(&sentence(&mut StdRng::seed_from_u64(round as u64), 8)))?,
                timed(|| Ok(black_box(self.dense.search(&vector, self.limit, None)?)))?,
                timed(|| Ok(black_box(self.lexical.search(&query, self.limit, None)?)))?,
                timed(|| self.retrieve(&query))?,
                timed(|| self.retrieve(&query))?,
            ];
            // The first rounds warm caches and connections.
            if round >= 20 {
                for (samples, taken) in samples.iter_mut().zip(taken) {
                    samples.push(taken);
                }
            }
        }
        let [embedding, dense, lexical, new_query, cached_query] = samples.map(median);
        Ok(Medians {
            embedding,
            dense,
            lexical,
            new_query,
            cached_query,
        })
    }

    fn criterion(&mut self) {
        let mut criterion = Criterion::default()
            .sample_size(20)
            .measurement_time(Duration::from_secs(3));
        let query = sentence(&mut self.random, 8);
        let mut random = StdRng::seed_from_u64(99);
        let vector = vector(&mut random).expect("a random vector has a direction");
        criterion.bench_function("part/embedding", |bencher| {
            bencher.iter(|| self.embed(&sentence(&mut random, 8)).expect("the model runs"));
        });
        criterion.bench_function("part/faiss", |bencher| {
            bencher.iter(|| self.dense.search(&vector, self.limit, None).expect("FAISS searches"));
        });
        criterion.bench_function("part/tantivy", |bencher| {
            bencher.iter(|| self.lexical.search(&query, self.limit, None).expect("tantivy searches"));
        });
        criterion.bench_function("retrieve/new query", |bencher| {
            bencher.iter(|| self.retrieve(&sentence(&mut random, 8)).expect("an answer"));
        });
        criterion.bench_function("retrieve/cached query", |bencher| {
            bencher.iter(|| self.retrieve(&query).expect("an answer"));
        });
        criterion.final_summary();
    }

    fn embed(&self, query: &str) -> Result<()> {
        black_box(
            self.runtime
                .block_on(self.embedder.embed(InputKind::Query, vec![query.to_owned()]))?,
        );
        Ok(())
    }

    fn retrieve(&self, query: &str) -> Result<()> {
        let request = json!({"index_name": INDEX, "query": query});
        let found = self.runtime.block_on(self.client.retrieve(&request))?;
        anyhow::ensure!(found.len() == 5);
        Ok(())
    }
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed())
}

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort_unstable();
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}

fn vector(random: &mut StdRng) -> Result<Embedding> {
    Ok(Embedding::normalised(
        (0..DIMENSION).map(|_| random.random_range(-1.0_f32..1.0)).collect(),
    )?)
}

/// Words by a power law: the first ones of the vocabulary are common, most are rare.
fn sentence(random: &mut StdRng, words: usize) -> String {
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
    let nodes = link_nodes(
        &document.id,
        TextKind::Prose,
        vec![Chunk {
            text,
            span: CharSpan { start: 0, end: 0 },
        }],
    );
    let nodes = nodes
        .into_iter()
        .map(|node| IndexedNode {
            node,
            embedding: embedding.clone(),
        })
        .collect();
    IndexedDocument {
        document,
        search_header: String::new(),
        nodes,
    }
}
