//! Chats for backends that only complete text (`/v1/completions`): the request flattened, the answer put back into shape.
//!
//! Log probabilities are left in the shape in which the backend gives them.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::content::{Unreadable, is_falsy, text_of};

/// What a request for a text has no use for.
const CHAT_KEYS: [&str; 5] = [
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
];

/// Why a chat cannot be asked for as a text; always the user's fault. `Display` is the text that the user gets.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CannotFlatten {
    /// There are no messages, or not in the form of messages.
    #[error("Invalid request format: messages must be a list of objects with a 'role' and a text as 'content'.")]
    ReadMessages,
    /// A message holds an image, a sound or a file.
    #[error("The inference service only completes text: content other than text is not supported.")]
    SendNonText,
    /// Tools are offered, or have been called.
    #[error("The inference service only completes text: tools and functions are not supported.")]
    UseTools,
}

/// The request for `/v1/completions`: every message becomes a line `role: content`, and the prompt ends with
/// `assistant: `. A limit that only chats know, `max_completion_tokens`, becomes `max_tokens`; everything else stays.
///
/// # Errors
/// When the messages are malformed, hold anything but text, or tools are involved.
pub fn to_completion_request(body: Map<String, Value>) -> Result<Map<String, Value>, CannotFlatten> {
    if ["tools", "functions"].iter().any(|key| !is_falsy(body.get(*key))) {
        return Err(CannotFlatten::UseTools);
    }
    let prompt = match body.get("messages") {
        Some(Value::Array(messages)) if !messages.is_empty() => prompt(messages)?,
        _ => return Err(CannotFlatten::ReadMessages),
    };
    let limits_text = body.get("max_tokens").is_some_and(|limit| !limit.is_null());
    let mut request = Map::with_capacity(body.len());
    for (key, value) in body {
        match key.as_str() {
            "messages" => request.insert("prompt".to_owned(), Value::String(prompt.clone())),
            "max_completion_tokens" if limits_text || value.is_null() => None,
            "max_completion_tokens" => request.insert("max_tokens".to_owned(), value),
            // A null says something only where no limit does: backends complete a few words when the key is missing.
            "max_tokens" if value.is_null() && request.contains_key("max_tokens") => None,
            name if CHAT_KEYS.contains(&name) => None,
            _ => request.insert(key, value),
        };
    }
    Ok(request)
}

/// The answer of `/v1/completions` as one of `/v1/chat/completions`: each choice's `text` becomes a message of the
/// assistant. `None` when it is no such answer.
pub fn to_chat_response(response: Value) -> Option<Value> {
    to_chat(response, "chat.completion", |_, text| {
        let message = [("role", Value::from("assistant")), ("content", text)];
        ("message", object(message))
    })
}

/// Turns a stream of text into the stream of a chat, chunk by chunk.
#[derive(Clone, Debug, Default)]
pub struct ChunkConverter {
    /// Choices that have begun.
    begun: HashSet<u64>,
}

impl ChunkConverter {
    /// A converter for one answer.
    pub fn new() -> Self {
        Self::default()
    }

    /// The chunk as one of a chat: each choice's `text` becomes a delta, the first of each with the role. `None` when it
    /// is no chunk of a text; it should be forwarded as it is then, as an error that the backend reports.
    pub fn to_chat_chunk(&mut self, chunk: Value) -> Option<Value> {
        to_chat(chunk, "chat.completion.chunk", |index, text| {
            let role = self.begun.insert(index).then(|| ("role", Value::from("assistant")));
            ("delta", object(role.into_iter().chain([("content", text)])))
        })
    }
}

fn prompt(messages: &[Value]) -> Result<String, CannotFlatten> {
    let mut lines = Vec::with_capacity(messages.len() + 1);
    for message in messages {
        let Value::Object(message) = message else {
            return Err(CannotFlatten::ReadMessages);
        };
        let Some(role) = message.get("role").and_then(Value::as_str) else {
            return Err(CannotFlatten::ReadMessages);
        };
        let calls_tools = ["tool_calls", "function_call"]
            .iter()
            .any(|key| !is_falsy(message.get(*key)));
        if calls_tools || matches!(role, "tool" | "function") {
            return Err(CannotFlatten::UseTools);
        }
        let content = text_of(role, message.get("content"))?;
        lines.push(format!("{role}: {content}"));
    }
    lines.push("assistant: ".to_owned());
    Ok(lines.join("\n"))
}

impl From<Unreadable> for CannotFlatten {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::NotText => Self::SendNonText,
            Unreadable::Malformed => Self::ReadMessages,
        }
    }
}

/// Renames the answer and puts `said(index, text)` in place of each choice's text.
fn to_chat<Said>(answer: Value, kind: &str, mut said: Said) -> Option<Value>
where
    Said: FnMut(u64, Value) -> (&'static str, Value),
{
    let Value::Object(mut answer) = answer else {
        return None;
    };
    let choices = answer.get_mut("choices")?.as_array_mut()?;
    for (place, choice) in (0_u64..).zip(choices.iter_mut()) {
        let choice = choice.as_object_mut()?;
        let index = choice.get("index").and_then(Value::as_u64).unwrap_or(place);
        let text = match choice.get("text")? {
            Value::Null => Value::from(""),
            text @ Value::String(_) => text.clone(),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => return None,
        };
        let (key, value) = said(index, text);
        choice.shift_remove("text");
        choice.insert(key.to_owned(), value);
    }
    answer.insert("object".to_owned(), Value::from(kind));
    Some(Value::Object(answer))
}

fn object(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::Object(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

#[cfg(test)]
mod tests;
