//! What is answered to whom, and what is counted.

use axum::http::header::CONTENT_LENGTH;
use axum::http::{Method, Request, StatusCode};
use kube::Client;
use kube::client::Body;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::admission::reviewer;
use crate::webhook::metrics::WebhookMetrics;
use crate::webhook::server::router;

struct Server {
    client: Client,
    registry: Registry,
}

impl Server {
    fn new() -> Self {
        let metrics = WebhookMetrics::default();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        Self {
            client: Client::new(router(reviewer(), &metrics), "default"),
            registry,
        }
    }

    async fn ask(&self, method: Method, path: &str, length: Option<usize>) -> StatusCode {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(length) = length {
            request = request.header(CONTENT_LENGTH, length);
        }
        let request = request.body(Body::from(b"{}".to_vec())).unwrap();
        self.client.send(request).await.unwrap().status()
    }

    fn exported(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        text
    }
}

#[tokio::test]
async fn what_is_not_for_the_webhooks_is_refused_and_counted() {
    let server = Server::new();
    let post = async |path, length| server.ask(Method::POST, path, length).await;
    assert_eq!(post("/convert", None).await, StatusCode::BAD_REQUEST);
    assert_eq!(
        post("/validate/ragengine.kaito.sh", Some(2)).await,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        post("/validate/workspace.kaito.sh", Some((8 << 20) + 1)).await,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    assert_eq!(post("/other", None).await, StatusCode::NOT_FOUND);
    assert_eq!(
        server.ask(Method::GET, "/convert", None).await,
        StatusCode::METHOD_NOT_ALLOWED
    );
    let exported = server.exported();
    for line in [
        "kaito_webhook_requests_total{path=\"convert\",verdict=\"unreadable\"} 1",
        "kaito_webhook_requests_total{path=\"validate_ragengine\",verdict=\"unreadable\"} 1",
        "kaito_webhook_requests_total{path=\"validate_workspace\",verdict=\"dropped\"} 1",
    ] {
        assert!(exported.contains(line), "{exported}");
    }
}
