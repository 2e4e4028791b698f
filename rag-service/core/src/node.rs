//! Nodes: the passages a document is cut into, the unit that is embedded, searched and returned.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::document::DocumentId;

/// Identifies a node: a UUID derived from its document, position and text, so that indexing the same document again
/// gives the same ids.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(String);

impl NodeId {
    /// The id of the node at `position` (0-based) of a document. A version 8 UUID over the first half of a SHA-256.
    pub fn derive(document_id: &DocumentId, position: u32, text: &str) -> Self {
        let mut digest = Sha256::new();
        // Lengths keep ("ab", "c") and ("a", "bc") apart.
        digest.update((document_id.as_str().len() as u64).to_le_bytes());
        digest.update(document_id.as_str());
        digest.update(position.to_le_bytes());
        digest.update(text);
        let digest: [u8; 32] = digest.finalize().into();
        let (half, _) = digest.split_first_chunk::<16>().expect("a SHA-256 digest has 32 bytes");
        Self(uuid::Uuid::new_v8(*half).to_string())
    }

    /// An id read back from storage.
    pub fn from_stored(id: String) -> Self {
        Self(id)
    }

    /// The id as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

/// Where a passage stands in its document, in Unicode code points (as KAITO and Python count), end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CharSpan {
    /// Offset of the first character.
    pub start: u32,
    /// Offset after the last character.
    pub end: u32,
}

/// How a node's text is analysed for lexical search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// Natural language: stemmed, stop words left out.
    Prose,
    /// Source code: words as they stand.
    Code,
}

/// A piece of a document's text, before it has an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The text, trimmed.
    pub text: String,
    /// Where it stands in the document.
    pub span: CharSpan,
}

/// A passage of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Stable identity.
    pub id: NodeId,
    /// The document it was cut from.
    pub document_id: DocumentId,
    /// 0-based place among its document's nodes.
    pub position: u32,
    /// The passage.
    pub text: String,
    /// Where the passage stands in the document.
    pub span: CharSpan,
    /// How the passage is analysed.
    pub kind: TextKind,
    /// The node before it in the same document.
    pub previous: Option<NodeId>,
    /// The node after it in the same document.
    pub next: Option<NodeId>,
}

/// Gives the chunks of one document their identities and links neighbours. Chunks must be in reading order.
pub fn link_nodes(document_id: &DocumentId, kind: TextKind, chunks: Vec<Chunk>) -> Vec<Node> {
    let ids: Vec<NodeId> = (0_u32..)
        .zip(&chunks)
        .map(|(position, chunk)| NodeId::derive(document_id, position, &chunk.text))
        .collect();
    let previous = std::iter::once(None).chain(ids.iter().cloned().map(Some));
    let next = ids.iter().skip(1).cloned().map(Some).chain(std::iter::once(None));
    (0_u32..)
        .zip(chunks)
        .zip(ids.iter().cloned())
        .zip(previous.zip(next))
        .map(|(((position, chunk), id), (previous, next))| Node {
            id,
            document_id: document_id.clone(),
            position,
            text: chunk.text,
            span: chunk.span,
            kind,
            previous,
            next,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks() -> Vec<Chunk> {
        ["a", "b", "c"]
            .into_iter()
            .map(|text| Chunk {
                text: text.to_owned(),
                span: CharSpan { start: 0, end: 1 },
            })
            .collect()
    }

    #[test]
    fn neighbours_point_at_each_other() {
        let nodes = link_nodes(&DocumentId::of_text("d"), TextKind::Prose, chunks());
        assert_eq!(nodes[0].previous, None);
        assert_eq!(nodes[0].next.as_ref(), Some(&nodes[1].id));
        assert_eq!(nodes[1].previous.as_ref(), Some(&nodes[0].id));
        assert_eq!(nodes[2].next, None);
    }

    #[test]
    fn the_same_document_gives_the_same_ids_and_another_one_others() {
        let once = link_nodes(&DocumentId::of_text("d"), TextKind::Prose, chunks());
        let again = link_nodes(&DocumentId::of_text("d"), TextKind::Prose, chunks());
        let other = link_nodes(&DocumentId::of_text("e"), TextKind::Prose, chunks());
        assert_eq!(once, again);
        assert!(once.iter().zip(&other).all(|(left, right)| left.id != right.id));
    }
}
