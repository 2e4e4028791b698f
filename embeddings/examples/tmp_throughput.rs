#![allow(missing_docs, clippy::all)]
use kaito_embeddings::*;
use std::time::Instant;
#[tokio::main]
async fn main() {
    let cache = std::path::PathBuf::from(std::env::var("HOME").unwrap()).join(".cache/kaito-rs");
    for threads in [1usize, 2] { for precision in [Precision::Fp32, Precision::Int8] { for max in [512usize, 1024, 2048, 4096, 8192] {
        let s = LocalSettings { model: "all-MiniLM-L6-v2".into(), precision, models_dir: cache.join("models"), runtime_library: cache.join("onnxruntime/1.32.0/libonnxruntime.so"), threads, max_batch_tokens: max, queue_capacity: 64, allow_download: false };
        let e = LocalEmbedder::load(&s).unwrap();
        let words: Vec<&str> = include_str!("../src/error.rs").split_whitespace().collect();
        let texts: Vec<String> = (0..64usize).map(|i| { let n = 60 + (i * 37) % 60; (0..n).map(|j| words[(i * 13 + j) % words.len()]).filter(|w| w.len() < 12).collect::<Vec<_>>().join(" ") }).collect();
        let mut best = f64::MAX;
        for _ in 0..3 { let t = Instant::now(); e.embed(InputKind::Passage, texts.clone()).await.unwrap(); best = best.min(t.elapsed().as_secs_f64()); }
        let c = e.batch_counts();
        let t = Instant::now(); for _ in 0..20 { e.embed(InputKind::Query, vec!["how do I restart the reactor after a power failure".into()]).await.unwrap(); }
        println!("threads {threads} {precision:?} max {max}: {:.1} docs/s, {} tokens/text padded, query {:.1} ms", 64.0 / best, c.padded_tokens / c.texts, t.elapsed().as_secs_f64() * 50.0);
    } } }
}
