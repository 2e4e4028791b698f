//! From the passages that were found to a prompt with those of them that fit.

use std::collections::HashMap;
use std::sync::Arc;

use rag_core::chat::body::assemble;
use rag_core::chat::budget::TokenBudget;
use rag_core::chat::context::{Candidate, Selection, Threshold, select};
use rag_core::chat::plan::Conversation;
use rag_core::chat::prompt::{ContextTemplate, source_of};
use rag_core::chat::tokens::ChatTokenCounter;
use rag_core::node::NodeId;
use serde_json::Value;

use super::grounding::{PassageSource, SourceNode, Sources};
use crate::engine::RetrievedNode;

/// What a prompt is made from.
pub(super) struct Grounds {
    pub(super) found: Vec<RetrievedNode>,
    pub(super) conversation: Conversation,
    pub(super) budget: TokenBudget,
    pub(super) threshold: Option<Threshold>,
    pub(super) template: Arc<ContextTemplate>,
    pub(super) counter: ChatTokenCounter,
}

/// What became of it.
pub(super) enum Found {
    Context(Context),
    Nothing,
}

/// A prompt with passages, and where they come from.
pub(super) struct Context {
    pub(super) messages: Vec<Value>,
    pub(super) completion_limit: Option<u64>,
    /// Tokens kept for the answer.
    pub(super) reserved: u64,
    pub(super) sources: Sources,
}

impl Grounds {
    /// Selects, numbers and renders.
    pub(super) fn context(self) -> Found {
        let candidates: Vec<Candidate<'_>> = self.found.iter().map(candidate).collect();
        let selected = select(&Selection {
            candidates: &candidates,
            threshold: self.threshold,
            budget: self.budget.context,
            counter: &self.counter,
            template: &self.template,
        });
        if selected.nodes.is_empty() {
            return Found::Nothing;
        }
        let mut passage_of_node = HashMap::new();
        let mut passages = Vec::with_capacity(selected.passages.len());
        for passage in &selected.passages {
            let members = passage.members.iter().filter_map(|member| self.found.get(*member));
            let node_ids: Vec<NodeId> = members.clone().map(|member| member.node.id.clone()).collect();
            let Some(first) = members.clone().next() else { continue };
            passage_of_node.extend(passage.members.iter().map(|member| (*member, passage.number)));
            passages.push(PassageSource {
                number: passage.number,
                document_id: first.node.document_id.clone(),
                label: passage.source.clone(),
                node_ids,
            });
        }
        let text = self.template.render(&selected.passages);
        let completion_limit = self.budget.completion_limit(selected.tokens);
        let mut found: Vec<Option<RetrievedNode>> = self.found.into_iter().map(Some).collect();
        let nodes = selected.nodes.iter().filter_map(|place| {
            Some(SourceNode {
                node: found.get_mut(*place)?.take()?,
                passage: *passage_of_node.get(place)?,
            })
        });
        Found::Context(Context {
            sources: Sources {
                nodes: nodes.collect(),
                passages,
            },
            messages: assemble(self.conversation, &text),
            completion_limit,
            reserved: self.budget.reserved,
        })
    }
}

fn candidate(found: &RetrievedNode) -> Candidate<'_> {
    let RetrievedNode { node, hit } = found;
    Candidate {
        document_id: &node.document_id,
        position: node.position,
        span: node.span,
        text: &node.text,
        dense_score: hit.dense_score,
        sparse_score: hit.sparse_score,
        source: source_of(&node.metadata, &node.document_id),
    }
}
