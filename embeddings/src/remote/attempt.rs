//! One request to the server: attempts, pauses between them, and limits on each.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Response, Url};
use secrecy::ExposeSecret;
use tokio::sync::Semaphore;

use super::wire::{FLAT_FOR_MANY, Request};
use super::{ConnectRemote, RemoteFlavour, RemoteSettings, RetrySettings};
use crate::EmbedError;

const USER_AGENT: &str = concat!("kaito-rs/", env!("CARGO_PKG_VERSION"));

pub(super) struct Client {
    http: reqwest::Client,
    url: Url,
    flavour: RemoteFlavour,
    model: Option<String>,
    authorization: Option<HeaderValue>,
    under_way: Semaphore,
    max_answer_bytes: usize,
    retry: RetrySettings,
}

impl Client {
    pub(super) fn new(settings: &RemoteSettings) -> Result<Self, ConnectRemote> {
        let url = Url::parse(&settings.url).map_err(|_quotes_the_url| ConnectRemote::InvalidUrl)?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(ConnectRemote::InvalidUrl);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ConnectRemote::CredentialsInUrl);
        }
        let authorization = match &settings.access_secret {
            Some(secret) => Some(bearer(secret.expose_secret())?),
            None => None,
        };
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(settings.connect_timeout)
            .read_timeout(settings.read_timeout)
            // A redirected POST would lose its body or carry the texts elsewhere.
            .redirect(Policy::none())
            .build()
            .map_err(ConnectRemote::BuildClient)?;
        Ok(Self {
            http,
            flavour: settings.flavour.unwrap_or_else(|| RemoteFlavour::of_url(&url)),
            url,
            model: settings.model.clone(),
            authorization,
            under_way: Semaphore::new(settings.concurrent_requests.clamp(1, Semaphore::MAX_PERMITS)),
            max_answer_bytes: settings.max_answer_bytes,
            retry: settings.retry,
        })
    }

    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// These texts as one request, if that differs from sending a single one.
    pub(super) fn as_batch(&self, texts: &[String]) -> Option<Request> {
        (texts.len() > 1).then(|| Request::Many(texts.to_vec()))
    }

    /// Whether a batch's failure may be due to its being one. OpenAI's format is defined for batches; for the other, 4xx
    /// means so (except for those that are about the caller or the moment), and so does a single vector.
    pub(super) fn may_want_single_texts(&self, error: &EmbedError) -> bool {
        self.flavour == RemoteFlavour::Inputs
            && match error {
                EmbedError::RemoteStatus { status, .. } => {
                    (400..500).contains(status) && ![401, 403, 404, 407, 408, 429].contains(status)
                }
                EmbedError::RemoteMalformed { reason } => *reason == FLAT_FOR_MANY,
                _ => false,
            }
    }

    /// Sends a request until it is answered or the attempts are used up.
    pub(super) async fn send(&self, request: &Request) -> Result<Vec<Vec<f32>>, EmbedError> {
        let pauses = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(self.retry.first_pause)
            .with_max_delay(self.retry.longest_pause)
            .with_max_times(self.retry.attempts.saturating_sub(1));
        let answer = (|| self.attempt(request))
            .retry(pauses)
            .when(is_temporary)
            .adjust(|error, pause| pause_before_next(error, pause, self.retry.longest_pause))
            .notify(|error, pause| {
                tracing::debug!(server.host = self.host(), error = %error, ?pause, "embedding server asked again after a pause");
            })
            .await?;
        request.read_answer(self.flavour, &answer)
    }

    /// The answer's body. Only this counts as a request under way; pauses do not.
    async fn attempt(&self, request: &Request) -> Result<Vec<u8>, EmbedError> {
        let _permit = self
            .under_way
            .acquire()
            .await
            .map_err(|_never_closed| EmbedError::Stopped)?;
        let mut post = self
            .http
            .post(self.url.clone())
            .json(&request.body(self.flavour, self.model.as_deref()));
        if let Some(authorization) = &self.authorization {
            post = post.header(AUTHORIZATION, authorization.clone());
        }
        let response = post.send().await.map_err(transport)?;
        let status = response.status();
        if !status.is_success() {
            return Err(EmbedError::RemoteStatus {
                status: status.as_u16(),
                retry_after: retry_after(&response),
            });
        }
        self.read(response).await
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, EmbedError> {
        let too_long = || EmbedError::RemoteTooLong {
            limit_bytes: self.max_answer_bytes,
        };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > self.max_answer_bytes {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn bearer(secret: &str) -> Result<HeaderValue, ConnectRemote> {
    let mut value =
        HeaderValue::from_str(&format!("Bearer {secret}")).map_err(|_invalid| ConnectRemote::InvalidSecret)?;
    value.set_sensitive(true);
    Ok(value)
}

fn transport(error: reqwest::Error) -> EmbedError {
    // The URL may hold a key, and error chains are logged.
    EmbedError::RemoteTransport(error.without_url())
}

/// Whether the same request may succeed later.
fn is_temporary(error: &EmbedError) -> bool {
    match error {
        EmbedError::RemoteStatus { status, .. } => *status == 429 || (500..600).contains(status),
        EmbedError::RemoteTransport(_) => true,
        _ => false,
    }
}

/// The longer of our own pause and the server's Retry-After; none, that is no further attempt, if the server asks for
/// more patience than is allowed.
fn pause_before_next(error: &EmbedError, pause: Option<Duration>, longest: Duration) -> Option<Duration> {
    match error {
        EmbedError::RemoteStatus {
            retry_after: Some(asked),
            ..
        } if *asked > longest => None,
        EmbedError::RemoteStatus {
            retry_after: Some(asked),
            ..
        } => pause.map(|own| own.max(*asked)),
        _ => pause,
    }
}

/// Retry-After in seconds; its other form, a date, is not read.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response
        .headers()
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, retry_after: Option<u64>) -> EmbedError {
        EmbedError::RemoteStatus {
            status,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    #[test]
    fn busy_and_broken_servers_are_asked_again_and_refusals_are_final() {
        for code in [429, 500, 502, 503, 504] {
            assert!(is_temporary(&status(code, None)), "{code}");
        }
        for code in [301, 400, 401, 403, 404, 413, 422] {
            assert!(!is_temporary(&status(code, None)), "{code}");
        }
        assert!(!is_temporary(&EmbedError::RemoteMalformed { reason: "any" }));
    }

    #[test]
    fn the_servers_retry_after_lengthens_the_pause_up_to_the_longest_allowed() {
        let second = Duration::from_secs(1);
        let pause = |error: &EmbedError, own| pause_before_next(error, own, 10 * second);
        assert_eq!(pause(&status(503, None), Some(second)), Some(second));
        assert_eq!(pause(&status(503, Some(4)), Some(second)), Some(4 * second));
        assert_eq!(pause(&status(503, Some(0)), Some(second)), Some(second));
        assert_eq!(pause(&status(503, Some(11)), Some(second)), None);
        assert_eq!(pause(&status(503, Some(4)), None), None);
    }
}
