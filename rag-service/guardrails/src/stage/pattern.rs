//! Patterns of the policy's author.
//!
//! Patterns that a stream can follow become a [`SpanStage`]. The rest is here: those that must match the complete text,
//! that must occur, that match without a character, and that need a backtracking engine.

use std::sync::Arc;

use super::spans::{REDACTED, Replacement, SpanStage, detector};
use super::{Check, Finding};
use crate::python_regex::translate;
use crate::span::{CompileError, PATTERN_SIZE_LIMIT, Span, SpanScanner, merged};
use crate::streamability::NotStreamable;

/// How many steps a backtracking pattern may take for one search. Beyond that it counts as a hit.
const BACKTRACK_LIMIT: usize = 1_000_000;

/// Where a pattern has to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MatchType {
    /// Anywhere.
    Search,
    /// From the first character to the last.
    FullMatch,
}

/// Patterns whose answer depends on the whole text.
#[derive(Clone, Debug)]
pub(crate) struct PatternStage {
    patterns: Vec<Pattern>,
    match_type: MatchType,
    is_blocked: bool,
    /// Of several, the first.
    obstacle: NotStreamable,
}

#[derive(Clone, Debug)]
enum Pattern {
    Linear(regex::Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

/// Why a pattern can not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PatternError {
    #[error("patterns[{0}] is too large")]
    TooLarge(usize),
    #[error("patterns[{0}] is not a valid regular expression")]
    Invalid(usize),
}

/// Makes a check of patterns in Python's syntax: one that a stream can follow if that is possible.
pub(crate) fn compile_patterns(
    patterns: &[String],
    match_type: MatchType,
    is_blocked: bool,
) -> Result<Check, PatternError> {
    let sources: Vec<String> = patterns.iter().map(|pattern| translate(pattern)).collect();
    let compiled: Vec<Pattern> = sources
        .iter()
        .enumerate()
        .map(|(place, source)| Pattern::new(place, source, match_type))
        .collect::<Result<_, _>>()?;
    let obstacle = if match_type == MatchType::FullMatch {
        NotStreamable::FullMatch
    } else if !is_blocked {
        NotStreamable::RequiredPattern
    } else if let Some(place) = compiled
        .iter()
        .position(|pattern| matches!(pattern, Pattern::Backtracking(_)))
    {
        NotStreamable::Backtracking(place)
    } else if let Some(place) = sources.iter().position(|source| matches_empty(source)) {
        NotStreamable::EmptyMatch(place)
    } else {
        let detectors = sources.into_iter().map(|source| detector("pattern", source)).collect();
        match SpanScanner::new(detectors) {
            Ok(scanner) => {
                return Ok(Check::Spans(SpanStage {
                    scanner: Arc::new(scanner),
                    replacement: Replacement::Fixed(REDACTED),
                }));
            }
            Err(CompileError::Pattern { .. } | CompileError::Horizon(_) | CompileError::Keywords(_)) => {
                NotStreamable::TooLarge
            }
        }
    };
    Ok(Check::Patterns(PatternStage {
        patterns: compiled,
        match_type,
        is_blocked,
        obstacle,
    }))
}

/// Whether the pattern can match without a character. One that can not be parsed is taken for one that can.
fn matches_empty(source: &str) -> bool {
    regex_syntax::parse(source).map_or(true, |hir| hir.properties().minimum_len() == Some(0))
}

impl Pattern {
    fn new(place: usize, source: &str, match_type: MatchType) -> Result<Self, PatternError> {
        let source = match match_type {
            MatchType::Search => source.to_owned(),
            MatchType::FullMatch => format!(r"\A(?:{source})\z"),
        };
        match regex::RegexBuilder::new(&source).size_limit(PATTERN_SIZE_LIMIT).build() {
            Ok(regex) => Ok(Self::Linear(regex)),
            Err(regex::Error::CompiledTooBig(_)) => Err(PatternError::TooLarge(place)),
            Err(_) => fancy_regex::RegexBuilder::new(&source)
                .backtrack_limit(BACKTRACK_LIMIT)
                .delegate_size_limit(PATTERN_SIZE_LIMIT)
                .build()
                .map(|regex| Self::Backtracking(Box::new(regex)))
                .map_err(|_| PatternError::Invalid(place)),
        }
    }

    /// All matches, or `None` if the search was given up.
    fn find(&self, text: &str) -> Option<Vec<Span>> {
        let span = |range| Span { range, label: None };
        match self {
            Self::Linear(regex) => Some(regex.find_iter(text).map(|matched| span(matched.range())).collect()),
            Self::Backtracking(regex) => regex
                .find_iter(text)
                .map(|matched| matched.map(|matched| span(matched.range())))
                .collect::<Result<_, _>>()
                .ok(),
        }
    }

    /// Whether it matches at all, or `None` if the search was given up.
    fn is_match(&self, text: &str) -> Option<bool> {
        match self {
            Self::Linear(regex) => Some(regex.is_match(text)),
            Self::Backtracking(regex) => regex.is_match(text).ok(),
        }
    }
}

impl PatternStage {
    pub(crate) fn run(&self, text: &str) -> Option<Finding> {
        if !self.is_blocked {
            let matched = self.patterns.iter().any(|pattern| pattern.is_match(text) == Some(true));
            return (!matched).then(|| Finding {
                text: text.to_owned(),
                count: 1,
            });
        }
        if self.match_type == MatchType::FullMatch {
            let matched = self
                .patterns
                .iter()
                .any(|pattern| pattern.is_match(text) != Some(false));
            return matched.then(redacted_entirely);
        }
        let mut spans = Vec::new();
        for pattern in &self.patterns {
            match pattern.find(text) {
                Some(found) => spans.extend(found),
                None => return Some(redacted_entirely()),
            }
        }
        if spans.iter().any(|span| !span.range.is_empty()) {
            spans.retain(|span| !span.range.is_empty());
        } else {
            spans.truncate(1);
        }
        let spans = merged(spans);
        (!spans.is_empty()).then(|| Finding {
            text: rendered(text, &spans),
            count: spans.len(),
        })
    }

    /// Whether it hits when something is missing, rather than when something is there.
    pub(crate) fn demands_a_match(&self) -> bool {
        !self.is_blocked
    }

    pub(crate) fn obstacle(&self) -> NotStreamable {
        self.obstacle.clone()
    }
}

fn redacted_entirely() -> Finding {
    Finding {
        text: REDACTED.to_owned(),
        count: 1,
    }
}

fn rendered(text: &str, spans: &[Span]) -> String {
    let mut output = String::with_capacity(text.len());
    let mut position = 0;
    for span in spans {
        output.push_str(text.get(position..span.range.start).unwrap_or_default());
        output.push_str(REDACTED);
        position = span.range.end;
    }
    output.push_str(text.get(position..).unwrap_or_default());
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Stage;
    use crate::verdict::{Action, ScannerType};

    fn stage(patterns: &[&str], match_type: MatchType, is_blocked: bool) -> Stage {
        let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        Stage {
            scanner: ScannerType::Regex,
            action: Action::Redact,
            check: compile_patterns(&patterns, match_type, is_blocked).unwrap(),
        }
    }

    fn search(patterns: &[&str], text: &str) -> Option<(String, usize)> {
        let finding = stage(patterns, MatchType::Search, true).run(text)?;
        Some((finding.text, finding.count))
    }

    fn hit(text: &str, count: usize) -> Option<(String, usize)> {
        Some((text.to_owned(), count))
    }

    #[test]
    fn every_occurrence_of_every_pattern_is_replaced() {
        assert_eq!(
            search(&["b+", "a"], "a bb c a"),
            hit("[REDACTED] [REDACTED] c [REDACTED]", 3)
        );
        assert_eq!(search(&["abc", "bcd"], "abcd"), hit("[REDACTED]", 1));
        assert_eq!(search(&["x"], "abcd"), None);
    }

    #[test]
    fn look_around_and_back_references_work_on_whole_texts() {
        assert_eq!(
            search(&[r"(?<=pin: )\d+"], "pin: 12, 34"),
            hit("pin: [REDACTED], 34", 1)
        );
        assert_eq!(search(&[r"(\w)\1"], "a bb c"), hit("a [REDACTED] c", 1));
        assert_eq!(search(&["^(?!.*approved)"], "not yet"), hit("[REDACTED]not yet", 1));
        assert_eq!(search(&["^(?!.*approved)"], "approved"), None);
    }

    #[test]
    fn a_search_that_is_given_up_is_a_hit() {
        let text = format!("{}!", "a".repeat(4000));
        assert_eq!(search(&[r"(?=a)(a+)+\1b$(?<!z)"], &text), hit("[REDACTED]", 1));
        let required = stage(&[r"(?=a)(a+)+\1b$(?<!z)"], MatchType::Search, false);
        assert!(required.run(&text).is_some());
    }

    #[test]
    fn a_full_match_takes_the_whole_text() {
        let stage = stage(&["a+", "(?x) b # c"], MatchType::FullMatch, true);
        assert_eq!(stage.run("aaa").unwrap().text, "[REDACTED]");
        assert_eq!(stage.run("b").unwrap().text, "[REDACTED]");
        assert_eq!(stage.run("aab"), None);
    }

    #[test]
    fn what_is_required_hits_when_it_is_missing() {
        let stage = stage(&["yes", "no"], MatchType::Search, false);
        assert_eq!(stage.run("oh no"), None);
        assert_eq!(stage.run("maybe").unwrap().text, "maybe");
    }

    #[test]
    fn a_pattern_is_compiled_for_streams_when_that_is_possible() {
        let obstacle = |patterns: &[&str], match_type, is_blocked| stage(patterns, match_type, is_blocked).obstacle();
        assert_eq!(obstacle(&[r"\bsk-\w{20,}"], MatchType::Search, true), None);
        assert_eq!(
            obstacle(&["a", "(?=b)c"], MatchType::Search, true),
            Some(NotStreamable::Backtracking(1))
        );
        assert_eq!(
            obstacle(&["a", "b*"], MatchType::Search, true),
            Some(NotStreamable::EmptyMatch(1))
        );
        assert_eq!(
            obstacle(&["a"], MatchType::FullMatch, true),
            Some(NotStreamable::FullMatch)
        );
        assert_eq!(
            obstacle(&["a"], MatchType::Search, false),
            Some(NotStreamable::RequiredPattern)
        );
    }

    #[test]
    fn unusable_patterns_are_refused() {
        let compile = |pattern: &str| compile_patterns(&[pattern.to_owned()], MatchType::Search, true);
        assert!(matches!(compile("(unclosed"), Err(PatternError::Invalid(0))));
        assert!(matches!(compile(r"(?:\w{1000}){1000}"), Err(PatternError::TooLarge(0))));
    }
}
