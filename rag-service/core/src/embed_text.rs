//! Which text of a node is embedded and searched: the passage, with chosen metadata above it.

use crate::metadata::Metadata;

/// The metadata keys that are embedded and searched together with the text. None by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbeddedKeys {
    keys: Vec<String>,
}

impl EmbeddedKeys {
    /// The keys named, or every key when one of the names is `*` (KAITO's behaviour).
    pub fn new(keys: Vec<String>) -> Self {
        Self { keys }
    }

    /// `key: value` lines of the chosen keys and a blank line, or nothing when no chosen key is present.
    pub fn header(&self, metadata: &Metadata) -> String {
        if self.keys.is_empty() {
            return String::new();
        }
        let lines = if self.keys.iter().any(|key| key == "*") {
            metadata.lines()
        } else {
            metadata.lines_of(&self.keys)
        };
        if lines.is_empty() {
            lines
        } else {
            format!("{lines}\n\n")
        }
    }

    /// The text to embed and to search: [`Self::header`], then the passage.
    pub fn embed_text(&self, metadata: &Metadata, text: &str) -> String {
        format!("{}{text}", self.header(metadata))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_named_keys_stand_above_the_text() {
        let metadata: Metadata = serde_json::from_value(json!({"title": "T", "path": "p"})).unwrap();
        assert_eq!(EmbeddedKeys::default().embed_text(&metadata, "x"), "x");
        assert_eq!(
            EmbeddedKeys::new(vec!["title".to_owned()]).embed_text(&metadata, "x"),
            "title: T\n\nx"
        );
        assert_eq!(
            EmbeddedKeys::new(vec!["*".to_owned()]).embed_text(&metadata, "x"),
            "title: T\npath: p\n\nx"
        );
        assert_eq!(
            EmbeddedKeys::new(vec!["absent".to_owned()]).embed_text(&metadata, "x"),
            "x"
        );
    }
}
