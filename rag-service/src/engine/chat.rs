//! Chat in context mode: the question is looked up, and the model answers from what was found.
//!
//! Nothing of a request is kept on the engine, and nothing is locked while the model thinks.

mod context;
mod grounding;
mod room;

use std::sync::Arc;

use rag_core::chat::body::{augment_body, requested_completion, strip_own_keys};
use rag_core::chat::budget::ExceedWindow;
use rag_core::chat::context::Threshold;
use rag_core::chat::plan::{ChatPlan, Conversation, ReadMessages, plan};
use rag_core::chat::prompt::ContextTemplate;
use rag_core::retrieval::RetrievalMode;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tracing::instrument;

use self::context::{Found, Grounds};
pub use self::grounding::{Grounding, GroundingRequest, PassageSource, PreparedChat, SourceNode, Sources};
use self::room::{RoomInput, definitions, room};
use super::{Engine, EngineError, RetrieveRequest};
use crate::llm::{ChatModel, Completion, Tokenizers};

/// Fewest passages that are looked at, however small the window.
const LEAST_CANDIDATES: usize = 100;

/// What lets a chat be served; whatever works for the chat holds it.
pub type ChatPermit = Arc<OwnedSemaphorePermit>;

/// How much context a chat gets.
#[derive(Clone, Debug)]
pub struct ChatSettings {
    /// The configured context window, in tokens.
    pub context_window: usize,
    /// Tokens kept free for an answer of unsaid length.
    pub reserved_completion: u64,
    /// Share of the free tokens that passages may fill.
    pub context_ratio: f64,
    /// How far a passage may be from the question.
    pub threshold: Option<Threshold>,
    /// What a passage is thought to have in tokens, when it is decided how many are looked at.
    pub node_token_approximation: usize,
    /// Most passages that are looked at.
    pub max_top_k: usize,
    /// Longest text that is searched for, in characters; of a longer question the beginning is.
    pub max_query_characters: usize,
}

/// What the chat engine is made of.
pub struct ChatEngineParts {
    /// What finds passages.
    pub engine: Arc<Engine>,
    /// What answers.
    pub model: Arc<dyn ChatModel>,
    /// What counts the model's tokens.
    pub tokenizers: Tokenizers,
    /// What goes around the passages.
    pub template: Arc<ContextTemplate>,
    /// How much context a chat gets.
    pub settings: ChatSettings,
}

/// Prepares chats for the model. Shared by all requests.
pub struct ChatEngine {
    parts: ChatEngineParts,
}

/// A chat could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The passages could not be looked up.
    #[error(transparent)]
    Retrieve(#[from] EngineError),
    /// The conversation cannot be read; the user's fault.
    #[error(transparent)]
    ReadMessages(#[from] ReadMessages),
    /// The conversation is too long for the model; the user's fault.
    #[error(transparent)]
    ExceedWindow(#[from] ExceedWindow),
    /// The process is going down.
    #[error("the service is shutting down")]
    Stopped,
}

impl ChatEngine {
    /// Puts the parts together.
    pub fn new(parts: ChatEngineParts) -> Self {
        Self { parts }
    }

    /// What answers.
    pub fn model(&self) -> &Arc<dyn ChatModel> {
        &self.parts.model
    }

    /// Decides what the model gets: the request as it came, or with passages of an index. Whether there is such an index
    /// is found out when it is searched, not before.
    ///
    /// # Errors
    /// When the index does not exist, the conversation is malformed or too long, or retrieval fails.
    #[instrument(skip_all)]
    pub async fn prepare(
        &self,
        body: Completion,
        grounding: Option<GroundingRequest>,
        permit: ChatPermit,
    ) -> Result<PreparedChat, ChatError> {
        let Some(request) = grounding else {
            return Ok(self.unchanged(body, Grounding::Passthrough).await);
        };
        let (body, planned) = compute(&permit, move || {
            let planned = plan(body.get("messages"));
            (body, planned)
        })
        .await?;
        let conversation = match planned? {
            ChatPlan::Augment(conversation) => conversation,
            ChatPlan::PassThrough(reason) => {
                tracing::debug!(?reason, "a chat with an index is passed through");
                return Ok(self.unchanged(body, Grounding::Ungrounded).await);
            }
        };
        match self.context(&body, conversation, request, &permit).await? {
            Found::Context(context) => {
                let mut body = augment_body(body, context.messages, context.completion_limit);
                if !self.parts.model.streams_chats() && requested_completion(&body).is_none() {
                    // Servers for text completions stop after a few words otherwise.
                    body.insert("max_tokens".to_owned(), context.reserved.max(1).into());
                }
                Ok(PreparedChat {
                    body: self.with_model(body).await,
                    grounding: Grounding::Grounded(context.sources),
                })
            }
            Found::Nothing => Ok(self.unchanged(body, Grounding::Ungrounded).await),
        }
    }

    async fn unchanged(&self, body: Completion, grounding: Grounding) -> PreparedChat {
        PreparedChat {
            body: self.with_model(strip_own_keys(body)).await,
            grounding,
        }
    }

    /// The backend's first model when the request names none.
    async fn with_model(&self, mut body: Completion) -> Completion {
        if named_model(&body).is_none()
            && let Some(facts) = self.parts.model.facts(None).await
        {
            body.insert("model".to_owned(), Value::String(facts.id));
        }
        body
    }

    async fn context(
        &self,
        body: &Completion,
        conversation: Conversation,
        request: GroundingRequest,
        permit: &ChatPermit,
    ) -> Result<Found, ChatError> {
        let settings = &self.parts.settings;
        let facts = self.parts.model.facts(named_model(body)).await;
        let counter = self
            .parts
            .tokenizers
            .of_model(facts.as_ref().map(|facts| facts.id.as_str()))
            .await;
        let length = facts.and_then(|facts| facts.max_model_len);
        let window = length.map_or(settings.context_window, |length| length.min(settings.context_window));
        let input = RoomInput {
            window,
            requested_completion: requested_completion(body),
            default_completion: settings.reserved_completion,
            ratio: request.ratio.unwrap_or(settings.context_ratio),
            definitions: definitions(body),
        };
        let (budget, conversation) = {
            let (template, counter) = (Arc::clone(&self.parts.template), counter.clone());
            compute(permit, move || {
                (room(&input, &conversation, &template, &counter), conversation)
            })
            .await?
        };
        let budget = budget?;
        if budget.context == 0 {
            return Ok(Found::Nothing);
        }
        let approximate = window / settings.node_token_approximation;
        let max_node_count = request
            .max_node_count
            .unwrap_or_else(|| approximate.max(LEAST_CANDIDATES).min(settings.max_top_k));
        let retrieve = RetrieveRequest {
            query: beginning(&conversation.question, settings.max_query_characters),
            max_node_count,
            filter: request.filter,
            mode: RetrievalMode::Hybrid,
        };
        let found = self.parts.engine.retrieve(&request.index, retrieve).await?;
        let threshold = request.threshold.unwrap_or(settings.threshold);
        let grounds = Grounds {
            found,
            conversation,
            budget,
            threshold,
            template: Arc::clone(&self.parts.template),
            counter,
        };
        compute(permit, move || grounds.context()).await
    }
}

/// The model that a request names.
fn named_model(body: &Completion) -> Option<&str> {
    body.get("model")
        .and_then(Value::as_str)
        .filter(|model| !model.is_empty())
}

fn beginning(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// Counting tokens takes milliseconds, so it has a thread. The permit stays with the work: it goes on when the client
/// has left.
async fn compute<T: Send + 'static>(
    permit: &ChatPermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ChatError> {
    let permit = Arc::clone(permit);
    let work = move || {
        let _held = permit;
        work()
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_panicked_or_stopped| ChatError::Stopped)
}
