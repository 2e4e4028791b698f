//! The embedding model behind a URL: a test server that makes a vector of the words of a text.

use anyhow::Result;
use kaito_tests::service::ServiceOptions;
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::{Running, retrieved_texts, texts};

const DIMENSION: usize = 64;

/// Texts with common words get close vectors: each word adds to a component of its own.
fn vector(text: &str) -> Vec<f64> {
    let mut vector = vec![0.01; DIMENSION];
    for word in text
        .to_lowercase()
        .split(|character: char| !character.is_alphanumeric())
    {
        let place = word
            .bytes()
            .fold(7_usize, |sum, byte| (sum * 31 + usize::from(byte)) % DIMENSION);
        vector[place] += f64::from(u8::from(!word.is_empty()));
    }
    vector
}

fn texts_of(body: &Value, key: &str) -> Vec<String> {
    match &body[key] {
        Value::String(text) => vec![text.clone()],
        list => list
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|text| text.as_str().map(str::to_owned))
            .collect(),
    }
}

async fn embedding_server() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/embeddings"))
        .and(header("authorization", "Bearer s3cret"))
        .respond_with(|request: &Request| {
            let texts = texts_of(&request.body_json().unwrap_or_default(), "input");
            let data: Vec<Value> = (0..)
                .zip(&texts)
                .map(|(index, text): (usize, &String)| json!({"index": index, "embedding": vector(text)}))
                .collect();
            ResponseTemplate::new(200).set_body_json(json!({"object": "list", "data": data, "model": "words"}))
        })
        .mount(&server)
        .await;
    // KAITO's own protocol: one text, a flat list of numbers.
    Mock::given(method("POST"))
        .and(path("/embedding"))
        .respond_with(|request: &Request| {
            let body: Value = request.body_json().unwrap_or_default();
            match &body["inputs"] {
                Value::String(text) => ResponseTemplate::new(200).set_body_json(vector(text)),
                _ => ResponseTemplate::new(422),
            }
        })
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn openai_and_hugging_face_servers_embed_documents_and_queries() -> Result<()> {
    let server = embedding_server().await;
    for route in ["/v1/embeddings", "/embedding"] {
        let running = Running::start_with(&[
            ("EMBEDDING_SOURCE_TYPE", "Remote"),
            ("REMOTE_EMBEDDING_URL", &format!("{}{route}", server.uri())),
            ("REMOTE_EMBEDDING_ACCESS_SECRET", "s3cret"),
            ("RAG_REMOTE_EMBEDDING_MODEL", "words"),
        ])
        .await?;
        let client = running.client();
        client
            .index("i", &texts(&["red green blue", "one two three", "north south east"]))
            .await?;
        let ask = json!({"index_name": "i", "query": "three two", "mode": "dense", "max_node_count": 1});
        assert_eq!(retrieved_texts(client, ask).await?, ["one two three"], "{route}");
        assert!(
            client
                .metrics()
                .await?
                .contains("rag_embedding_requests_total{status=\"success\",mode=\"remote\"} 1.0")
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_refuses_the_key_stops_the_start_and_the_key_is_not_logged() -> Result<()> {
    let server = embedding_server().await;
    let directory = tempfile::tempdir()?;
    let started = ServiceOptions::new(directory.path())
        .with("EMBEDDING_SOURCE_TYPE", "remote")
        .with("REMOTE_EMBEDDING_URL", &format!("{}/v1/embeddings", server.uri()))
        .with("REMOTE_EMBEDDING_ACCESS_SECRET", "wr0ng")
        .start()
        .await;
    let message = started
        .map(|_| "it started".to_owned())
        .unwrap_or_else(|error| format!("{error:#}"));
    assert!(message.contains("REMOTE_EMBEDDING_ACCESS_SECRET"), "{message}");
    assert!(!message.contains("wr0ng"), "{message}");
    Ok(())
}
