//! The texts of a choice that grow from chunk to chunk, and where they stand in a delta.

use serde_json::{Map, Value, json};

/// A text that grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Channel {
    Content,
    ReasoningContent,
    Reasoning,
    Refusal,
    FunctionArguments,
    /// Arguments of the tool call with this index.
    ToolArguments(u64),
    /// Input of the custom tool call with this index.
    ToolInput(u64),
}

impl Channel {
    /// The channel of a string field of a delta.
    pub(super) fn of_field(name: &str) -> Option<Self> {
        match name {
            "content" => Some(Self::Content),
            "reasoning_content" => Some(Self::ReasoningContent),
            "reasoning" => Some(Self::Reasoning),
            "refusal" => Some(Self::Refusal),
            _ => None,
        }
    }

    /// Puts more text of this channel into a delta, behind what is there already.
    pub(super) fn append(self, delta: &mut Map<String, Value>, text: String) {
        match self {
            Self::Content => append(delta, "content", text),
            Self::ReasoningContent => append(delta, "reasoning_content", text),
            Self::Reasoning => append(delta, "reasoning", text),
            Self::Refusal => append(delta, "refusal", text),
            Self::FunctionArguments => append(object(delta, "function_call"), "arguments", text),
            Self::ToolArguments(index) => append(object(tool_call(delta, index), "function"), "arguments", text),
            Self::ToolInput(index) => append(object(tool_call(delta, index), "custom"), "input", text),
        }
    }
}

fn append(fields: &mut Map<String, Value>, name: &str, text: String) {
    match fields.get_mut(name) {
        Some(Value::String(known)) => known.push_str(&text),
        _ => {
            fields.insert(name.to_owned(), Value::String(text));
        }
    }
}

fn object<'fields>(fields: &'fields mut Map<String, Value>, name: &str) -> &'fields mut Map<String, Value> {
    let value = fields.entry(name).or_insert_with(|| json!({}));
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it was made an object above")
}

/// The tool call with this index, added to the list if it is not in it.
fn tool_call(delta: &mut Map<String, Value>, index: u64) -> &mut Map<String, Value> {
    let calls = delta.entry("tool_calls").or_insert_with(|| json!([]));
    if !calls.is_array() {
        *calls = json!([]);
    }
    let calls = calls.as_array_mut().expect("it was made an array above");
    let is_it = |call: &Value| call.is_object() && call.get("index").and_then(Value::as_u64) == Some(index);
    let place = calls.iter().position(is_it).unwrap_or_else(|| {
        calls.push(json!({"index": index}));
        calls.len() - 1
    });
    let call = calls.get_mut(place).and_then(Value::as_object_mut);
    call.expect("the object was found or added above")
}
