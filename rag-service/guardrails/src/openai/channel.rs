//! The texts of a choice that grow from chunk to chunk, and where they stand in a delta.

use serde_json::{Value, json};

/// Fields whose values name something, if they are short and plain: they do not grow.
const NAMES: [&str; 17] = [
    "call_id",
    "channel",
    "encoding",
    "finish_reason",
    "format",
    "id",
    "item_id",
    "language",
    "mime_type",
    "model",
    "name",
    "object",
    "provider",
    "recipient",
    "role",
    "status",
    "type",
];

/// A step on the way from a delta to a string in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// The field of an object.
    Field(String),
    /// The item of a list with this `index`.
    Index(u64),
    /// The item of a list at this place, if it has no `index`.
    Place(usize),
}

/// Where a text that grows stands in every delta that has more of it: the way there.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Channel(Vec<Step>);

impl Channel {
    pub(super) fn enter_field(&mut self, name: &str) {
        self.0.push(Step::Field(name.to_owned()));
    }

    pub(super) fn enter_item(&mut self, place: usize, item: &Value) {
        self.0.push(index_of(item).map_or(Step::Place(place), Step::Index));
    }

    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    /// Whether this is the answer itself.
    pub(super) fn is_answer(&self) -> bool {
        matches!(self.0.as_slice(), [Step::Field(name)] if name == "content")
    }

    /// Whether the text stands in an object or a list of the delta.
    pub(super) fn is_nested(&self) -> bool {
        self.0.len() > 1
    }

    /// Whether this is the list of tool calls.
    pub(super) fn is_tool_calls(&self) -> bool {
        matches!(self.0.as_slice(), [Step::Field(name)] if name == "tool_calls")
    }

    /// Whether these are the fields of a voice.
    pub(super) fn is_audio(&self) -> bool {
        matches!(self.0.last(), Some(Step::Field(name)) if name == "audio")
    }

    /// Whether names of things stand here.
    pub(super) fn is_name(&self) -> bool {
        matches!(self.0.last(), Some(Step::Field(name)) if NAMES.contains(&name.as_str()))
    }

    /// Whether what stands here tells roles and calls apart, so that a client needs it as it is.
    pub(super) fn identifies(&self) -> bool {
        match self.0.as_slice() {
            [Step::Field(role)] => role == "role",
            [Step::Field(calls), _, Step::Field(name)] => {
                calls == "tool_calls" && matches!(name.as_str(), "id" | "type")
            }
            _ => false,
        }
    }

    /// Puts more text of this channel into a delta, behind what is there already.
    pub(super) fn append(&self, delta: &mut Value, text: &str) {
        append(delta, &self.0, text);
    }
}

/// The `index` by which an item of a list is told apart.
pub(super) fn index_of(item: &Value) -> Option<u64> {
    item.as_object()?.get("index")?.as_u64()
}

fn append(value: &mut Value, way: &[Step], text: &str) {
    let Some((step, rest)) = way.split_first() else {
        match value {
            Value::String(known) => known.push_str(text),
            _ => *value = json!(text),
        }
        return;
    };
    match (step, &mut *value) {
        (Step::Field(_), Value::Object(_)) | (Step::Index(_) | Step::Place(_), Value::Array(_)) => {}
        (Step::Field(_), _) => *value = json!({}),
        _ => *value = json!([]),
    }
    match (step, value) {
        (Step::Field(name), Value::Object(fields)) => {
            append(fields.entry(name.as_str()).or_insert(Value::Null), rest, text);
        }
        (Step::Index(index), Value::Array(items)) => {
            let place = items.iter().position(|item| index_of(item) == Some(*index));
            let place = place.unwrap_or_else(|| {
                items.push(json!({"index": index}));
                items.len() - 1
            });
            append_at(items, place, rest, text);
        }
        (Step::Place(place), Value::Array(items)) => {
            while items.len() <= *place {
                items.push(blank(rest));
            }
            append_at(items, *place, rest, text);
        }
        _ => {}
    }
}

fn append_at(items: &mut [Value], place: usize, way: &[Step], text: &str) {
    if let Some(item) = items.get_mut(place) {
        append(item, way, text);
    }
}

/// An item without a text, of the form that the way demands.
fn blank(way: &[Step]) -> Value {
    match way.first() {
        None => json!(""),
        Some(Step::Field(_)) => json!({}),
        Some(Step::Index(_) | Step::Place(_)) => json!([]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_appended_at_the_same_way_through_objects_and_lists() {
        let way = [
            Step::Field("details".to_owned()),
            Step::Index(4),
            Step::Field("parts".to_owned()),
            Step::Place(1),
            Step::Field("text".to_owned()),
        ];
        let channel = Channel(way.to_vec());
        let mut delta = json!({});
        channel.append(&mut delta, "a ");
        channel.append(&mut delta, "b");
        assert_eq!(
            delta,
            json!({"details": [{"index": 4, "parts": [{}, {"text": "a b"}]}]})
        );
        let mut delta = json!({"details": [{"index": 4, "parts": [{"text": "x"}, {"text": "y"}], "type": "t"}]});
        channel.append(&mut delta, "z");
        assert_eq!(
            delta,
            json!({"details": [{"index": 4, "parts": [{"text": "x"}, {"text": "yz"}], "type": "t"}]})
        );
    }
}
