//! What a chat is grounded in: what is asked for, and what came of it.

use rag_core::chat::context::Threshold;
use rag_core::document::DocumentId;
use rag_core::filter::Filter;
use rag_core::index_name::IndexName;
use rag_core::node::NodeId;

use crate::engine::RetrievedNode;
use crate::llm::Completion;
use crate::metrics::Grounding as GroundingKind;

/// Where a chat's passages are to come from. What is `None` is as configured.
#[derive(Clone, Debug)]
pub struct GroundingRequest {
    /// The index.
    pub index: IndexName,
    /// Share of the free tokens that passages may fill; 0 for no passages.
    pub ratio: Option<f64>,
    /// Most passages that are looked at.
    pub max_node_count: Option<usize>,
    /// Only passages of documents whose metadata match.
    pub filter: Option<Filter>,
    /// How far a passage may be from the question; `Some(None)` for any distance.
    pub threshold: Option<Option<Threshold>>,
}

/// A chat as the model is to get it.
#[derive(Debug)]
pub struct PreparedChat {
    /// The request to the model.
    pub body: Completion,
    /// What it is grounded in.
    pub grounding: Grounding,
}

/// What an answer is grounded in.
#[derive(Debug)]
pub enum Grounding {
    /// No index was named.
    Passthrough,
    /// An index was named, and nothing was found, or the conversation is not one of text.
    Ungrounded,
    /// These passages.
    Grounded(Sources),
}

/// The passages in a prompt.
#[derive(Debug)]
pub struct Sources {
    /// Every node, best first.
    pub nodes: Vec<SourceNode>,
    /// Every passage, by its number.
    pub passages: Vec<PassageSource>,
}

/// A node in a prompt.
#[derive(Debug)]
pub struct SourceNode {
    /// The node with the evidence for it.
    pub node: RetrievedNode,
    /// The number of the passage it stands in.
    pub passage: u32,
}

/// A passage in a prompt: one node, or neighbouring ones.
#[derive(Debug)]
pub struct PassageSource {
    /// What the model cites it by.
    pub number: u32,
    /// The document.
    pub document_id: DocumentId,
    /// The document's name as the model reads it.
    pub label: String,
    /// Its nodes in reading order.
    pub node_ids: Vec<NodeId>,
}

impl Grounding {
    pub(crate) fn kind(&self) -> GroundingKind {
        match self {
            Self::Passthrough => GroundingKind::passthrough,
            Self::Ungrounded => GroundingKind::ungrounded,
            Self::Grounded(_) => GroundingKind::grounded,
        }
    }
}
