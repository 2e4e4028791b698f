//! Remote models, against a mock server.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kaito_embeddings::{
    ConnectRemote, EmbedError, Embedder, InputKind, RemoteEmbedder, RemoteFlavour, RemoteSettings, RetrySettings,
};
use serde_json::{Value, json};
use wiremock::matchers::{body_json, header, method};
use wiremock::{Match, Mock, MockServer, Request, Respond, ResponseTemplate};

const KEY: &str = "key-that-nobody-may-see";

/// What the mock server answers for a text: a vector that points along the text's length.
fn vector(text: &str) -> Value {
    json!([text.len(), 1.0])
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .expect("an array")
        .iter()
        .map(|text| text.as_str().expect("a text"))
        .collect()
}

/// Answers `{"inputs": text}` with a flat vector, and batches with nested ones.
fn inputs_answer(request: &Request) -> ResponseTemplate {
    let body = body(request);
    ResponseTemplate::new(200).set_body_json(match &body["inputs"] {
        Value::String(text) => vector(text),
        many => texts(many).into_iter().map(vector).collect(),
    })
}

fn openai_answer(request: &Request) -> ResponseTemplate {
    let body = body(request);
    let data: Vec<Value> = texts(&body["input"])
        .into_iter()
        .enumerate()
        .map(|(index, text)| json!({"object": "embedding", "index": index, "embedding": vector(text)}))
        .rev()
        .collect();
    ResponseTemplate::new(200).set_body_json(json!({"object": "list", "data": data, "model": "m"}))
}

/// Requests with more than one text.
struct Batch;

impl Match for Batch {
    fn matches(&self, request: &Request) -> bool {
        body(request)["inputs"].is_array()
    }
}

/// Answers with these, one after the other, then as usual.
struct First(Vec<ResponseTemplate>, AtomicUsize);

impl First {
    fn then_usual(first: impl IntoIterator<Item = ResponseTemplate>) -> Self {
        Self(first.into_iter().collect(), AtomicUsize::new(0))
    }
}

impl Respond for First {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let count = self.1.fetch_add(1, Ordering::SeqCst);
        self.0.get(count).cloned().unwrap_or_else(|| inputs_answer(request))
    }
}

async fn server(answer: impl Respond + 'static) -> MockServer {
    // The program's to install; in the tests' one process, the first one wins.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    server
}

fn settings(server: &MockServer) -> RemoteSettings {
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

async fn connect(settings: RemoteSettings) -> RemoteEmbedder {
    RemoteEmbedder::connect(settings).await.expect("the server answers")
}

async fn embed(embedder: &RemoteEmbedder, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
    embedder
        .embed(InputKind::Passage, texts.iter().map(ToString::to_string).collect())
        .await
}

/// Whether each vector is the normalised one of the text of this length.
fn assert_vectors(vectors: &[Vec<f32>], lengths: &[f32]) {
    assert_eq!(vectors.len(), lengths.len());
    for (vector, length) in vectors.iter().zip(lengths) {
        let norm = length.hypot(1.0);
        assert!(
            (vector[0] - length / norm).abs() < 1e-6 && (vector[1] - 1.0 / norm).abs() < 1e-6,
            "{vector:?}"
        );
    }
}

async fn bodies(server: &MockServer) -> Vec<Value> {
    server
        .received_requests()
        .await
        .expect("recorded")
        .iter()
        .map(body)
        .collect()
}

#[tokio::test]
async fn kaitos_protocol_is_one_text_a_request_and_a_flat_vector() {
    let server = server(inputs_answer).await;
    let embedder = connect(RemoteSettings {
        batch_size: 1,
        ..settings(&server)
    })
    .await;
    assert_eq!((embedder.dimension(), embedder.model_id()), (2, "remote"));
    assert_vectors(&embed(&embedder, &["a", "bb"]).await.expect("vectors"), &[1.0, 2.0]);
    let mut sent = bodies(&server).await.split_off(1);
    sent.sort_by_key(ToString::to_string);
    assert_eq!(sent, [json!({"inputs": "a"}), json!({"inputs": "bb"})]);
}

#[tokio::test]
async fn a_server_that_takes_batches_gets_them() {
    let server = server(inputs_answer).await;
    let embedder = connect(RemoteSettings {
        batch_size: 2,
        ..settings(&server)
    })
    .await;
    assert_vectors(
        &embed(&embedder, &["a", "bb", "ccc"]).await.expect("vectors"),
        &[1.0, 2.0, 3.0],
    );
    let mut sent = bodies(&server).await.split_off(1);
    sent.sort_by_key(ToString::to_string);
    assert_eq!(sent, [json!({"inputs": "ccc"}), json!({"inputs": ["a", "bb"]})]);
}

#[tokio::test]
async fn a_server_that_refuses_a_batch_gets_single_texts_from_then_on() {
    for refusal in [
        ResponseTemplate::new(422),
        ResponseTemplate::new(200).set_body_json(json!([1.0, 1.0])),
    ] {
        let server = server(inputs_answer).await;
        Mock::given(Batch)
            .respond_with(refusal)
            .with_priority(1)
            .expect(1)
            .mount(&server)
            .await;
        let embedder = connect(settings(&server)).await;
        for _ in 0..2 {
            assert_vectors(&embed(&embedder, &["a", "bb"]).await.expect("vectors"), &[1.0, 2.0]);
        }
        assert_eq!(bodies(&server).await.len(), 1 + 1 + 2 + 2);
    }
}

#[tokio::test]
async fn one_text_that_is_refused_does_not_end_batching() {
    let server = server(inputs_answer).await;
    for refused in [json!({"inputs": ["a", "too long"]}), json!({"inputs": "too long"})] {
        Mock::given(body_json(refused))
            .respond_with(ResponseTemplate::new(413))
            .with_priority(1)
            .mount(&server)
            .await;
    }
    let embedder = connect(settings(&server)).await;
    let error = embed(&embedder, &["a", "too long"])
        .await
        .expect_err("a text is refused");
    assert!(
        matches!(error, EmbedError::RemoteStatus { status: 413, .. }),
        "{error:?}"
    );
    embed(&embedder, &["a", "bb"]).await.expect("vectors");
    assert_eq!(bodies(&server).await.last(), Some(&json!({"inputs": ["a", "bb"]})));
}

#[tokio::test]
async fn openais_protocol_is_spoken_to_a_path_that_ends_in_embeddings() {
    let server = server(openai_answer).await;
    let url = format!("{}/v1/embeddings", server.uri());
    let embedder = connect(RemoteSettings {
        url,
        model: Some("m".to_owned()),
        query_prefix: "query: ".to_owned(),
        ..settings(&server)
    })
    .await;
    assert_eq!(embedder.model_id(), "m");
    assert_vectors(
        &embed(&embedder, &["a", "bb", "ccc"]).await.expect("vectors"),
        &[1.0, 2.0, 3.0],
    );
    embedder
        .embed(InputKind::Query, vec!["a".to_owned()])
        .await
        .expect("a vector");
    let sent = bodies(&server).await.split_off(1);
    assert_eq!(
        sent[0],
        json!({"model": "m", "input": ["a", "bb", "ccc"], "encoding_format": "float"})
    );
    assert_eq!(sent[1]["input"], json!(["query: a"]));
}

#[tokio::test]
async fn the_flavour_can_be_set_against_the_path() {
    let server = server(openai_answer).await;
    connect(RemoteSettings {
        flavour: Some(RemoteFlavour::OpenAi),
        ..settings(&server)
    })
    .await;
}

#[tokio::test]
async fn the_bearer_token_is_sent_and_appears_in_no_output() {
    let server = server(ResponseTemplate::new(401)).await;
    Mock::given(header("authorization", format!("Bearer {KEY}").as_str()))
        .respond_with(inputs_answer)
        .with_priority(1)
        .mount(&server)
        .await;
    let settings = settings(&server);
    assert!(!format!("{settings:?}").contains(KEY));
    let embedder = connect(settings.clone()).await;
    assert!(!format!("{embedder:?}").contains(KEY));

    let refused = RemoteEmbedder::connect(RemoteSettings {
        access_secret: Some("wrong".into()),
        ..settings.clone()
    });
    let error = refused.await.expect_err("the key is wrong");
    let shown = format!("{error} {error:?}");
    assert!(
        shown.contains("REMOTE_EMBEDDING_ACCESS_SECRET") && !shown.contains("wrong"),
        "{shown}"
    );

    let url = format!("http://user:{KEY}@127.0.0.1:1/embed");
    let error = RemoteEmbedder::connect(RemoteSettings { url, ..settings })
        .await
        .expect_err("a key in the URL");
    assert!(matches!(error, ConnectRemote::CredentialsInUrl));
    assert!(!format!("{error} {error:?}").contains(KEY));
}

#[tokio::test]
async fn a_busy_server_is_asked_again_until_it_answers() {
    let busy = [
        ResponseTemplate::new(429).insert_header("retry-after", "0"),
        ResponseTemplate::new(503),
    ];
    let server = server(First::then_usual(busy)).await;
    connect(settings(&server)).await;
    assert_eq!(bodies(&server).await.len(), 3);
}

#[tokio::test]
async fn after_the_last_attempt_the_status_is_reported() {
    let server = server(ResponseTemplate::new(503)).await;
    let error = RemoteEmbedder::connect(settings(&server))
        .await
        .expect_err("it stays busy");
    assert!(
        matches!(
            error,
            ConnectRemote::Probe(EmbedError::RemoteStatus {
                status: 503,
                retry_after: None
            })
        ),
        "{error:?}"
    );
    assert_eq!(bodies(&server).await.len(), 3);
}

#[tokio::test]
async fn a_server_that_asks_for_too_much_patience_is_not_asked_again() {
    let server = server(ResponseTemplate::new(429).insert_header("retry-after", "3600")).await;
    let error = RemoteEmbedder::connect(settings(&server))
        .await
        .expect_err("it wants an hour");
    let hour = Duration::from_secs(3600);
    assert!(
        matches!(error, ConnectRemote::Probe(EmbedError::RemoteStatus { retry_after: Some(asked), .. }) if asked == hour),
        "{error:?}"
    );
    assert_eq!(bodies(&server).await.len(), 1);
}

#[tokio::test]
async fn a_refusal_is_not_repeated() {
    let server = server(ResponseTemplate::new(401)).await;
    let error = RemoteEmbedder::connect(settings(&server))
        .await
        .expect_err("unauthorised");
    assert!(
        matches!(
            error,
            ConnectRemote::Probe(EmbedError::RemoteStatus { status: 401, .. })
        ),
        "{error:?}"
    );
    assert_eq!(bodies(&server).await.len(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_transport_error_without_the_url() {
    let server = server(inputs_answer).await;
    let settings = RemoteSettings {
        url: format!("{}/?key={KEY}", server.uri()),
        ..settings(&server)
    };
    drop(server);
    let error = RemoteEmbedder::connect(RemoteSettings {
        url: "http://127.0.0.1:1/?key=hidden".into(),
        ..settings
    })
    .await
    .expect_err("nobody listens");
    assert!(
        matches!(error, ConnectRemote::Probe(EmbedError::RemoteTransport(_))),
        "{error:?}"
    );
    assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
}

#[tokio::test]
async fn a_change_of_dimension_is_an_error() {
    let server = server(inputs_answer).await;
    let embedder = connect(settings(&server)).await;
    server.reset().await;
    let longer = ResponseTemplate::new(200).set_body_json(json!([1.0, 2.0, 3.0]));
    Mock::given(method("POST")).respond_with(longer).mount(&server).await;
    let error = embed(&embedder, &["a"]).await.expect_err("three dimensions");
    assert!(
        matches!(error, EmbedError::DimensionChanged { expected: 2, found: 3 }),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_answer_that_is_too_long_or_malformed_is_an_error() {
    let server = server(First::then_usual([
        ResponseTemplate::new(200).set_body_string("x".repeat(2_000)),
        ResponseTemplate::new(200).set_body_string("<html>"),
    ]))
    .await;
    let settings = RemoteSettings {
        max_answer_bytes: 1_000,
        ..settings(&server)
    };
    let error = RemoteEmbedder::connect(settings.clone()).await.expect_err("too long");
    assert!(
        matches!(
            error,
            ConnectRemote::Probe(EmbedError::RemoteTooLong { limit_bytes: 1_000 })
        ),
        "{error:?}"
    );
    let error = RemoteEmbedder::connect(settings).await.expect_err("not JSON");
    assert!(
        matches!(error, ConnectRemote::Probe(EmbedError::RemoteMalformed { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_silent_server_is_given_up_on() {
    let server = server(ResponseTemplate::new(200).set_delay(Duration::from_secs(600))).await;
    let mut settings = RemoteSettings {
        read_timeout: Duration::from_millis(20),
        ..settings(&server)
    };
    settings.retry.attempts = 1;
    let error = RemoteEmbedder::connect(settings).await.expect_err("silence");
    assert!(
        matches!(&error, ConnectRemote::Probe(EmbedError::RemoteTransport(source)) if source.is_timeout()),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_caller_beyond_the_waiting_ones_is_refused() {
    let server = server(inputs_answer).await;
    let embedder = connect(RemoteSettings {
        waiting_calls: 1,
        ..settings(&server)
    })
    .await;
    let (first, second) = tokio::join!(embed(&embedder, &["a"]), embed(&embedder, &["bb"]));
    first.expect("there is room for one");
    assert!(matches!(second, Err(EmbedError::QueueFull { .. })), "{second:?}");
}
