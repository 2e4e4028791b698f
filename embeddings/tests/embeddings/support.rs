//! What several tests need.

use std::env;
use std::path::PathBuf;

use kaito_embeddings::{LocalEmbedder, LocalSettings, Precision};

/// Where `make setup` installs.
fn cache_dir() -> PathBuf {
    env::var_os("KAITO_RS_CACHE").map_or_else(
        || PathBuf::from(env::var_os("HOME").expect("HOME is set")).join(".cache/kaito-rs"),
        PathBuf::from,
    )
}

/// Settings for the installed all-MiniLM-L6-v2.
pub(crate) fn minilm_settings() -> LocalSettings {
    LocalSettings {
        model: "sentence-transformers/all-MiniLM-L6-v2".to_owned(),
        precision: Precision::Fp32,
        models_dir: cache_dir().join("models"),
        runtime_library: cache_dir().join("onnxruntime/1.32.0/libonnxruntime.so"),
        threads: 2,
        max_batch_tokens: 4_096,
        queue_capacity: 64,
        allow_download: false,
    }
}

/// Where the installed all-MiniLM-L6-v2 is.
pub(crate) fn minilm_directory() -> PathBuf {
    minilm_settings()
        .models_dir
        .join("sentence-transformers--all-MiniLM-L6-v2")
}

/// The real model.
pub(crate) fn load(settings: &LocalSettings) -> LocalEmbedder {
    LocalEmbedder::load(settings)
        .unwrap_or_else(|error| panic!("{error}\nThis test runs a real model: `make setup` installs it."))
}

/// The cosine of two vectors of length 1.
pub(crate) fn cosine(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

/// The largest difference between two lists of vectors.
pub(crate) fn largest_difference(some: &[Vec<f32>], others: &[Vec<f32>]) -> f32 {
    assert_eq!(some.len(), others.len());
    some.iter()
        .flatten()
        .zip(others.iter().flatten())
        .map(|(one, other)| (one - other).abs())
        .fold(0.0, f32::max)
}
