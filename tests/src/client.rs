//! A small client for the service, for tests and tools.

use anyhow::{Context, Result, bail};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::event_stream::EventStream;

const CHAT: &str = "/v1/chat/completions";

/// Talks to one service.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
}

/// An answer: its status and its body as JSON (`null` when it is not JSON).
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Body.
    pub body: Value,
    /// Value of the `content-type` header.
    pub content_type: String,
    /// All headers.
    pub headers: HeaderMap,
}

impl Client {
    /// A client for the service at a base URL such as `http://127.0.0.1:5000`.
    pub fn new(base: impl Into<String>) -> Self {
        // Whoever comes first installs the provider; there is one either way.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            http: reqwest::Client::new(),
            base: base.into(),
            key: None,
        }
    }

    /// The same, sending this API key.
    #[must_use]
    pub fn with_key(&self, key: impl Into<String>) -> Self {
        Self {
            key: Some(key.into()),
            ..self.clone()
        }
    }

    /// The base URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request and reads the answer, whatever its status.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request
            .send()
            .await
            .with_context(|| format!("no answer from {}{path}", self.base))?;
        let status = response.status();
        let content_type = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        let headers = response.headers().clone();
        let bytes = response.bytes().await?;
        Ok(Answer {
            status,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            content_type,
            headers,
        })
    }

    /// GET.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, None).await
    }

    /// POST with a JSON body.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Indexes documents, each `{"text", "metadata"?}`, and returns their ids.
    ///
    /// # Errors
    /// When the answer is not a success.
    pub async fn index(&self, index: &str, documents: &[Value]) -> Result<Vec<String>> {
        let answer = self
            .post("/index", &json!({"index_name": index, "documents": documents}))
            .await?;
        let body = answer.success()?;
        let documents = body.as_array().context("the answer is not a list")?;
        documents
            .iter()
            .map(|document| Ok(text_of(document, "doc_id")?.to_owned()))
            .collect()
    }

    /// Asks for passages and returns the `results`.
    ///
    /// # Errors
    /// When the answer is not a success.
    pub async fn retrieve(&self, request: &Value) -> Result<Vec<Value>> {
        let body = self.post("/retrieve", request).await?.success()?;
        Ok(body
            .get("results")
            .and_then(Value::as_array)
            .context("the answer has no results")?
            .clone())
    }

    /// Sends a chat and reads the answer, whatever its status.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn chat(&self, body: &Value) -> Result<Answer> {
        self.post(CHAT, body).await
    }

    /// Sends a chat that asks for a stream and returns when it has begun.
    ///
    /// # Errors
    /// When the answer is not a stream.
    pub async fn chat_stream(&self, body: &Value) -> Result<EventStream> {
        let request = self.request(Method::POST, CHAT).json(body);
        EventStream::new(request.send().await?).await
    }

    /// The text of `/metrics`.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn metrics(&self) -> Result<String> {
        Ok(self.request(Method::GET, "/metrics").send().await?.text().await?)
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }
}

impl Answer {
    /// The body, if the status is a success.
    ///
    /// # Errors
    /// When it is not.
    pub fn success(self) -> Result<Value> {
        if !self.status.is_success() {
            bail!("status {}: {}", self.status, self.body);
        }
        Ok(self.body)
    }
}

/// A string member of an object.
///
/// # Errors
/// When there is none.
pub fn text_of<'a>(object: &'a Value, key: &str) -> Result<&'a str> {
    object
        .get(key)
        .and_then(Value::as_str)
        .with_context(|| format!("no {key} in {object}"))
}
