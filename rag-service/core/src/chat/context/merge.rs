//! Neighbouring nodes of one document become one passage.
//!
//! Nodes repeat the end of the one before them. Their spans say by how much; the texts are compared all the same, so that
//! a span that is wrong costs a repetition, never text.

use std::collections::{BTreeMap, HashMap};

use super::{Candidate, Passage};
use crate::document::DocumentId;

/// The passages that the chosen nodes (places among the candidates, best first) make, in the order of each one's best
/// node.
pub(super) fn passages(candidates: &[Candidate<'_>], nodes: &[usize]) -> Vec<Passage> {
    let mut runs = runs(candidates, nodes);
    runs.sort_by_key(Run::best_rank);
    (1..).zip(&runs).map(|(number, run)| run.passage(number)).collect()
}

/// How many bytes at the start of `next` the text that ends with `previous` already has; `None` when there is a gap
/// between them, or the spans do not agree with the texts.
pub(super) fn repeated_bytes(previous: &Candidate<'_>, next: &Candidate<'_>) -> Option<usize> {
    let repeated = usize::try_from(previous.span.end.checked_sub(next.span.start)?).ok()?;
    match next.text.char_indices().map(|(byte, _)| byte).nth(repeated) {
        Some(bytes) => previous.text.ends_with(next.text.get(..bytes)?).then_some(bytes),
        // All of it is repeated: it reaches up to the end of the previous one, or not even that far.
        None => {
            let start = previous
                .text
                .chars()
                .rev()
                .take(repeated)
                .map(char::len_utf8)
                .sum::<usize>();
            let from_start_of_next = previous.text.get(previous.text.len() - start..)?;
            from_start_of_next.starts_with(next.text).then_some(next.text.len())
        }
    }
}

/// Chosen nodes of one document at consecutive positions.
struct Run<'run> {
    members: Vec<Member<'run>>,
}

#[derive(Clone, Copy)]
struct Member<'run> {
    /// 0 for the best of the chosen nodes.
    rank: usize,
    place: usize,
    candidate: &'run Candidate<'run>,
}

impl Run<'_> {
    fn best(&self) -> Option<&Member<'_>> {
        self.members.iter().min_by_key(|member| member.rank)
    }

    fn best_rank(&self) -> usize {
        self.best().map_or(usize::MAX, |member| member.rank)
    }

    fn passage(&self, number: u32) -> Passage {
        let mut text = String::new();
        let mut last: Option<&Candidate<'_>> = None;
        for Member { candidate, .. } in &self.members {
            let repeated = last.map_or(Some(0), |last| repeated_bytes(last, candidate));
            if repeated.is_none() {
                text.push('\n');
            }
            text.push_str(candidate.text.get(repeated.unwrap_or(0)..).unwrap_or(""));
            if last.is_none_or(|last| candidate.span.end >= last.span.end) {
                last = Some(candidate);
            }
        }
        Passage {
            number,
            members: self.members.iter().map(|member| member.place).collect(),
            source: self
                .best()
                .map_or_else(String::new, |member| member.candidate.source.clone()),
            text,
        }
    }
}

fn runs<'run>(candidates: &'run [Candidate<'run>], nodes: &[usize]) -> Vec<Run<'run>> {
    let mut documents: HashMap<&DocumentId, BTreeMap<u32, Member<'_>>> = HashMap::new();
    for (rank, place) in nodes.iter().copied().enumerate() {
        if let Some(candidate) = candidates.get(place) {
            let member = Member { rank, place, candidate };
            documents
                .entry(candidate.document_id)
                .or_default()
                .insert(candidate.position, member);
        }
    }
    documents
        .into_values()
        .flat_map(|members| {
            let members: Vec<Member<'_>> = members.into_values().collect();
            members
                .chunk_by(|left, right| left.candidate.position.checked_add(1) == Some(right.candidate.position))
                .map(|run| Run { members: run.to_vec() })
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests;
