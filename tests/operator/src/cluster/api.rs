//! A small client of an API server, for tests that look at objects as the JSON they are.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Certificate, Method, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::Cluster;
use super::process::log_ends;
use super::user::Credentials;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a condition may take to come true, on a machine that builds something at the same time.
const CONDITION_TIMEOUT: Duration = Duration::from_secs(60);

/// Talks to one API server as one user.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    logs: PathBuf,
}

/// What the API server said.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// The object, or a `Status` that tells what is wrong.
    pub body: Value,
}

impl Answer {
    /// The `message` of a `Status`; empty if there is none.
    pub fn message(&self) -> &str {
        self.body.get("message").and_then(Value::as_str).unwrap_or_default()
    }

    /// The object.
    ///
    /// # Errors
    /// When the request was refused; the error has the message.
    pub fn object(self) -> Result<Value> {
        if !self.status.is_success() {
            bail!("{}: {}", self.status, self.message());
        }
        Ok(self.body)
    }
}

impl Api {
    pub(super) fn new(cluster: &Cluster, credentials: &Credentials, user_agent: &str) -> Result<Self> {
        let http = http(cluster, Some(credentials))?
            .user_agent(user_agent)
            .timeout(REQUEST_TIMEOUT);
        Ok(Self {
            http: http.build()?,
            base: cluster.url(),
            logs: cluster.directory().to_owned(),
        })
    }

    /// Whether the API server says that it is ready.
    pub async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}/readyz", self.base)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Reads an object or a list.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.send(Method::GET, path, None).await?.object()
    }

    /// Whether there is such an object.
    ///
    /// # Errors
    /// When there is no answer, or it is another refusal than 404.
    pub async fn exists(&self, path: &str) -> Result<bool> {
        let answer = self.send(Method::GET, path, None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        answer.object().map(|_| true)
    }

    /// Creates an object in a collection.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub async fn create(&self, collection: &str, object: &Value) -> Result<Value> {
        self.try_create(collection, object).await?.object()
    }

    /// Creates an object in a collection, or tries to.
    ///
    /// # Errors
    /// When there is no answer. A refusal is an answer.
    pub async fn try_create(&self, collection: &str, object: &Value) -> Result<Answer> {
        self.send(Method::POST, collection, Some(("application/json", object)))
            .await
    }

    /// Puts an object in the place of one that exists.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub async fn replace(&self, path: &str, object: &Value) -> Result<Value> {
        self.send(Method::PUT, path, Some(("application/json", object)))
            .await?
            .object()
    }

    /// Applies fields of an object, server-side and without force.
    ///
    /// # Errors
    /// When there is no answer. A refusal, such as a conflict, is an answer.
    pub async fn apply(&self, path: &str, manager: &str, object: &Value) -> Result<Answer> {
        let path = format!("{path}?fieldManager={manager}");
        self.send(Method::PATCH, &path, Some(("application/apply-patch+yaml", object)))
            .await
    }

    /// Has the API server check an object as if it were applied, without keeping it.
    ///
    /// # Errors
    /// When there is no answer. A refusal is an answer.
    pub async fn dry_run(&self, path: &str, object: &Value) -> Result<Answer> {
        let path = format!("{path}?fieldManager=dry-run&fieldValidation=Strict&dryRun=All");
        self.send(Method::PATCH, &path, Some(("application/apply-patch+yaml", object)))
            .await
    }

    /// Merges a patch into an object, or into its status if the path says so.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub async fn patch(&self, path: &str, patch: &Value) -> Result<Value> {
        self.send(Method::PATCH, path, Some(("application/merge-patch+json", patch)))
            .await?
            .object()
    }

    /// Deletes an object, or begins to.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.send(Method::DELETE, path, None).await?.object()
    }

    /// Reads an object or a list again and again until a condition is true of it. That it does not exist yet is no
    /// error.
    ///
    /// # Errors
    /// When there is no answer, or the time is up; the error shows what was read last, and what the cluster's
    /// parts have logged.
    pub async fn wait_for(&self, path: &str, mut condition: impl FnMut(&Value) -> bool) -> Result<Value> {
        let deadline = Instant::now() + CONDITION_TIMEOUT;
        loop {
            let answer = self.send(Method::GET, path, None).await?;
            if answer.status.is_success() && condition(&answer.body) {
                return Ok(answer.body);
            }
            if Instant::now() > deadline {
                let logs = log_ends(&self.logs);
                bail!("after {CONDITION_TIMEOUT:?}, {path} is still {:#}\n{logs}", answer.body);
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<(&str, &Value)>) -> Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some((content_type, body)) = body {
            request = request.header(CONTENT_TYPE, content_type).body(body.to_string());
        }
        let response = request
            .send()
            .await
            .with_context(|| format!("no answer from {}{path}", self.base))?;
        let status = response.status();
        let bytes = response.bytes().await?;
        Ok(Answer {
            status,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        })
    }
}

/// How to reach the API server, trusting its authority, as a user or as nobody yet.
pub(crate) fn http(cluster: &Cluster, credentials: Option<&Credentials>) -> Result<reqwest::ClientBuilder> {
    // Whoever comes first installs the provider; there is one either way.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority = Certificate::from_pem(cluster.authority.certificate().as_bytes())?;
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([authority]);
    Ok(match credentials {
        None => http,
        Some(Credentials::Certificate(identity)) => {
            let pem = format!("{}{}", identity.key, identity.certificate);
            http.identity(reqwest::Identity::from_pem(pem.as_bytes())?)
        }
        Some(Credentials::Token(token)) => {
            let value = HeaderValue::from_str(&format!("Bearer {token}"))?;
            http.default_headers(HeaderMap::from_iter([(AUTHORIZATION, value)]))
        }
    })
}
