//! Choosing the passages that go into the prompt.
//!
//! Not here: the order of the candidates, which retrieval decides.

mod merge;
mod threshold;

use std::collections::HashMap;

use super::prompt::{ContextTemplate, PASSAGE_JOINT};
use super::tokens::ChatTokenCounter;
use crate::document::DocumentId;
use crate::node::CharSpan;
pub use threshold::{ParseThreshold, Threshold};

/// A candidate whose BM25 score has this share of the best one is let past the threshold: it has the words that were
/// asked for, whatever its vector says.
pub const STRONG_LEXICAL_SHARE: f32 = 0.6;

/// Fewest tokens worth a passage. With less room left the search for one ends.
const SMALLEST_PASSAGE_TOKENS: usize = 8;
/// The search ends after so many candidates in a row that did not fit.
const MAX_MISFITS: usize = 32;
/// What joining two neighbours may cost beside their text: a line break, or a word that the joint cuts otherwise.
const JOINT_TOKENS: usize = 2;

/// A node that may go into the prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate<'node> {
    /// The document it was cut from.
    pub document_id: &'node DocumentId,
    /// 0-based place among its document's nodes.
    pub position: u32,
    /// Where it stands in the document; as long as `text`.
    pub span: CharSpan,
    /// The node's text.
    pub text: &'node str,
    /// Cosine similarity to the question, when the dense search returned the node.
    pub dense_score: Option<f32>,
    /// BM25 score, when the lexical search returned the node.
    pub sparse_score: Option<f32>,
    /// What the prompt calls the document, see [`source_of`](super::prompt::source_of).
    pub source: String,
}

/// What to choose from, and how much.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// Best first.
    pub candidates: &'a [Candidate<'a>],
    /// How near a candidate has to be; `None` admits all.
    pub threshold: Option<Threshold>,
    /// Tokens that the passages may take together, frames included.
    pub budget: usize,
    /// Counts as the chat model does.
    pub counter: &'a ChatTokenCounter,
    /// What passages are framed with.
    pub template: &'a ContextTemplate,
}

/// The nodes chosen, and the passages they make.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SelectedContext {
    /// Places of the chosen nodes among the candidates, best first.
    pub nodes: Vec<usize>,
    /// What goes into the prompt, in the order of each one's best node.
    pub passages: Vec<Passage>,
    /// Tokens of the passages in the prompt, frames included, or a few more; at most the budget.
    pub tokens: usize,
}

/// One quotation in the prompt: a node, or neighbouring nodes of one document without the text that they share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// What the answer cites it by, from 1.
    pub number: u32,
    /// Places of its nodes among the candidates, in reading order.
    pub members: Vec<usize>,
    /// What the prompt calls its document.
    pub source: String,
    /// The quotation.
    pub text: String,
}

/// Takes the candidates in their order, as long as there is room, and goes on to smaller ones when one does not fit. A
/// candidate next to one already taken costs only what it adds.
pub fn select(selection: &Selection<'_>) -> SelectedContext {
    let (mut nodes, charged) = choose(selection);
    loop {
        let passages = merge::passages(selection.candidates, &nodes);
        let tokens = if passages.len() == nodes.len() {
            // Nothing was joined: each passage is what was charged for. Counting is most of the work here.
            charged
        } else {
            let counted = passages
                .iter()
                .map(|passage| selection.counter.count(&framed(selection.template, passage)));
            counted.sum()
        };
        if tokens <= selection.budget {
            return SelectedContext {
                nodes,
                passages,
                tokens,
            };
        }
        // Joined texts rarely count for more than their parts, and then by a token or two.
        nodes.pop();
    }
}

/// Places of the nodes to take, and the tokens they were charged.
fn choose(selection: &Selection<'_>) -> (Vec<usize>, usize) {
    let best_lexical = selection
        .candidates
        .iter()
        .filter_map(|candidate| candidate.sparse_score)
        .fold(0.0, f32::max);
    let mut taken: HashMap<(&DocumentId, u32), &Candidate<'_>> = HashMap::new();
    let mut nodes = Vec::new();
    let mut left = selection.budget;
    let mut misfits = 0;
    for (place, candidate) in selection.candidates.iter().enumerate() {
        if left < SMALLEST_PASSAGE_TOKENS || misfits == MAX_MISFITS {
            break;
        }
        let key = (candidate.document_id, candidate.position);
        let says_something = !candidate.text.trim().is_empty();
        if !says_something || taken.contains_key(&key) || !is_admitted(candidate, selection.threshold, best_lexical) {
            continue;
        }
        match cost(selection, candidate, &taken, left) {
            Some(tokens) => {
                left -= tokens;
                misfits = 0;
                taken.insert(key, candidate);
                nodes.push(place);
            }
            None => misfits += 1,
        }
    }
    (nodes, selection.budget - left)
}

fn is_admitted(candidate: &Candidate<'_>, threshold: Option<Threshold>, best_lexical: f32) -> bool {
    let Some(threshold) = threshold else {
        return true;
    };
    let is_near = candidate.dense_score.is_some_and(|cosine| threshold.admits(cosine));
    let is_strong_lexical = candidate
        .sparse_score
        .is_some_and(|score| score > 0.0 && score >= STRONG_LEXICAL_SHARE * best_lexical);
    is_near || is_strong_lexical
}

/// Tokens that taking the candidate adds to the prompt, when they are at most `left`.
fn cost(
    selection: &Selection<'_>,
    candidate: &Candidate<'_>,
    taken: &HashMap<(&DocumentId, u32), &Candidate<'_>>,
    left: usize,
) -> Option<usize> {
    let neighbour = |position: Option<u32>| taken.get(&(candidate.document_id, position?)).copied();
    let previous = neighbour(candidate.position.checked_sub(1));
    let next = neighbour(candidate.position.checked_add(1));
    if previous.is_none() && next.is_none() {
        let alone = Passage {
            // The most digits that its number may have; sources are never numbered beyond the candidates.
            number: u32::try_from(selection.candidates.len()).unwrap_or(u32::MAX),
            members: Vec::new(),
            source: candidate.source.clone(),
            text: candidate.text.to_owned(),
        };
        return selection.counter.count_up_to(&framed(selection.template, &alone), left);
    }
    let start = previous.and_then(|previous| merge::repeated_bytes(previous, candidate));
    let repeated_by_next = next.and_then(|next| merge::repeated_bytes(candidate, next));
    let end = candidate.text.len() - repeated_by_next.unwrap_or(0).min(candidate.text.len());
    let added = candidate.text.get(start.unwrap_or(0)..end).unwrap_or("");
    let left = left.checked_sub(JOINT_TOKENS)?;
    Some(selection.counter.count_up_to(added, left)? + JOINT_TOKENS)
}

fn framed(template: &ContextTemplate, passage: &Passage) -> String {
    template.passage(passage) + PASSAGE_JOINT
}

#[cfg(test)]
mod tests;
