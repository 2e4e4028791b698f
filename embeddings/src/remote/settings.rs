//! Where the server is, how it talks, and how patient to be.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

use crate::EmbedError;

/// The wire format of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteFlavour {
    /// `{"model", "input": [texts]}` → `{"data": [{"index", "embedding"}]}`.
    OpenAi,
    /// `{"inputs": text}` → `[numbers]` or `[[numbers]]`, and where the server takes it `{"inputs": [texts]}` →
    /// `[[numbers], …]`.
    Inputs,
}

impl RemoteFlavour {
    /// OpenAI's when the path ends in `/embeddings` (as in `/v1/embeddings`), else Hugging Face's.
    #[must_use]
    pub fn of_url(url: &Url) -> Self {
        if url.path().trim_end_matches('/').ends_with("/embeddings") {
            Self::OpenAi
        } else {
            Self::Inputs
        }
    }
}

/// How often and how fast to try again after 429, a 5xx status or a failed connection.
#[derive(Debug, Clone, Copy)]
pub struct RetrySettings {
    /// Attempts in all; at least 1.
    pub attempts: usize,
    /// Pause after the first failure; it doubles with each further one, with a random share on top.
    pub first_pause: Duration,
    /// Longest pause. A longer Retry-After of the server ends the attempts: the caller is told instead.
    pub longest_pause: Duration,
}

/// Everything about the server.
#[derive(Clone)]
pub struct RemoteSettings {
    /// Complete, path included. No user and password in it: they would end up in logs.
    pub url: String,
    /// `None`: decided by [`RemoteFlavour::of_url`].
    pub flavour: Option<RemoteFlavour>,
    /// Sent in OpenAI's format, and the embedder's `model_id`; `remote` if not given.
    pub model: Option<String>,
    /// Sent as a bearer token.
    pub access_secret: Option<SecretString>,
    /// Goes in front of queries. Empty, unless the served model wants one and the server does not add it.
    pub query_prefix: String,
    /// Likewise in front of passages.
    pub passage_prefix: String,
    /// What [`crate::TokenLimit::content_tokens`] reports.
    pub content_tokens: Option<usize>,
    /// Texts a request, at most; at least 1.
    pub batch_size: usize,
    /// Requests under way at one time, over all callers; at least 1.
    pub concurrent_requests: usize,
    /// Calls under way or waiting at one time; further ones get [`EmbedError::QueueFull`]. At least 1.
    pub waiting_calls: usize,
    /// For setting up a connection.
    pub connect_timeout: Duration,
    /// For each read of an answer: a server that is silent for longer has failed.
    pub read_timeout: Duration,
    /// Longer answers are refused. A vector of 1,024 numbers takes about 13 kB of JSON.
    pub max_answer_bytes: usize,
    /// When to try again.
    pub retry: RetrySettings,
}

impl RemoteSettings {
    /// Settings with which a server works without further ado: 32 texts a request, 4 requests at a time, 5 attempts.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            flavour: None,
            model: None,
            access_secret: None,
            query_prefix: String::new(),
            passage_prefix: String::new(),
            content_tokens: None,
            batch_size: 32,
            concurrent_requests: 4,
            waiting_calls: 256,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(60),
            max_answer_bytes: 64 << 20,
            retry: RetrySettings {
                attempts: 5,
                first_pause: Duration::from_millis(250),
                longest_pause: Duration::from_secs(15),
            },
        }
    }
}

impl fmt::Debug for RemoteSettings {
    // Without the URL's query string and user, which may hold keys.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = Url::parse(&self.url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned));
        formatter
            .debug_struct("RemoteSettings")
            .field("host", &host)
            .field("flavour", &self.flavour)
            .field("model", &self.model)
            .field("has_access_secret", &self.access_secret.is_some())
            .field("batch_size", &self.batch_size)
            .field("concurrent_requests", &self.concurrent_requests)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// Why a remote embedder could not be set up. Messages do not contain the URL, which may hold a key.
#[derive(Debug, thiserror::Error)]
pub enum ConnectRemote {
    /// Not a URL, or not one of HTTP.
    #[error("the embedding server's URL is not of the form http(s)://host/path: correct REMOTE_EMBEDDING_URL")]
    InvalidUrl,
    /// A user or password in the URL.
    #[error(
        "the embedding server's URL contains a user or password: put the key into REMOTE_EMBEDDING_ACCESS_SECRET instead"
    )]
    CredentialsInUrl,
    /// The key has characters that no HTTP header can carry.
    #[error("the embedding server's key is not usable in an HTTP header: correct REMOTE_EMBEDDING_ACCESS_SECRET")]
    InvalidSecret,
    /// The HTTP client could not be built.
    #[error("set up HTTP client for the embedding server")]
    BuildClient(#[source] reqwest::Error),
    /// The server did not embed the first text.
    #[error(
        "ask embedding server for a first vector: check REMOTE_EMBEDDING_URL, REMOTE_EMBEDDING_ACCESS_SECRET and that the server runs"
    )]
    Probe(#[source] EmbedError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_decides_the_flavour() {
        let of = |url: &str| RemoteFlavour::of_url(&Url::parse(url).expect("a URL"));
        assert_eq!(of("http://host/v1/embeddings"), RemoteFlavour::OpenAi);
        assert_eq!(
            of("https://host/openai/v1/embeddings/?api-version=1"),
            RemoteFlavour::OpenAi
        );
        for url in [
            "http://host",
            "http://host/embed",
            "http://host:5000/embedding",
            "http://host/my-embeddings",
        ] {
            assert_eq!(of(url), RemoteFlavour::Inputs, "{url}");
        }
    }

    #[test]
    fn debug_output_shows_neither_the_key_nor_the_urls_secrets() {
        let mut settings = RemoteSettings::new("http://user:hunter2@host/embed?key=hunter2");
        settings.access_secret = Some("hunter2".into());
        let shown = format!("{settings:?}");
        assert!(shown.contains("host") && !shown.contains("hunter2"), "{shown}");
    }
}
