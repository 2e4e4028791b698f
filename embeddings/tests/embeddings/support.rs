//! What several tests need: the installed model, the mock server, and vectors compared.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use kaito_embeddings::{
    EmbedError, Embedder, InputKind, LocalEmbedder, LocalSettings, Precision, RemoteEmbedder, RemoteSettings,
    RetrySettings,
};
use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// The access secret that [`settings`] sends.
pub(crate) const KEY: &str = "key-that-nobody-may-see";

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

/// What the mock server answers for a text: a vector that points along the text's length.
pub(crate) fn vector(text: &str) -> Value {
    json!([text.len(), 1.0])
}

/// What a request asks, as JSON.
pub(crate) fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

/// The texts in a JSON array.
pub(crate) fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .expect("an array")
        .iter()
        .map(|text| text.as_str().expect("a text"))
        .collect()
}

/// Answers `{"inputs": text}` with a flat vector, and batches with nested ones.
pub(crate) fn inputs_answer(request: &Request) -> ResponseTemplate {
    let body = body(request);
    ResponseTemplate::new(200).set_body_json(match &body["inputs"] {
        Value::String(text) => vector(text),
        many => texts(many).into_iter().map(vector).collect(),
    })
}

/// A mock server that answers every POST like this.
pub(crate) async fn server(answer: impl Respond + 'static) -> MockServer {
    // The program's to install; in the tests' one process, the first one wins.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    server
}

/// Settings for the mock server, with the [`KEY`] and short pauses.
pub(crate) fn settings(server: &MockServer) -> RemoteSettings {
    RemoteSettings {
        retry: RetrySettings {
            attempts: 3,
            first_pause: Duration::from_millis(1),
            longest_pause: Duration::from_millis(5),
        },
        access_secret: Some(KEY.into()),
        ..RemoteSettings::new(server.uri())
    }
}

/// A remote model whose server answers the probe.
pub(crate) async fn connect(settings: RemoteSettings) -> RemoteEmbedder {
    RemoteEmbedder::connect(settings).await.expect("the server answers")
}

/// The vectors of these passages.
pub(crate) async fn embed(embedder: &RemoteEmbedder, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
    embedder
        .embed(InputKind::Passage, texts.iter().map(ToString::to_string).collect())
        .await
}

/// Everything that the mock server was asked, in order.
pub(crate) async fn bodies(server: &MockServer) -> Vec<Value> {
    server
        .received_requests()
        .await
        .expect("recorded")
        .iter()
        .map(body)
        .collect()
}
