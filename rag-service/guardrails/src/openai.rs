//! A policy applied to the responses of a chat API: complete ones, streams of chunks, and the passages beside them.
//!
//! Everything a client could read is scanned: the answer, reasoning, refusals, the names and arguments of tool calls,
//! and fields this program does not know. What would spell the text out again, like log-probabilities, goes with it,
//! and what spells out the prompt never comes through.

mod channel;
mod choice;
mod chunk;
mod response;
mod scan;
mod sources;
mod stream_guard;
#[cfg(test)]
pub(crate) mod tests;

pub use response::guard_response;
pub use sources::guard_sources;
pub use stream_guard::StreamGuard;

use crate::verdict::{Action, Outcome, ScannerHit};

/// What a policy did to a response, for metrics and the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardReport {
    /// The choices in which there was something to scan, in their order.
    pub choices: Vec<GuardedChoice>,
    /// What was found, one entry for each kind of scanner and action.
    pub hits: Vec<ScannerHit>,
    /// Why a stream was refused without a scanner having found something: its chunks have not the right form, or there
    /// are too many texts at once.
    pub refusal: Option<&'static str>,
}

/// What became of one choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardedChoice {
    /// Its `index`.
    pub index: u64,
    /// What became of it.
    pub outcome: Outcome,
}

impl GuardReport {
    /// The worst that became of a choice, or of what stands beside the choices.
    pub fn outcome(&self) -> Outcome {
        let refused = self.refusal.map(|_| Outcome::Blocked);
        let hits = self.hits.iter().map(|hit| match hit.action {
            Action::Redact => Outcome::Redacted,
            Action::Block => Outcome::Blocked,
        });
        let choices = self.choices.iter().map(|choice| choice.outcome);
        choices.chain(hits).chain(refused).max().unwrap_or_default()
    }
}
