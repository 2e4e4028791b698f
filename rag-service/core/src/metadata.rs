//! What a user says about a document: a JSON object, kept in the order it was written.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::python_format::python_string;

/// A document's metadata. Keys keep their order, because KAITO's hashes and embedded text depend on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    /// The value under `key`, if there is one.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The value under `key` when it is a string.
    pub fn string(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    /// Whether there is no entry at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Entries in the order they were written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The object itself.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Size of the compact JSON text, in bytes.
    pub fn json_bytes(&self) -> usize {
        self.to_json().len()
    }

    /// The compact JSON text.
    pub fn to_json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// How deep the objects and arrays nest: a flat object is 1 deep.
    pub fn depth(&self) -> usize {
        1 + self.0.values().map(value_depth).max().unwrap_or(0)
    }

    /// `key: value` lines of every entry, as KAITO hashes them; values as Python's `str` prints them.
    pub fn lines(&self) -> String {
        lines(self.iter())
    }

    /// `key: value` lines of the named keys only, in the order of the metadata.
    pub fn lines_of(&self, keys: &[String]) -> String {
        lines(self.iter().filter(|(key, _)| keys.iter().any(|wanted| wanted == key)))
    }
}

impl From<Map<String, Value>> for Metadata {
    fn from(map: Map<String, Value>) -> Self {
        Self(map)
    }
}

fn lines<'a>(entries: impl Iterator<Item = (&'a str, &'a Value)>) -> String {
    entries
        .map(|(key, value)| format!("{key}: {}", python_string(value)))
        .collect::<Vec<_>>()
        .join("\n")
}

fn value_depth(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(value_depth).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(value_depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(value: Value) -> Metadata {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn depth_counts_nested_objects_and_arrays() {
        assert_eq!(metadata(json!({})).depth(), 1);
        assert_eq!(metadata(json!({"a": 1})).depth(), 1);
        assert_eq!(metadata(json!({"a": [{"b": 1}]})).depth(), 3);
    }

    #[test]
    fn lines_keep_the_written_order_and_print_as_python_does() {
        let metadata = metadata(json!({"b": true, "a": null, "n": 1.5, "s": "x"}));
        assert_eq!(metadata.lines(), "b: True\na: None\nn: 1.5\ns: x");
        assert_eq!(metadata.lines_of(&["s".to_owned(), "b".to_owned()]), "b: True\ns: x");
    }
}
