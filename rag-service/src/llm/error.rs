//! What can go wrong between here and the model.

use rag_core::chat::text_completion::CannotFlatten;

/// The model's address or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectModel {
    /// Not an http or https URL.
    #[error("LLM_INFERENCE_URL is not an http or https URL")]
    InvalidUrl,
    /// URLs are logged.
    #[error("LLM_INFERENCE_URL holds a user name or password; put the key into LLM_ACCESS_SECRET")]
    CredentialsInUrl,
    /// The key has characters that no header can hold.
    #[error("LLM_ACCESS_SECRET has characters that an HTTP header cannot hold")]
    InvalidSecret,
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made")]
    BuildClient(#[source] reqwest::Error),
}

/// A call to the model did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ModelError {
    /// No connection.
    #[error("could not connect to the model's server")]
    Connect,
    /// It was silent for too long.
    #[error("the model's server was silent for too long")]
    TimeOut,
    /// The server says that the request is at fault.
    #[error("the model's server refused the request with status {status}")]
    Refuse {
        /// 400 to 499.
        status: u16,
        /// Its reasons, as it wrote them; cut at 64 KiB.
        body: String,
        /// When to come back.
        retry_after_seconds: Option<u64>,
    },
    /// The server says that it is at fault, or answered with something that is no answer (a redirect).
    #[error("the model's server failed with status {status}")]
    Fail {
        /// Any other than 200 to 299 and 400 to 499.
        status: u16,
        /// When to come back.
        retry_after_seconds: Option<u64>,
    },
    /// The connection broke off.
    #[error("the model's server broke off its answer")]
    BreakOff,
    /// The answer is longer than is allowed.
    #[error("the model's answer is larger than RAG_LLM_MAX_ANSWER_BYTES allows")]
    Exceed,
    /// The answer is not a completion.
    #[error("the model's server answered with something that is not a completion")]
    Decode,
    /// The request is one that only a chat model can answer.
    #[error(transparent)]
    Flatten(#[from] CannotFlatten),
}

impl ModelError {
    /// The error behind what the HTTP client says. Its own words are dropped: they name the URL.
    pub(super) fn from_transport(error: &reqwest::Error) -> Self {
        // A connection that takes too long is both, and nothing was sent over it.
        if error.is_connect() {
            Self::Connect
        } else if error.is_timeout() {
            Self::TimeOut
        } else {
            Self::BreakOff
        }
    }

    /// Whether the same request may do better in a moment, and sending it twice does no harm.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::Connect => true,
            Self::Refuse { status, .. } => *status == 429,
            Self::Fail { status, .. } => matches!(status, 502..=504),
            Self::TimeOut | Self::BreakOff | Self::Exceed | Self::Decode | Self::Flatten(_) => false,
        }
    }

    /// How long the server asks to be left alone.
    pub(super) fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::Refuse {
                retry_after_seconds, ..
            }
            | Self::Fail {
                retry_after_seconds, ..
            } => *retry_after_seconds,
            Self::Connect | Self::TimeOut | Self::BreakOff | Self::Exceed | Self::Decode | Self::Flatten(_) => None,
        }
    }
}
