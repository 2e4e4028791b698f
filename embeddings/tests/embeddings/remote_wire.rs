//! Remote models, against a mock server: what goes over the wire.
//! What happens when the server does not answer as it should is in `remote_limits.rs`.

use kaito_embeddings::{ConnectRemote, EmbedError, Embedder, InputKind, RemoteEmbedder, RemoteFlavour, RemoteSettings};
use serde_json::{Value, json};
use wiremock::matchers::{body_json, header};
use wiremock::{Match, Mock, Request, ResponseTemplate};

use crate::support::{KEY, bodies, body, connect, embed, inputs_answer, server, settings, texts, vector};

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
