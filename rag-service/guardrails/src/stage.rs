//! One scanner of a policy, ready to run.
//!
//! A stage takes a text and says whether it hits, and what the text becomes. Stages whose answer at a place depends
//! only on the text around it are [`Check::Spans`]; they run on streams too, see [`crate::stream`].

mod json;
mod memory;
mod pattern;
mod reading_time;
mod spans;
mod token_limit;

pub(crate) use json::JsonCheck;
pub(crate) use memory::Memory;
pub(crate) use pattern::{MatchType, PatternStage, compile_patterns};
pub(crate) use reading_time::ReadingTime;
pub(crate) use spans::{
    BannedSubstrings, Replacement, SecretMode, SpanStage, ban_substrings, invisible_text, secrets, sensitive,
};
pub(crate) use token_limit::{Encoding, TokenLimit};

use crate::streamability::NotStreamable;
use crate::verdict::{Action, ScannerType};

/// One scanner of a policy.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) scanner: ScannerType,
    pub(crate) action: Action,
    pub(crate) check: Check,
}

/// What a stage looks at.
#[derive(Clone, Debug)]
pub(crate) enum Check {
    /// Spans of the text, each decided by the text around it.
    Spans(SpanStage),
    /// Spans that count only if every detector finds one.
    AllSpans(SpanStage),
    /// Patterns whose answer depends on the whole text.
    Patterns(PatternStage),
    Json(JsonCheck),
    ReadingTime(ReadingTime),
    TokenLimit(TokenLimit),
}

/// What a stage found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The text as `redact` leaves it.
    pub(crate) text: String,
    /// How many places it concerns.
    pub(crate) count: usize,
}

/// Which text it is that a policy looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The answer itself.
    Answer,
    /// Any other text of a response, like reasoning or the arguments of a tool call: demands on the form and the length
    /// of the answer do not concern it.
    Fragment,
}

impl Stage {
    /// Looks at a whole text; `None` if nothing is wrong with it.
    pub(crate) fn run(&self, text: &str) -> Option<Finding> {
        match &self.check {
            Check::Spans(spans) => spans.run(text),
            Check::AllSpans(spans) => spans.run_if_all_are_present(text),
            Check::Patterns(patterns) => patterns.run(text),
            Check::Json(json) => json.run(text),
            Check::ReadingTime(reading_time) => reading_time.run(text),
            Check::TokenLimit(token_limit) => token_limit.run(text),
        }
    }

    pub(crate) fn concerns(&self, scope: Scope) -> bool {
        match &self.check {
            Check::Spans(_) | Check::AllSpans(_) => true,
            Check::Patterns(patterns) => scope == Scope::Answer || !patterns.demands_a_match(),
            Check::Json(_) | Check::ReadingTime(_) | Check::TokenLimit(_) => scope == Scope::Answer,
        }
    }

    /// Why the stage can not run on a stream.
    pub(crate) fn obstacle(&self) -> Option<NotStreamable> {
        match &self.check {
            Check::Spans(_) => None,
            Check::AllSpans(_) => Some(NotStreamable::ContainsAll),
            Check::Patterns(patterns) => Some(patterns.obstacle()),
            Check::Json(_) | Check::ReadingTime(_) | Check::TokenLimit(_) => Some(NotStreamable::Scanner(self.scanner)),
        }
    }
}
