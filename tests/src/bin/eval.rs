//! Measures retrieval on a collection in BEIR's layout, through the HTTP API of a fresh service.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use kaito_tests::beir::Collection;
use kaito_tests::client::{Client, text_of};
use kaito_tests::scoring::{Scores, score};
use kaito_tests::service::ServiceOptions;
use serde_json::json;

/// Documents sent in one request.
const BATCH: usize = 256;
/// Passages asked for, so that a hundred different documents are among them.
const PASSAGES: usize = 300;
const INDEX: &str = "evaluation";

/// Indexes a collection and prints nDCG@10, recall@10, recall@100 and MRR@10 for each way to search.
///
/// A document's rank is its best passage's. Options of the service are taken from the environment.
#[derive(Parser)]
struct Arguments {
    /// Directories with corpus.jsonl, queries.jsonl and qrels.tsv.
    #[arg(required = true)]
    data: Vec<PathBuf>,
    /// Also write every ranking to this file: one JSON object a query and mode, with scores.
    #[arg(long)]
    rankings: Option<PathBuf>,
    /// Print how far relevant passages are from their questions instead: what `similarity_threshold` in the catalogue of
    /// embedding models is chosen by.
    #[arg(long)]
    distances: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut rankings = String::new();
    for directory in &arguments.data {
        let done = if arguments.distances {
            measure_distances(directory).await
        } else {
            evaluate(directory, &mut rankings).await
        };
        done.with_context(|| format!("evaluating {directory:?}"))?;
    }
    if let Some(path) = arguments.rankings {
        std::fs::write(&path, rankings).with_context(|| format!("cannot write {path:?}"))?;
    }
    Ok(())
}

async fn evaluate(directory: &std::path::Path, rankings: &mut String) -> Result<()> {
    let collection = Collection::read(directory)?;
    let scratch = tempfile::tempdir()?;
    let service = ServiceOptions::new(scratch.path()).start().await?;
    let client = service.client().clone();
    let started = Instant::now();
    let corpus_ids = index(&client, &collection).await?;
    let indexing = started.elapsed();
    let name = directory
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    println!(
        "\n{name}: {} documents in {:.1} s ({:.0} a second), {} queries",
        collection.corpus.len(),
        indexing.as_secs_f64(),
        collection.corpus.len() as f64 / indexing.as_secs_f64(),
        collection.queries.len(),
    );
    println!("| search  | nDCG@10 | recall@10 | recall@100 | MRR@10 | ms a query |");
    println!("| ------- | ------- | --------- | ---------- | ------ | ---------- |");
    for mode in ["lexical", "dense", "hybrid"] {
        let (scores, a_query) = run(&client, &collection, &corpus_ids, mode, rankings).await?;
        println!(
            "| {mode:<7} |  {:.4} |    {:.4} |     {:.4} | {:.4} | {:>10.2} |",
            scores.ndcg_at_10,
            scores.recall_at_10,
            scores.recall_at_100,
            scores.mrr_at_10,
            a_query.as_secs_f64() * 1000.0,
        );
    }
    service.stop().await?;
    Ok(())
}

/// Prints within which squared distance (2 - 2 * cosine) a share of the relevant documents' best passages lies, and which
/// share of all passages lies within it too.
async fn measure_distances(directory: &std::path::Path) -> Result<()> {
    let collection = Collection::read(directory)?;
    let scratch = tempfile::tempdir()?;
    // Every passage is asked for, so that the farthest relevant one is seen. A document is rarely more than three.
    let everything = collection.corpus.len() * 3;
    let service = ServiceOptions::new(scratch.path())
        .with("RAG_MAX_TOP_K", &everything.to_string())
        .start()
        .await?;
    let client = service.client().clone();
    let corpus_ids = index(&client, &collection).await?;
    let (mut relevant, mut all) = (Vec::new(), Vec::new());
    for query in &collection.queries {
        let Some(judged) = collection.judgements.get(&query.id) else {
            continue;
        };
        let request = json!({"index_name": INDEX, "query": query.text, "max_node_count": everything, "mode": "dense"});
        let mut nearest: HashMap<&str, f64> = HashMap::new();
        for result in &client.retrieve(&request).await? {
            let cosine = result["dense_score"].as_f64().context("a passage without a cosine")?;
            let distance = 2.0 - 2.0 * cosine;
            all.push(distance);
            for corpus_id in corpus_ids.get(text_of(result, "doc_id")?).into_iter().flatten() {
                nearest.entry(corpus_id).or_insert(distance);
            }
        }
        let wanted = judged.iter().filter(|(_, relevance)| **relevance > 0);
        relevant.extend(wanted.filter_map(|(id, _)| nearest.get(id.as_str())));
    }
    relevant.sort_unstable_by(f64::total_cmp);
    println!("\n{directory:?}: {} relevant passages", relevant.len());
    println!("| share of the relevant | squared distance | cosine | share of all |");
    println!("| --------------------- | ---------------- | ------ | ------------ |");
    for percent in [50, 75, 90, 95, 96, 97, 98, 99] {
        let distance = relevant
            .get(relevant.len() * percent / 100)
            .context("no passage is relevant")?;
        let passing = all.iter().filter(|other| *other <= distance).count() as f64 / all.len() as f64;
        println!(
            "| {percent:>19} % | {distance:>16.3} | {:>6.3} | {passing:>12.3} |",
            1.0 - distance / 2.0
        );
    }
    service.stop().await?;
    Ok(())
}

/// Indexes the corpus. Returns, for each document id, the corpus ids whose texts it stands for: identical texts are one
/// document.
async fn index(client: &Client, collection: &Collection) -> Result<HashMap<String, Vec<String>>> {
    let mut corpus_ids: HashMap<String, Vec<String>> = HashMap::new();
    for batch in collection.corpus.chunks(BATCH) {
        let documents: Vec<_> = batch
            .iter()
            .map(|document| json!({"text": document.indexed_text()}))
            .collect();
        for (id, document) in client.index(INDEX, &documents).await?.into_iter().zip(batch) {
            corpus_ids.entry(id).or_default().push(document.id.clone());
        }
    }
    Ok(corpus_ids)
}

async fn run(
    client: &Client,
    collection: &Collection,
    corpus_ids: &HashMap<String, Vec<String>>,
    mode: &str,
    rankings: &mut String,
) -> Result<(Scores, Duration)> {
    let mut runs: Vec<(Vec<String>, BTreeMap<String, u32>)> = Vec::new();
    let mut spent = Duration::ZERO;
    for query in &collection.queries {
        let Some(judged) = collection.judgements.get(&query.id) else {
            continue;
        };
        let started = Instant::now();
        let request = json!({"index_name": INDEX, "query": query.text, "max_node_count": PASSAGES, "mode": mode});
        let results = client.retrieve(&request).await?;
        spent += started.elapsed();
        let mut ranking: Vec<String> = Vec::new();
        for result in &results {
            for corpus_id in corpus_ids.get(text_of(result, "doc_id")?).into_iter().flatten() {
                if !ranking.contains(corpus_id) {
                    ranking.push(corpus_id.clone());
                }
            }
        }
        let scores: Vec<_> = results
            .iter()
            .map(|result| json!([result["doc_id"], result["score"]]))
            .collect();
        rankings.push_str(&json!({"query": query.id, "mode": mode, "ranking": ranking, "scores": scores}).to_string());
        rankings.push('\n');
        runs.push((ranking, judged.clone()));
    }
    let count = u32::try_from(runs.len()).unwrap_or(u32::MAX).max(1);
    Ok((
        score(runs.iter().map(|(ranking, judged)| (ranking.as_slice(), judged))),
        spent / count,
    ))
}
