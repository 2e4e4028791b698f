//! Reading the messages of a chat about an index: what is asked, what was said before, or that it is not ours to answer.

use serde_json::{Map, Value};

use super::content::{Unreadable, is_falsy, is_standard, text_of};
use super::tokens::{ChatTokenCounter, MESSAGE_OVERHEAD_TOKENS};
use crate::python_format::python_string;

/// What is to be done with a chat.
#[derive(Clone, Debug, PartialEq)]
pub enum ChatPlan {
    /// The backend gets the request as it came.
    PassThrough(Reason),
    /// The question is looked up, and the backend gets what was found along with the conversation.
    Augment(Conversation),
}

/// Why a chat is passed through although it names an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A message has a role other than user, system, developer and assistant; such as `tool`.
    ForeignRole,
    /// A message holds something other than text; such as an image.
    NotText,
}

/// A chat of text: a question and what was said before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// The messages that go to the backend beside the question, in order.
    pub history: Vec<HistoryMessage>,
    /// What the user said since the last answer, in order, joined by blank lines. This is also what is searched for.
    pub question: String,
}

/// An earlier message, or an instruction.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryMessage {
    /// The message as it came. Only a content in a form that backends do not know is replaced by its text.
    pub message: Map<String, Value>,
    /// What it says.
    pub text: String,
}

/// Why the messages are refused; always the user's fault. `Display` is the text that the user gets.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReadMessages {
    /// `messages` is something other than a list.
    #[error("Invalid request format: messages must be a list.")]
    SendNoList,
    /// A message is not an object.
    #[error("Invalid request format: messages must be objects.")]
    SendNoObject,
    /// A message has no role. KAITO's text.
    #[error("Invalid request format: messages must contain 'role'.")]
    OmitRole,
    /// A message other than an assistant's has no content. KAITO's text.
    #[error("Invalid request format: messages must contain 'content' for role '{role}'.")]
    OmitContent {
        /// The role as Python prints it.
        role: String,
    },
    /// A user's message is empty. KAITO's text.
    #[error("Invalid request format: user messages must contain 'content'.")]
    LeaveUserContentEmpty,
    /// A content is a number, a truth value, or has parts that are none.
    #[error("Invalid request format: 'content' for role '{role}' must be text or a list of content parts.")]
    MistypeContent {
        /// The message's role.
        role: String,
    },
    /// The user said nothing since the last answer. KAITO's text.
    #[error("There must be a user prompt since the latest assistant message.")]
    OmitQuestion,
}

impl Conversation {
    /// Tokens of the history, [`MESSAGE_OVERHEAD_TOKENS`] for each message included, when there are at most `limit`.
    /// Counting ends where they are too many.
    pub fn history_tokens(&self, counter: &ChatTokenCounter, limit: usize) -> Option<usize> {
        let mut left = limit;
        for message in &self.history {
            left = left.checked_sub(message.tokens(counter, left)?)?;
        }
        Some(limit - left)
    }

    /// Tokens of the question as a message, when there are at most `limit`.
    pub fn question_tokens(&self, counter: &ChatTokenCounter, limit: usize) -> Option<usize> {
        let tokens = counter.count_up_to(&self.question, limit)? + MESSAGE_OVERHEAD_TOKENS;
        (tokens <= limit).then_some(tokens)
    }
}

impl HistoryMessage {
    fn tokens(&self, counter: &ChatTokenCounter, limit: usize) -> Option<usize> {
        let mut tokens = counter.count_up_to(&self.text, limit)? + MESSAGE_OVERHEAD_TOKENS;
        for calls in TOOL_CALL_KEYS.iter().filter_map(|key| self.message.get(*key)) {
            if !is_falsy(Some(calls)) {
                tokens += counter.count_up_to(&calls.to_string(), limit)?;
            }
        }
        Some(tokens)
    }

    fn carries_tool_calls(&self) -> bool {
        TOOL_CALL_KEYS.iter().any(|key| !is_falsy(self.message.get(*key)))
    }
}

/// Where a message of the assistant keeps its tool calls, now and formerly.
const TOOL_CALL_KEYS: [&str; 2] = ["tool_calls", "function_call"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    User,
    Assistant,
    /// System or developer.
    Instruction,
}

enum Reading {
    Message(Role, HistoryMessage),
    PassThrough(Reason),
}

/// Reads the messages of a chat that names an index. The first message that is refused or calls for passing through
/// decides, as in KAITO.
///
/// # Errors
/// When the messages are malformed, or ask nothing.
pub fn plan(messages: Option<&Value>) -> Result<ChatPlan, ReadMessages> {
    let messages = match messages {
        None | Some(Value::Null) => return Err(ReadMessages::OmitQuestion),
        Some(Value::Array(messages)) => messages,
        Some(_) => return Err(ReadMessages::SendNoList),
    };
    let mut read = Vec::with_capacity(messages.len());
    for message in messages {
        match read_message(message)? {
            Reading::Message(role, message) => read.push((role, message)),
            Reading::PassThrough(reason) => return Ok(ChatPlan::PassThrough(reason)),
        }
    }
    conversation(read).map(ChatPlan::Augment)
}

fn read_message(message: &Value) -> Result<Reading, ReadMessages> {
    let Value::Object(message) = message else {
        return Err(ReadMessages::SendNoObject);
    };
    let role = match message.get("role") {
        role if is_falsy(role) => return Err(ReadMessages::OmitRole),
        Some(role) => python_string(role),
        None => return Err(ReadMessages::OmitRole),
    };
    let content = message.get("content");
    if role != "assistant" && content.is_none_or(Value::is_null) {
        return Err(ReadMessages::OmitContent { role });
    }
    let known_role = match role.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" | "developer" => Role::Instruction,
        _ => return Ok(Reading::PassThrough(Reason::ForeignRole)),
    };
    if known_role == Role::User && is_falsy(content) {
        return Err(ReadMessages::LeaveUserContentEmpty);
    }
    let text = match text_of(&role, content) {
        Ok(text) => text,
        Err(Unreadable::NotText) => return Ok(Reading::PassThrough(Reason::NotText)),
        Err(Unreadable::Malformed) => return Err(ReadMessages::MistypeContent { role }),
    };
    let mut original = message.clone();
    if !is_standard(content) {
        original.insert("content".to_owned(), Value::String(text.clone()));
    }
    let message = HistoryMessage {
        message: original,
        text,
    };
    Ok(Reading::Message(known_role, message))
}

/// What the user said after the last answer is the question, everything else history. Instructions in between do not
/// end the question.
fn conversation(messages: Vec<(Role, HistoryMessage)>) -> Result<Conversation, ReadMessages> {
    let last_answer = messages.iter().rposition(|(role, _)| *role == Role::Assistant);
    let mut history = Vec::with_capacity(messages.len());
    let mut question: Vec<String> = Vec::new();
    for (place, (role, message)) in messages.into_iter().enumerate() {
        let is_asked = role == Role::User && last_answer.is_none_or(|last_answer| place > last_answer);
        match message {
            asked if is_asked => question.push(asked.text),
            said if !said.text.is_empty() || said.carries_tool_calls() => history.push(said),
            _ => {}
        }
    }
    question.retain(|text| !text.trim().is_empty());
    if question.is_empty() {
        return Err(ReadMessages::OmitQuestion);
    }
    Ok(Conversation {
        history,
        question: question.join("\n\n"),
    })
}

#[cfg(test)]
mod tests;
