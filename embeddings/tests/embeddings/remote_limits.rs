//! Remote models, against a mock server: retries, limits, and answers that are errors.
//! What goes over the wire is in `remote_wire.rs`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kaito_embeddings::{ConnectRemote, EmbedError, RemoteEmbedder, RemoteSettings};
use serde_json::json;
use wiremock::matchers::method;
use wiremock::{Mock, Request, Respond, ResponseTemplate};

use crate::support::{KEY, bodies, connect, embed, inputs_answer, server, settings};

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
