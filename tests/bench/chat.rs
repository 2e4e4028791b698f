//! What does a chat cost beyond its parts, and does a hanging model cost anybody else anything?
//!
//! Corpus: [`kaito_tests::synthetic`]. The model is a server in this process that answers at once. Four questions, each
//! answered by two kinds of work in turn, in one run:
//!
//! 1. A grounded chat against `/retrieve` for the same number of passages and against the usual five, every query a new
//!    one. Above 1.5 the chat adds more than it should.
//! 2. The first byte of a stream that is passed through, against the same stream from the model's server itself. Above
//!    2.0 the service stands in the way.
//! 3. `/retrieve` and `/index` of a service with 64 chats waiting for a model that hangs, against one without, at the 95th
//!    percentile. Above 1.2 the waiting chats are in the way.
//! 4. Scanning an answer of about 2,000 tokens by the built-in guardrail policy, against embedding one passage of about 200
//!    tokens with the real model. Above 0.2 scanning costs too much.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use kaito_embeddings::{Embedder, InputKind, LocalEmbedder};
use kaito_tests::backend::{Backend, Reply};
use kaito_tests::client::Client;
use kaito_tests::event_stream::EventStream;
use kaito_tests::synthetic::{INDEX, NODES, SyntheticService, configuration, sentence};
use rag_core::chat::tokens::ChatTokenCounter;
use rag_guardrails::Policy;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

const ROUNDS: usize = 300;
const WAITING_CHATS: usize = 64;
const ISOLATION_ROUNDS: usize = 500;
/// Rounds that warm caches and connections.
const WARM_UP: usize = 20;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let embedder = Arc::new(LocalEmbedder::load(&configuration(&[]).embedding.local())?);
        chat_against_retrieve(&embedder).await?;
        first_byte(&embedder).await?;
        isolation(&embedder).await?;
        scanning(&embedder).await
    })
}

async fn chat_against_retrieve(embedder: &Arc<LocalEmbedder>) -> Result<()> {
    let backend = Backend::replying([Reply::text("Yes [1].")]).await?;
    let service = service(embedder, &backend).await?;
    let mut random = StdRng::seed_from_u64(3);
    let mut samples: [Vec<Duration>; 4] = Default::default();
    let mut sources = 0;
    for round in 0..ROUNDS + WARM_UP {
        let five = json!({"index_name": INDEX, "query": sentence(&mut random, 8)});
        let many = json!({"index_name": INDEX, "query": sentence(&mut random, 8), "max_node_count": 128});
        let small = chat(&sentence(&mut random, 8), json!({"max_node_count": 5}));
        let full = chat(&sentence(&mut random, 8), json!({}));
        let taken = [
            timed(async { service.client.retrieve(&five).await.map(|found| found.len()) }).await?,
            timed(async { service.client.retrieve(&many).await.map(|found| found.len()) }).await?,
            timed(grounded(&service.client, &small)).await?,
            timed(grounded(&service.client, &full)).await?,
        ];
        sources = taken[3].1;
        if round >= WARM_UP {
            for (samples, (taken, _)) in samples.iter_mut().zip(taken) {
                samples.push(taken);
            }
        }
    }
    let [five, many, small, full] = samples.map(|samples| percentile(samples, 50));
    println!("{NODES} nodes, medians of {ROUNDS} rounds, new queries:");
    println!("  /retrieve of 5 {five:?}, of 128 {many:?}; chat over 5 {small:?}, over {sources} {full:?}");
    println!(
        "grounded chat over 5 passages   / /retrieve of 5   = {:.2}",
        ratio(small, five)
    );
    println!(
        "grounded chat over {sources} passages / /retrieve of 128 = {:.2}",
        ratio(full, many)
    );
    println!(
        "grounded chat over {sources} passages / /retrieve of 5   = {:.2}",
        ratio(full, five)
    );
    Ok(())
}

async fn first_byte(embedder: &Arc<LocalEmbedder>) -> Result<()> {
    let backend = Backend::replying([Reply::text("one two three")]).await?;
    let service = service(embedder, &backend).await?;
    // The same client and path for both, so that only the way between differs.
    let direct = Client::new(format!("http://{}", backend.address()));
    let body = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "hello"}]});
    let mut samples: [Vec<Duration>; 2] = Default::default();
    for round in 0..ROUNDS * 3 + WARM_UP {
        for (samples, client) in samples.iter_mut().zip([&direct, &service.client]) {
            let started = Instant::now();
            let mut stream: EventStream = client.chat_stream(&body).await?;
            stream.next().await?;
            let taken = started.elapsed();
            stream.rest().await?;
            if round >= WARM_UP {
                samples.push(taken);
            }
        }
    }
    let [direct, through] = samples.map(|samples| percentile(samples, 50));
    println!("\nfirst byte of a stream, medians: {direct:?} from the model's server, {through:?} through the service");
    println!(
        "first byte through the service / from the model's server = {:.2}",
        ratio(through, direct)
    );
    Ok(())
}

async fn isolation(embedder: &Arc<LocalEmbedder>) -> Result<()> {
    let hanging = Backend::replying([Reply::hang()]).await?;
    let [busy, idle] = [service(embedder, &hanging).await?, service(embedder, &hanging).await?];
    let mut waiting = tokio::task::JoinSet::new();
    for n in 0..WAITING_CHATS {
        let client = busy.client.clone();
        waiting.spawn(async move { client.chat(&chat(&format!("question {n}"), json!({}))).await.is_ok() });
    }
    hanging.wait_for_requests(WAITING_CHATS).await?;
    let mut random = StdRng::seed_from_u64(4);
    let mut samples: [[Vec<Duration>; 2]; 2] = Default::default();
    for round in 0..ISOLATION_ROUNDS + WARM_UP {
        for (service, samples) in [&busy, &idle].into_iter().zip(&mut samples) {
            let query = json!({"index_name": INDEX, "query": sentence(&mut random, 8)});
            let document = [json!({"text": sentence(&mut random, 40)})];
            let taken = [
                timed(async { service.client.retrieve(&query).await.map(|found| found.len()) })
                    .await?
                    .0,
                timed(async { service.client.index("added", &document).await.map(|ids| ids.len()) })
                    .await?
                    .0,
            ];
            if round >= WARM_UP {
                for (samples, taken) in samples.iter_mut().zip(taken) {
                    samples.push(taken);
                }
            }
        }
    }
    ensure!(hanging.counts().in_flight == WAITING_CHATS, "all chats still wait");
    waiting.abort_all();
    println!(
        "\n{WAITING_CHATS} chats wait for a model that hangs; {ISOLATION_ROUNDS} requests of each kind to either service:"
    );
    let [[busy_retrieve, busy_index], [idle_retrieve, idle_index]] = samples;
    for (name, busy, idle) in [
        ("/retrieve", busy_retrieve, idle_retrieve),
        ("/index", busy_index, idle_index),
    ] {
        let medians = (percentile(busy.clone(), 50), percentile(idle.clone(), 50));
        let (busy, idle) = (percentile(busy, 95), percentile(idle, 95));
        println!(
            "{name:<9} p50 {:?} against {:?}, p95 {busy:?} against {idle:?}",
            medians.0, medians.1
        );
        println!("{name:<9} p95 with hanging chats / without = {:.2}", ratio(busy, idle));
    }
    Ok(())
}

async fn scanning(embedder: &LocalEmbedder) -> Result<()> {
    let policy = Policy::parse(kaito_presets::DEFAULT_GUARDRAILS_POLICY.as_bytes())?.policy;
    let counter = ChatTokenCounter::o200k();
    let mut random = StdRng::seed_from_u64(5);
    // Random words are cut into several tokens each, so tokens are counted.
    let of_tokens = |random: &mut StdRng, tokens: usize| {
        let mut text = String::new();
        while counter.count(&text) < tokens {
            text.push_str(&sentence(random, 10));
            text.push_str(". ");
        }
        text
    };
    let mut samples: [Vec<Duration>; 2] = Default::default();
    for round in 0..100 + WARM_UP {
        let (answer, passage) = (of_tokens(&mut random, 2000), of_tokens(&mut random, 200));
        let taken = [
            timed(async { Ok(policy.scan(&answer)) }).await?.0,
            timed(async { Ok(embedder.embed(InputKind::Passage, vec![passage]).await?) })
                .await?
                .0,
        ];
        if round >= WARM_UP {
            for (samples, taken) in samples.iter_mut().zip(taken) {
                samples.push(taken);
            }
        }
    }
    let [scan, embedding] = samples.map(|samples| percentile(samples, 50));
    println!("\nmedians: scanning 2,000 tokens {scan:?}, embedding 200 tokens {embedding:?}");
    println!(
        "scanning 2,000 tokens / embedding 200 tokens = {:.3}",
        ratio(scan, embedding)
    );
    Ok(())
}

async fn service(embedder: &Arc<LocalEmbedder>, backend: &Backend) -> Result<SyntheticService> {
    SyntheticService::start(Arc::clone(embedder), &["--llm-inference-url", &backend.chat_url()]).await
}

fn chat(question: &str, more: Value) -> Value {
    let mut body =
        json!({"model": "test-model", "index_name": INDEX, "messages": [{"role": "user", "content": question}]});
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

async fn grounded(client: &Client, body: &Value) -> Result<usize> {
    let answer = client.chat(body).await?.success()?;
    let sources = answer.get("source_nodes").and_then(Value::as_array).map_or(0, Vec::len);
    ensure!(sources > 0, "the chat is not grounded");
    Ok(sources)
}

async fn timed<T>(work: impl Future<Output = Result<T>>) -> Result<(Duration, T)> {
    let started = Instant::now();
    let made = work.await?;
    Ok((started.elapsed(), made))
}

fn percentile(mut samples: Vec<Duration>, percent: usize) -> Duration {
    samples.sort_unstable();
    samples.get(samples.len() * percent / 100).copied().unwrap_or_default()
}

fn ratio(whole: Duration, part: Duration) -> f64 {
    whole.as_secs_f64() / part.as_secs_f64()
}
