//! Chat in context mode: the question is looked up, and the model answers from what was found.
//!
//! Nothing of a request is kept on the engine, and nothing is locked while the model thinks.

use std::collections::HashMap;
use std::sync::Arc;

use rag_core::chat::body::{assemble, augment_body, requested_completion, strip_own_keys};
use rag_core::chat::budget::{BudgetInput, ExceedWindow, TokenBudget};
use rag_core::chat::context::{Candidate, Selection, Threshold, select};
use rag_core::chat::plan::{ChatPlan, Conversation, ReadMessages, plan};
use rag_core::chat::prompt::{ContextTemplate, source_of};
use rag_core::chat::tokens::ChatTokenCounter;
use rag_core::document::DocumentId;
use rag_core::filter::Filter;
use rag_core::index_name::IndexName;
use rag_core::node::NodeId;
use rag_core::retrieval::RetrievalMode;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tracing::instrument;

use super::{Engine, EngineError, RetrieveRequest, RetrievedNode};
use crate::llm::{ChatModel, Completion, Tokenizers};
use crate::metrics::Grounding as GroundingKind;

/// Fewest passages that are looked at, however small the window.
const LEAST_CANDIDATES: usize = 100;

/// Members of a request that chat templates write into the prompt.
const DEFINITIONS: [&str; 4] = ["tools", "functions", "response_format", "guided_json"];

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

/// Where a chat's passages are to come from. What is `None` is as configured.
#[derive(Clone, Debug)]
pub struct GroundingRequest {
    /// The index.
    pub index: IndexName,
    /// Share of the free tokens that passages may fill; 0 for no passages.
    pub ratio: Option<f64>,
    /// Most passages that are looked at.
    pub max_node_count: Option<usize>,
    /// Only passages of documents whose metadata match.
    pub filter: Option<Filter>,
    /// How far a passage may be from the question; `Some(None)` for any distance.
    pub threshold: Option<Option<Threshold>>,
}

/// A chat as the model is to get it.
#[derive(Debug)]
pub struct PreparedChat {
    /// The request to the model.
    pub body: Completion,
    /// What it is grounded in.
    pub grounding: Grounding,
}

/// What an answer is grounded in.
#[derive(Debug)]
pub enum Grounding {
    /// No index was named.
    Passthrough,
    /// An index was named, and nothing was found, or the conversation is not one of text.
    Ungrounded,
    /// These passages.
    Grounded(Sources),
}

/// The passages in a prompt.
#[derive(Debug)]
pub struct Sources {
    /// Every node, best first.
    pub nodes: Vec<SourceNode>,
    /// Every passage, by its number.
    pub passages: Vec<PassageSource>,
}

/// A node in a prompt.
#[derive(Debug)]
pub struct SourceNode {
    /// The node with the evidence for it.
    pub node: RetrievedNode,
    /// The number of the passage it stands in.
    pub passage: u32,
}

/// A passage in a prompt: one node, or neighbouring ones.
#[derive(Debug)]
pub struct PassageSource {
    /// What the model cites it by.
    pub number: u32,
    /// The document.
    pub document_id: DocumentId,
    /// The document's name as the model reads it.
    pub label: String,
    /// Its nodes in reading order.
    pub node_ids: Vec<NodeId>,
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

impl Grounding {
    pub(crate) fn kind(&self) -> GroundingKind {
        match self {
            Self::Passthrough => GroundingKind::passthrough,
            Self::Ungrounded => GroundingKind::ungrounded,
            Self::Grounded(_) => GroundingKind::grounded,
        }
    }
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

    /// Decides what the model gets: the request as it came, or with passages of an index.
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
        self.parts.engine.require_index(&request.index).await?;
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

/// What the room for passages follows from, beside the conversation.
struct RoomInput {
    window: usize,
    requested_completion: Option<u64>,
    default_completion: u64,
    ratio: f64,
    /// What the model is told beside the messages.
    definitions: String,
}

/// Tools and answer formats stand in the prompt too.
fn definitions(body: &Completion) -> String {
    let present = DEFINITIONS.iter().filter_map(|key| body.get(*key));
    present.filter(|value| !value.is_null()).map(Value::to_string).collect()
}

fn room(
    input: &RoomInput,
    conversation: &Conversation,
    template: &ContextTemplate,
    counter: &ChatTokenCounter,
) -> Result<TokenBudget, ExceedWindow> {
    TokenBudget::plan(BudgetInput {
        window: input.window,
        instructions: template.instruction_tokens(counter)
            + counter
                .count_up_to(&input.definitions, input.window)
                .unwrap_or(input.window),
        history: conversation.history_tokens(counter, input.window).ok_or(ExceedWindow)?,
        question: conversation
            .question_tokens(counter, input.window)
            .ok_or(ExceedWindow)?,
        requested_completion: input.requested_completion,
        default_completion: input.default_completion,
        ratio: input.ratio,
    })
}

/// What a prompt is made from.
struct Grounds {
    found: Vec<RetrievedNode>,
    conversation: Conversation,
    budget: TokenBudget,
    threshold: Option<Threshold>,
    template: Arc<ContextTemplate>,
    counter: ChatTokenCounter,
}

impl Grounds {
    fn context(self) -> Found {
        let candidates: Vec<Candidate<'_>> = self.found.iter().map(candidate).collect();
        let selected = select(&Selection {
            candidates: &candidates,
            threshold: self.threshold,
            budget: self.budget.context,
            counter: &self.counter,
            template: &self.template,
        });
        if selected.nodes.is_empty() {
            return Found::Nothing;
        }
        let mut passage_of_node = HashMap::new();
        let mut passages = Vec::with_capacity(selected.passages.len());
        for passage in &selected.passages {
            let members = passage.members.iter().filter_map(|member| self.found.get(*member));
            let node_ids: Vec<NodeId> = members.clone().map(|member| member.node.id.clone()).collect();
            let Some(first) = members.clone().next() else { continue };
            passage_of_node.extend(passage.members.iter().map(|member| (*member, passage.number)));
            passages.push(PassageSource {
                number: passage.number,
                document_id: first.node.document_id.clone(),
                label: passage.source.clone(),
                node_ids,
            });
        }
        let text = self.template.render(&selected.passages);
        let completion_limit = self.budget.completion_limit(selected.tokens);
        let mut found: Vec<Option<RetrievedNode>> = self.found.into_iter().map(Some).collect();
        let nodes = selected.nodes.iter().filter_map(|place| {
            Some(SourceNode {
                node: found.get_mut(*place)?.take()?,
                passage: *passage_of_node.get(place)?,
            })
        });
        Found::Context(Context {
            sources: Sources {
                nodes: nodes.collect(),
                passages,
            },
            messages: assemble(self.conversation, &text),
            completion_limit,
            reserved: self.budget.reserved,
        })
    }
}

fn candidate(found: &RetrievedNode) -> Candidate<'_> {
    let RetrievedNode { node, hit } = found;
    Candidate {
        document_id: &node.document_id,
        position: node.position,
        span: node.span,
        text: &node.text,
        dense_score: hit.dense_score,
        sparse_score: hit.sparse_score,
        source: source_of(&node.metadata, &node.document_id),
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

enum Found {
    Context(Context),
    Nothing,
}

/// A prompt with passages, and where they come from.
struct Context {
    messages: Vec<Value>,
    completion_limit: Option<u64>,
    /// Tokens kept for the answer.
    reserved: u64,
    sources: Sources,
}
