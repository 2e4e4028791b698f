//! Documents and results as they stand on the wire, fields in KAITO's order, nulls included.

use rag_core::document::{Document, DocumentId, listed_hash};
use rag_core::metadata::Metadata;
use rag_core::retrieval::HitSource;
use rag_store::{StoredDocument, StoredNode};
use serde::Serialize;

use crate::engine::RetrievedNode;

/// A document, or one node of it in a listing.
#[derive(Debug, Serialize)]
pub(super) struct WireDocument {
    doc_id: String,
    text: String,
    metadata: Metadata,
    hash_value: Option<String>,
    is_truncated: bool,
}

impl WireDocument {
    /// A request's document, echoed under an id.
    pub(super) fn echo(id: &DocumentId, document: Document) -> Self {
        Self {
            doc_id: id.to_string(),
            text: document.text,
            metadata: document.metadata,
            hash_value: None,
            is_truncated: false,
        }
    }

    /// A listed node: the id is its document's, the text is cut to `max_characters`.
    pub(super) fn of_node(node: StoredNode, max_characters: usize) -> Self {
        let hash_value = Some(listed_hash(&node.text, &node.metadata));
        let (text, is_truncated) = cut(node.text, max_characters);
        Self {
            doc_id: node.document_id.to_string(),
            text,
            metadata: node.metadata,
            hash_value,
            is_truncated,
        }
    }

    /// A listed document, its text cut to `max_characters`.
    pub(super) fn of_document(stored: StoredDocument, max_characters: usize) -> Self {
        let (text, is_truncated) = cut(stored.document.text, max_characters);
        Self {
            doc_id: stored.document.id.to_string(),
            text,
            metadata: stored.document.metadata,
            hash_value: Some(stored.content_hash),
            is_truncated,
        }
    }
}

/// A passage with its scores.
#[derive(Debug, Serialize)]
pub(super) struct NodeWithScore {
    doc_id: String,
    node_id: String,
    text: String,
    score: f64,
    dense_score: Option<f64>,
    sparse_score: Option<f64>,
    source: Option<&'static str>,
    /// `null` when empty, as in KAITO.
    metadata: Option<Metadata>,
}

impl NodeWithScore {
    /// As a source of a chat, whose metadata are `{}` when empty, as in KAITO.
    pub(super) fn of_chat(result: RetrievedNode) -> Self {
        let mut node = Self::from(result);
        node.metadata.get_or_insert_default();
        node
    }
}

impl From<RetrievedNode> for NodeWithScore {
    fn from(result: RetrievedNode) -> Self {
        let RetrievedNode { node, hit } = result;
        Self {
            doc_id: node.document_id.to_string(),
            node_id: node.id.to_string(),
            text: node.text,
            score: hit.score,
            dense_score: hit.dense_score.map(shortest),
            sparse_score: hit.sparse_score.map(shortest),
            source: Some(match hit.source {
                HitSource::Both => "both",
                HitSource::DenseOnly => "dense_only",
                HitSource::SparseOnly => "sparse_only",
            }),
            metadata: Some(node.metadata).filter(|metadata| !metadata.is_empty()),
        }
    }
}

/// The double that is printed with as few digits as the float: a plain conversion would print its rounding error too.
fn shortest(score: f32) -> f64 {
    score.to_string().parse().unwrap_or_else(|_| f64::from(score))
}

/// An answer that is one sentence.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    pub(super) message: String,
}

/// The first `max_characters` code points of a text, and whether there were more.
fn cut(mut text: String, max_characters: usize) -> (String, bool) {
    match text.char_indices().nth(max_characters) {
        None => (text, false),
        Some((end, _)) => {
            text.truncate(end);
            (text, true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_printed_with_the_digits_it_has() {
        for score in [0.749_839_5_f32, 12.3, -0.1, 1e-7, 0.0] {
            assert_eq!(shortest(score).to_string(), score.to_string());
        }
    }

    #[test]
    fn a_text_is_cut_at_a_code_point() {
        assert_eq!(cut("äöü".to_owned(), 2), ("äö".to_owned(), true));
        assert_eq!(cut("äöü".to_owned(), 3), ("äöü".to_owned(), false));
    }
}
