//! The request that goes to the backend, made from the one that came.

use serde_json::{Map, Value};

use super::plan::{Conversation, HistoryMessage};

/// What a request may say to us and backends do not know.
const OWN_KEYS: [&str; 6] = [
    "index_name",
    "context_token_ratio",
    "max_node_count",
    "metadata_filter",
    "similarity_threshold",
    INCLUDE_SOURCES,
];
/// Stands in the request or among its `stream_options`.
const INCLUDE_SOURCES: &str = "include_sources";
const STREAM_OPTIONS: &str = "stream_options";
/// Where a request limits its answer, the newer name first.
const COMPLETION_LIMIT_KEYS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// The messages for the backend: the context, the history and the question.
///
/// Chat templates of many models refuse a second system message, so when the history begins with one, or with a
/// developer's, the context is added to it below a blank line. Otherwise the context is a system message of its own, and the first.
pub fn assemble(conversation: Conversation, context: &str) -> Vec<Value> {
    let Conversation { history, question } = conversation;
    let mut messages = Vec::with_capacity(history.len() + 2);
    let mut history = history.into_iter().peekable();
    match history.next_if(is_instruction) {
        Some(first) => {
            let mut message = first.message;
            let content = format!("{}\n\n{context}", first.text);
            message.insert("content".to_owned(), Value::String(content));
            messages.push(Value::Object(message));
        }
        None => messages.push(message("system", context.to_owned())),
    }
    messages.extend(history.map(|said| Value::Object(said.message)));
    messages.push(message("user", question));
    messages
}

fn is_instruction(message: &HistoryMessage) -> bool {
    let role = message.message.get("role").and_then(Value::as_str);
    matches!(role, Some("system" | "developer"))
}

/// The request with other messages and without our own keys. Where it limits its answer, `completion_limit` is the most
/// that it may say. Everything else stays as it is, in its order.
pub fn augment_body(
    original: Map<String, Value>,
    messages: Vec<Value>,
    completion_limit: Option<u64>,
) -> Map<String, Value> {
    let mut body = strip_own_keys(original);
    body.insert("messages".to_owned(), Value::Array(messages));
    let Some(limit) = completion_limit else {
        return body;
    };
    for key in COMPLETION_LIMIT_KEYS {
        match body.get_mut(key) {
            Some(value) if tokens(value).is_some_and(|requested| requested > limit) => *value = Value::from(limit),
            _ => {}
        }
    }
    body
}

/// The request without our own keys, for passing it through. `stream_options` that hold nothing else go as well.
pub fn strip_own_keys(mut body: Map<String, Value>) -> Map<String, Value> {
    for key in OWN_KEYS {
        body.shift_remove(key);
    }
    if let Some(Value::Object(options)) = body.get_mut(STREAM_OPTIONS)
        && options.shift_remove(INCLUDE_SOURCES).is_some()
        && options.is_empty()
    {
        body.shift_remove(STREAM_OPTIONS);
    }
    body
}

/// How many tokens the request lets its answer have: `max_completion_tokens`, or else `max_tokens`. Whatever is not a
/// positive number says nothing.
pub fn requested_completion(body: &Map<String, Value>) -> Option<u64> {
    COMPLETION_LIMIT_KEYS
        .iter()
        .filter_map(|key| body.get(*key))
        .find_map(tokens)
}

fn tokens(value: &Value) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "only a positive float is cast, and one beyond 64 bits becomes the largest count"
    )]
    let tokens = value.as_u64().or_else(|| {
        value
            .as_f64()
            .filter(|tokens| *tokens > 0.0)
            .map(|tokens| tokens as u64)
    });
    tokens.filter(|tokens| *tokens > 0)
}

fn message(role: &str, content: String) -> Value {
    let mut message = Map::with_capacity(2);
    message.insert("role".to_owned(), Value::from(role));
    message.insert("content".to_owned(), Value::String(content));
    Value::Object(message)
}

#[cfg(test)]
mod tests;
