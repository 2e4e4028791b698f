//! Documents: what a user hands in, identified by what it says.

use std::fmt;
use std::ops::Deref;

use sha2::{Digest, Sha256};

use crate::metadata::Metadata;
use crate::python_format::python_repr;

/// Identifies a document inside one index. For a freshly indexed document it is the digest of its text
/// ([`DocumentId::of_text`]); an update keeps the id while the text changes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId(String);

impl DocumentId {
    /// Lower-case hexadecimal SHA-256 of the UTF-8 text, 64 characters, as KAITO computes it.
    pub fn of_text(text: &str) -> Self {
        Self(sha256_hex(text))
    }

    /// The id as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for DocumentId {
    /// Any string can name a document in a request; one that names none is reported as not found.
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

/// A text and what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Identity inside the index.
    pub id: DocumentId,
    /// The whole text; may be empty.
    pub text: String,
    /// Copied onto every node of the document.
    pub metadata: Metadata,
}

impl Document {
    /// A document named by the digest of its text.
    pub fn new(text: String, metadata: Metadata) -> Self {
        Self {
            id: DocumentId::of_text(&text),
            text,
            metadata,
        }
    }

    /// Digest of text and metadata together: two documents with the same digest are the same content. KAITO's formula:
    /// SHA-256 of `lines-of-metadata + "-" + sha256(text)`, either half left out when empty.
    pub fn content_hash(&self) -> String {
        self.content_hash_with(&DocumentId::of_text(&self.text))
    }

    fn content_hash_with(&self, text_id: &DocumentId) -> String {
        let lines = self.metadata.lines();
        let text_hash = if self.text.is_empty() { "" } else { text_id.as_str() };
        match (lines.is_empty(), text_hash.is_empty()) {
            (false, false) => sha256_hex(&format!("{lines}-{text_hash}")),
            _ => sha256_hex(&format!("{lines}{text_hash}")),
        }
    }
}

/// What a document says, by digests: enough to find out whether it is stored, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentDigest {
    /// The document's id.
    pub id: DocumentId,
    /// [`DocumentId::of_text`] of its text.
    pub text_id: DocumentId,
    /// [`Document::content_hash`].
    pub content_hash: String,
}

impl From<&Document> for DocumentDigest {
    fn from(document: &Document) -> Self {
        let text_id = DocumentId::of_text(&document.text);
        Self {
            id: document.id.clone(),
            content_hash: document.content_hash_with(&text_id),
            text_id,
        }
    }
}

/// A document and its digest, which is computed once. Neither changes any more, so that they stay each other's.
#[derive(Clone, Debug)]
pub struct DigestedDocument {
    document: Document,
    digest: DocumentDigest,
}

impl DigestedDocument {
    /// What the document says, by digests.
    pub fn digest(&self) -> &DocumentDigest {
        &self.digest
    }
}

impl From<Document> for DigestedDocument {
    fn from(document: Document) -> Self {
        Self {
            digest: DocumentDigest::from(&document),
            document,
        }
    }
}

impl From<DigestedDocument> for Document {
    fn from(digested: DigestedDocument) -> Self {
        digested.document
    }
}

impl Deref for DigestedDocument {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.document
    }
}

/// The `hash_value` KAITO lists for a node: SHA-256 of the node's text followed by its metadata as Python prints a
/// dictionary.
pub fn listed_hash(node_text: &str, metadata: &Metadata) -> String {
    sha256_hex(&format!("{node_text}{}", python_repr(metadata.as_map())))
}

fn sha256_hex(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn typed(text: &str) -> Document {
        Document::new(
            text.to_owned(),
            serde_json::from_value(json!({"type": "text"})).unwrap(),
        )
    }

    #[test]
    fn hashes_are_the_ones_kaito_publishes() {
        let first = typed("First document in index1");
        let second = typed("First document in index2");
        assert_eq!(
            listed_hash(&first.text, &first.metadata),
            "1e64a170be48c45efeaa8667ab35919106da0489ec99a11d0029f2842db133aa"
        );
        assert_eq!(
            listed_hash(&second.text, &second.metadata),
            "a222f875b83ce8b6eb72b3cae278b620de9bcc7c6b73222424d3ce979d1a463b"
        );
        assert_eq!(
            first.content_hash(),
            "81bedde64ebbcd5217992ff7d90fac992c4d7a654e72e76cf5e61c7d45e59afe"
        );
        assert_eq!(
            second.content_hash(),
            "14f429304e79db9825c4e221723cb90d065978c10972af3a2479de1305e9219d"
        );
    }

    #[test]
    fn the_id_is_the_digest_of_the_text_alone() {
        let document = typed("alpha");
        assert_eq!(document.id, DocumentId::of_text("alpha"));
        assert_eq!(document.id.as_str().len(), 64);
    }
}
