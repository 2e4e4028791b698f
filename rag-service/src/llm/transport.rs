//! One request to the model's server: attempts, pauses between them, and limits on each.
//!
//! The client library's own retries are not used: they go on for longer than a client waits, and do not look at
//! `Retry-After`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use backon::{ExponentialBuilder, Retryable};
use futures::TryStreamExt;
use reqwest::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use reqwest::{Request, Response};
use tower::Service;

use super::{ConnectModel, ModelError, ModelSettings};

const USER_AGENT: &str = concat!("KAITO-RagEngine/", env!("CARGO_PKG_VERSION"));
/// Uvicorn, and so vLLM, closes idle connections after 5 s; a request that meets the closing is lost.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Also the longest `Retry-After` that is waited for; a client is better told of a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
const MAX_REASONS_BYTES: usize = 64 << 10;

/// Sends requests. Cheap to clone.
#[derive(Clone)]
pub(super) struct Transport {
    http: reqwest::Client,
    retries: usize,
    max_answer_bytes: usize,
}

impl Transport {
    pub(super) fn new(settings: &ModelSettings) -> Result<Self, ConnectModel> {
        // The client panics without a provider of cryptography. Whoever comes first installs one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(settings.connect_timeout)
            .read_timeout(settings.read_timeout)
            .pool_idle_timeout(IDLE_CONNECTION)
            // A redirected POST would lose its body or carry the prompt elsewhere.
            .redirect(Policy::none())
            .build()
            .map_err(ConnectModel::BuildClient)?;
        Ok(Self {
            http,
            retries: settings.retries,
            max_answer_bytes: settings.max_answer_bytes,
        })
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Sends what `make` makes until it is answered with a success or the attempts are used up. The answer's body has
    /// not been read; nothing has gone to the caller's client yet, which is why repeating is safe.
    pub(super) async fn send<Made>(&self, make: impl Fn() -> Made) -> Result<Response, ModelError>
    where
        Made: Future<Output = Result<Request, ModelError>>,
    {
        let pauses = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .with_max_times(self.retries);
        (|| async { self.attempt(make().await?).await })
            .retry(pauses)
            .when(ModelError::is_temporary)
            .adjust(
                |error, pause| match error.retry_after_seconds().map(Duration::from_secs) {
                    Some(asked) if asked > LONGEST_PAUSE => None,
                    Some(asked) => pause.map(|pause| pause.max(asked)),
                    None => pause,
                },
            )
            .notify(|error, pause| {
                tracing::debug!(%error, ?pause, "the model's server is asked again after a pause");
            })
            .await
    }

    async fn attempt(&self, request: Request) -> Result<Response, ModelError> {
        let response = self
            .http
            .execute(request)
            .await
            .map_err(|error| ModelError::from_transport(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let retry_after_seconds = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok());
        if status.is_client_error() {
            return Err(ModelError::Refuse {
                status: status.as_u16(),
                body: reasons(response).await,
                retry_after_seconds,
            });
        }
        Err(ModelError::Fail {
            status: status.as_u16(),
            retry_after_seconds,
        })
    }

    /// The same answer, ending in an error where it gets too long.
    fn bounded(&self, response: Response) -> Response {
        let mut left = self.max_answer_bytes;
        let bytes = response
            .bytes_stream()
            .map_err(|error| BodyError(ModelError::from_transport(&error)));
        let bounded = bytes.and_then(move |bytes| {
            let fits = left.checked_sub(bytes.len());
            left = fits.unwrap_or(0);
            std::future::ready(fits.map(|_| bytes).ok_or(BodyError(ModelError::Exceed)))
        });
        http::Response::new(reqwest::Body::wrap_stream(bounded)).into()
    }
}

/// Carries our error through the client library's.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct BodyError(ModelError);

impl Service<HttpRequestFactory> for Transport {
    type Response = Response;
    type Error = OpenAIError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, OpenAIError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), OpenAIError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, factory: HttpRequestFactory) -> Self::Future {
        let transport = self.clone();
        Box::pin(async move {
            let response = transport
                .send(|| async { factory.build().await.map_err(ModelError::from) })
                .await
                .map_err(|error| OpenAIError::Boxed(Box::new(error)))?;
            Ok(transport.bounded(response))
        })
    }
}

impl From<OpenAIError> for ModelError {
    fn from(error: OpenAIError) -> Self {
        match error {
            OpenAIError::Boxed(error) => match error.downcast::<Self>() {
                Ok(own) => *own,
                Err(_) => Self::BreakOff,
            },
            OpenAIError::Reqwest(error) => own_cause(&error).unwrap_or_else(|| Self::from_transport(&error)),
            _ => Self::Decode,
        }
    }
}

/// The error that [`Transport::bounded`] put into a body.
fn own_cause(error: &reqwest::Error) -> Option<ModelError> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(BodyError(own)) = error.downcast_ref() {
            return Some(own.clone());
        }
        cause = error.source();
    }
    None
}

/// What the server says about the request, as far as anybody would read.
async fn reasons(mut response: Response) -> String {
    let mut text = Vec::new();
    while let Ok(Some(bytes)) = response.chunk().await {
        text.extend_from_slice(&bytes);
        if text.len() >= MAX_REASONS_BYTES {
            text.truncate(MAX_REASONS_BYTES);
            break;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}
