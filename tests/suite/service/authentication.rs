//! With API keys configured, nobody else gets in; and the keys go nowhere.

mod keys;
mod start;

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use kaito_tests::backend::Backend;
use kaito_tests::client::{Answer, Client};
use kaito_tests::synthetic::configuration;
use rag_service::guardrails::Guardrails;
use rag_service::http::{AppState, AppStateParts, Readiness, router};
use rag_service::{EmbeddingMode, Metrics};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Running, texts};

const KEY: &str = "alices-key-0123456789";
/// What probes and scrapers ask for.
const OPEN: [&str; 3] = ["/health", "/metrics", "/ready"];

/// A request to each other route, in an order in which all succeed on a service with a model. The index is called `i`.
fn requests() -> Vec<(Method, &'static str, Value)> {
    let chat = json!({"model": "test-model", "messages": [{"role": "user", "content": "hello"}]});
    vec![
        (
            Method::POST,
            "/index",
            json!({"index_name": "i", "documents": texts(&["alpha"])}),
        ),
        (Method::GET, "/indexes", Value::Null),
        (Method::POST, "/retrieve", json!({"index_name": "i", "query": "alpha"})),
        (Method::GET, "/indexes/{index_name}/documents", Value::Null),
        (
            Method::POST,
            "/indexes/{index_name}/documents",
            json!({"documents": []}),
        ),
        (
            Method::POST,
            "/indexes/{index_name}/documents/delete",
            json!({"doc_ids": []}),
        ),
        (Method::POST, "/persist/{index_name}", Value::Null),
        (Method::DELETE, "/indexes/{index_name}", Value::Null),
        (Method::POST, "/load/{index_name}", Value::Null),
        (Method::POST, "/v1/chat/completions", chat),
        (Method::GET, "/v1/models", Value::Null),
    ]
}

/// The paths of all routes, from the router's own description of itself.
fn routes() -> Result<BTreeSet<String>> {
    let config = configuration(&[]);
    let metrics = Arc::new(Metrics::new(EmbeddingMode::local));
    let parts = AppStateParts {
        metrics: Arc::clone(&metrics),
        limits: config.limits,
        max_top_k: 1,
        max_concurrent_chats: 1,
        guardrails: Arc::new(Guardrails::load(&config.guardrails, metrics)),
        authentication: None,
    };
    let description = format!("{:?}", router(AppState::new(Readiness::default(), parts)));
    let (_, paths) = description
        .split_once("paths: {")
        .context("no paths in the description")?;
    let (paths, _) = paths.split_once("}, ").context("no end of the paths")?;
    let quoted = paths.split('"').skip(1).step_by(2);
    Ok(quoted.map(str::to_owned).collect())
}

async fn ask(client: &Client, (method, route, body): &(Method, &str, Value)) -> Result<Answer> {
    let path = route.replace("{index_name}", "i");
    client
        .send(method.clone(), &path, Some(body).filter(|body| !body.is_null()))
        .await
}

fn assert_refused(answer: &Answer, route: &str) {
    assert_eq!(answer.status, 401, "{route}: {}", answer.body);
    assert_eq!(answer.headers["www-authenticate"], "Bearer", "{route}");
    assert_eq!(answer.content_type, "application/problem+json");
    let detail = answer.body["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("'Authorization: Bearer <key>'"), "{route}: {detail}");
    if route.starts_with("/v1/") {
        let error =
            json!({"message": detail, "type": "invalid_request_error", "param": null, "code": "invalid_api_key"});
        assert_eq!(answer.body["error"], error, "{route}");
    } else {
        assert_eq!(answer.body, json!({"detail": detail}), "{route}");
    }
}

#[tokio::test]
async fn every_route_but_those_of_probes_and_scrapers_wants_a_key_of_either_source() -> Result<()> {
    let requests = requests();
    let known = requests.iter().map(|(_, route, _)| *route).chain(OPEN);
    assert_eq!(
        routes()?,
        known.map(str::to_owned).collect(),
        "a route is not asked here"
    );

    let keys = tempfile::tempdir()?;
    std::fs::write(keys.path().join("alice"), format!("{KEY}\n"))?;
    let backend = Backend::start().await?;
    let running = Running::start_with(&[
        ("RAG_API_KEY", "the-only-key-on-a-laptop"),
        ("RAG_API_KEYS_DIR", &keys.path().display().to_string()),
        ("LLM_INFERENCE_URL", &backend.chat_url()),
    ])
    .await?;
    let nobody = Client::new(running.client().base());
    for route in OPEN {
        assert_eq!(nobody.get(route).await?.status, 200, "{route}");
    }
    let unknown_routes = [
        (Method::GET, "/nowhere", Value::Null),
        (Method::GET, "/v1/embeddings", Value::Null),
        (Method::GET, "/index", Value::Null),
    ];
    let wrong_keys = ["alices-key-012345678", "alices-key-01234567890", "alice", " "];
    for request in requests.iter().chain(&unknown_routes) {
        assert_refused(&ask(&nobody, request).await?, request.1);
        for wrong in wrong_keys {
            assert_refused(&ask(&nobody.with_key(wrong), request).await?, request.1);
        }
    }
    for client in [&nobody.with_key(KEY), running.client()] {
        for request in &requests {
            let answer = ask(client, request).await?;
            assert_eq!(answer.status, 200, "{request:?}: {}", answer.body);
        }
        for (request, status) in unknown_routes.iter().zip([404, 404, 405]) {
            assert_eq!(ask(client, request).await?.status, status, "{request:?}");
        }
        client.send(Method::DELETE, "/indexes/i", None).await?.success()?;
    }
    let asked = requests.len() + unknown_routes.len();
    // A key of blanks is none.
    for (reason, times) in [("no_key", 2 * asked), ("unknown_key", 3 * asked)] {
        let line = format!("rag_unauthenticated_requests_total{{reason=\"{reason}\"}} {times}.0");
        running.metric(&line).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_request_is_refused_before_its_body_is_read() -> Result<()> {
    let running = Running::start_with(&[("RAG_API_KEY", KEY)]).await?;
    let address = running.client().base().trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).await?;
    connection
        .write_all(b"POST /index HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{")
        .await?;
    let mut status = [0; 12];
    connection.read_exact(&mut status).await?;
    assert_eq!(&status, b"HTTP/1.1 401");
    Ok(())
}

#[tokio::test]
async fn the_log_names_the_caller_and_never_shows_a_key() -> Result<()> {
    let keys = tempfile::tempdir()?;
    std::fs::write(keys.path().join("alice"), KEY)?;
    let running = Running::start_with(&[
        ("RAG_API_KEYS_DIR", &keys.path().display().to_string()),
        ("RAG_API_KEY", "the-only-key-on-a-laptop"),
        ("RUST_LOG", "trace"),
    ])
    .await?;
    running.client().with_key(KEY).get("/indexes").await?.success()?;
    running.client().get("/indexes").await?.success()?;
    let refused = running.client().with_key("mallorys-key-0123456789");
    assert_eq!(refused.get("/indexes").await?.status, 401);
    let (_, log) = running.service.stop().await?;
    for caller in ["alice", "default"] {
        let served = |line: &str| line.contains(&format!("caller=\"{caller}\"")) && line.contains("request served");
        assert!(log.lines().any(served), "{caller} is not in\n{log}");
    }
    for key in [KEY, "the-only-key", "mallorys-key"] {
        assert!(!log.contains(key), "a key is in\n{log}");
    }
    Ok(())
}

#[tokio::test]
async fn a_callers_key_never_reaches_the_model() -> Result<()> {
    for secret in [None, Some("s3cret")] {
        let backend = Backend::start().await?;
        let url = backend.chat_url();
        let mut variables = vec![("LLM_INFERENCE_URL", url.as_str()), ("RAG_API_KEY", KEY)];
        variables.extend(secret.map(|secret| ("LLM_ACCESS_SECRET", secret)));
        let running = Running::start_with(&variables).await?;
        let client = running.client();
        client.index("i", &texts(&["The reactor uses helium."])).await?;
        let plain = json!({"messages": [{"role": "user", "content": "What does the reactor use?"}]});
        let mut chats = Vec::new();
        for index_name in [json!(null), json!("i")] {
            for stream in [false, true] {
                let mut chat = plain.clone();
                chat["index_name"] = index_name.clone();
                chat["stream"] = json!(stream);
                chats.push(chat);
            }
        }
        for chat in &chats {
            assert_eq!(client.chat(chat).await?.status, 200, "{chat}");
        }
        client.get("/v1/models").await?.success()?;
        let seen = [backend.requests(), backend.model_requests()].concat();
        assert!(seen.len() > chats.len(), "{} requests", seen.len());
        for request in seen {
            let expected = secret.map(|secret| format!("Bearer {secret}"));
            assert_eq!(request.header("authorization"), expected.as_deref(), "{request:?}");
            assert!(!format!("{request:?}").contains(KEY), "{request:?}");
        }
    }
    Ok(())
}
