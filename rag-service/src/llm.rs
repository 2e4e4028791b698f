//! The language model behind the service: any server that speaks OpenAI's format.
//!
//! Requests and answers are JSON objects and stay so: what neither we nor the client library know survives both ways.
//! No request leaves a trace on the client, so that concurrent chats cannot mix.

mod discovery;
mod endpoint;
mod error;
mod event_stream;
mod openai;
mod tokenizers;
mod transport;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use secrecy::SecretString;
use serde_json::{Map, Value};

pub use self::discovery::ModelFacts;
pub use self::error::{ConnectModel, ModelError};
pub use self::openai::OpenAiModel;
pub use self::tokenizers::Tokenizers;

/// How to reach a model.
#[derive(Clone, Debug)]
pub struct ModelSettings {
    /// The whole URL that is posted to; `…/chat/completions` or another one for text completions.
    pub url: String,
    /// Bearer token; none is sent without one.
    pub access_secret: Option<SecretString>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long the server may be silent.
    pub read_timeout: Duration,
    /// How often a request is sent again when it may be.
    pub retries: usize,
    /// How long the list of models is remembered.
    pub models_expiry: Duration,
    /// Tokens that a text completion may have when the request does not say; its servers would stop after a few words.
    pub text_completion_tokens: usize,
    /// Largest answer that is not streamed.
    pub max_answer_bytes: usize,
}

/// A chat completion or chunk of one, as the backend wrote it.
pub type Completion = Map<String, Value>;
/// The chunks of a streamed completion; ends after the last one.
pub type CompletionStream = BoxStream<'static, Result<Completion, ModelError>>;
/// The bytes of an event stream, as they came.
pub type ByteStream = BoxStream<'static, Result<Bytes, ModelError>>;

/// A language model that completes chats. Dropping a future or a stream cancels the request behind it.
#[async_trait]
pub trait ChatModel: Send + Sync {
    /// Completes a chat whose body does not ask for a stream.
    ///
    /// # Errors
    /// When the backend cannot be reached, refuses, fails, or answers with something else than a completion.
    async fn complete(&self, body: Completion) -> Result<Completion, ModelError>;

    /// Completes a chat whose body asks for a stream. Returns once the backend has begun to answer.
    ///
    /// # Errors
    /// As [`ChatModel::complete`]; the stream's items fail when the backend breaks off.
    async fn stream(&self, body: Completion) -> Result<CompletionStream, ModelError>;

    /// As [`ChatModel::stream`], without looking at what comes.
    ///
    /// # Errors
    /// As [`ChatModel::stream`].
    async fn stream_bytes(&self, body: Completion) -> Result<ByteStream, ModelError>;

    /// Whether [`ChatModel::stream_bytes`] speaks of chats, which a backend for text completions does not.
    fn streams_chats(&self) -> bool;

    /// The backend's list of models, as it wrote it.
    ///
    /// # Errors
    /// When the backend cannot be reached, refuses or fails.
    async fn models(&self) -> Result<Value, ModelError>;

    /// What is known of a model, or of the backend's first one when none is named. `None` when the backend does not say.
    async fn facts(&self, model: Option<&str>) -> Option<ModelFacts>;
}
