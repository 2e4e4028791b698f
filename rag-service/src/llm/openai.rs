//! A server that speaks OpenAI's format.

use std::time::Duration;

use async_openai::Client;
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, future};
use rag_core::chat::text_completion::{ChunkConverter, to_chat_response, to_completion_request};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, Response};
use serde_json::Value;

use super::discovery::{Discovery, ModelFacts};
use super::endpoint::{Endpoint, Format};
use super::event_stream::completions;
use super::transport::Transport;
use super::{ByteStream, ChatModel, Completion, CompletionStream, ConnectModel, ModelError, ModelSettings};

/// How long the server may take to list its models, retries included.
const LISTING_TIMEOUT: Duration = Duration::from_secs(10);

/// Completes chats at a server that speaks OpenAI's format.
pub struct OpenAiModel {
    client: Client<Endpoint>,
    endpoint: Endpoint,
    transport: Transport,
    discovery: Discovery,
    text_completion_tokens: usize,
}

impl OpenAiModel {
    /// A client for the server. Nothing is sent yet.
    ///
    /// # Errors
    /// When the URL or the key cannot be used.
    pub fn new(settings: &ModelSettings) -> Result<Self, ConnectModel> {
        let endpoint = Endpoint::new(settings)?;
        let transport = Transport::new(settings)?;
        let client = Client::build(transport.http().clone(), endpoint.clone()).with_http_service(transport.clone());
        Ok(Self {
            client,
            endpoint,
            transport,
            discovery: Discovery::new(settings.models_expiry),
            text_completion_tokens: settings.text_completion_tokens,
        })
    }

    fn text_request(&self, body: Completion) -> Result<Completion, ModelError> {
        let mut request = to_completion_request(body)?;
        request
            .entry("max_tokens")
            .or_insert_with(|| self.text_completion_tokens.into());
        Ok(request)
    }

    /// Begins a streamed answer. The client library is not used here: it reads a stream ahead of its consumer, into a
    /// queue without a bound.
    async fn open(&self, body: &Completion) -> Result<Response, ModelError> {
        let body = bytes::Bytes::from(serde_json::to_vec(body).map_err(|_cannot_fail| ModelError::Decode)?);
        let make = || {
            let request = self
                .transport
                .http()
                .request(Method::POST, self.endpoint.url().clone())
                .headers(self.endpoint.headers().clone())
                .header(CONTENT_TYPE, "application/json")
                .header(ACCEPT, "text/event-stream")
                .body(body.clone())
                .build();
            future::ready(request.map_err(|error| ModelError::from_transport(&error)))
        };
        self.transport.send(make).await
    }
}

#[async_trait]
impl ChatModel for OpenAiModel {
    async fn complete(&self, body: Completion) -> Result<Completion, ModelError> {
        let answer: Value = match self.endpoint.format() {
            Format::Chat => self.client.chat().create_byot(body).await?,
            Format::Text => {
                let request = self.text_request(body)?;
                let answer: Value = self.client.completions().create_byot(request).await?;
                to_chat_response(answer).ok_or(ModelError::Decode)?
            }
        };
        match answer {
            Value::Object(completion) if completion.get("choices").is_some_and(Value::is_array) => Ok(completion),
            _ => Err(ModelError::Decode),
        }
    }

    async fn stream(&self, body: Completion) -> Result<CompletionStream, ModelError> {
        match self.endpoint.format() {
            Format::Chat => Ok(completions(self.open(&body).await?).boxed()),
            Format::Text => {
                let response = self.open(&self.text_request(body)?).await?;
                let mut converter = ChunkConverter::default();
                let chunks =
                    completions(response).map(move |chunk| match converter.to_chat_chunk(Value::Object(chunk?)) {
                        Some(Value::Object(chunk)) => Ok(chunk),
                        _ => Err(ModelError::Decode),
                    });
                Ok(chunks.boxed())
            }
        }
    }

    async fn stream_bytes(&self, body: Completion) -> Result<ByteStream, ModelError> {
        let response = self.open(&body).await?;
        let bytes = response.bytes_stream();
        Ok(bytes.map_err(|error| ModelError::from_transport(&error)).boxed())
    }

    fn streams_chats(&self) -> bool {
        self.endpoint.format() == Format::Chat
    }

    async fn models(&self) -> Result<Value, ModelError> {
        let listed = tokio::time::timeout(LISTING_TIMEOUT, self.client.models().list_byot()).await;
        Ok(listed.map_err(|_elapsed| ModelError::TimeOut)??)
    }

    async fn facts(&self, model: Option<&str>) -> Option<ModelFacts> {
        let models = self.discovery.models(self.models()).await;
        match model {
            Some(id) => models.iter().find(|model| model.id == id).cloned(),
            None => models.first().cloned(),
        }
    }
}
