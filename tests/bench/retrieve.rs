//! What does `/retrieve` cost beyond its parts?
//!
//! Corpus: [`kaito_tests::synthetic`]. Question: a request over a kept-alive connection against the sum of its parts,
//! which are measured alone, in turn with it, in the same run: embedding the query with the real model, FAISS search,
//! tantivy search, each for as many hits as the service asks for.
//!
//! Prints criterion's figures and two ratios of medians. Above 1.3 for a new query, or above 2.0 for one whose vector
//! is cached, the service adds more than it should.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use criterion::Criterion;
use kaito_embeddings::{Embedder, InputKind, LocalEmbedder};
use kaito_tests::synthetic::{DIMENSION, INDEX, NODES, SyntheticService, configuration, sentence, vector};
use rag_core::embedding::Embedding;
use rag_core::index_name::IndexName;
use rag_store::dense::DenseIndex;
use rag_store::lexical::LexicalIndex;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::runtime::Runtime;

const ROUNDS: usize = 300;

/// The service in this process, and each of its parts by itself.
struct Bench {
    runtime: Runtime,
    service: SyntheticService,
    embedder: Arc<LocalEmbedder>,
    dense: DenseIndex,
    lexical: LexicalIndex,
    limit: usize,
    random: StdRng,
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
        let config = configuration(&[]);
        let embedder = Arc::new(LocalEmbedder::load(&config.embedding.local())?);
        let service = runtime.block_on(SyntheticService::start(Arc::clone(&embedder), &[]))?;
        let dense = DenseIndex::empty(DIMENSION)?;
        dense.apply((1..).zip(service.vectors.iter().map(Embedding::as_slice)), &[])?;
        let files = IndexName::try_from(INDEX)?.directory_name();
        let files = service.directory.path().join("data/indexes").join(files);
        let lexical = LexicalIndex::open(&files.join("lexical"))?;
        Ok(Self {
            runtime,
            service,
            embedder,
            dense,
            lexical,
            limit: config.retrieval.fusion_candidates,
            random: StdRng::seed_from_u64(2),
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
        let found = self.runtime.block_on(self.service.client.retrieve(&request))?;
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
