//! Finding what detectors describe: spans of a text, and what stands in for them.
//!
//! What a scan finds at a place depends only on the text there: on the match itself and one character on either side.
//! A stream relies on it, see [`crate::stream`].

use std::ops::Range;

use aho_corasick::AhoCorasick;
use regex::{Regex, RegexBuilder};

use crate::detector::{Candidate, Detector};
use crate::horizon::{Horizon, HorizonError};

/// Upper bound of one compiled pattern, in bytes.
pub(crate) const PATTERN_SIZE_LIMIT: usize = 4 * 1024 * 1024;

/// A set of detectors, compiled.
#[derive(Debug)]
pub(crate) struct SpanScanner {
    detectors: Vec<Compiled>,
    keywords: Option<KeywordIndex>,
    horizon: Horizon,
}

#[derive(Debug)]
struct Compiled {
    detector: Detector,
    regex: Regex,
}

/// Which detectors a text can concern at all, by the words in it.
#[derive(Debug)]
struct KeywordIndex {
    automaton: AhoCorasick,
    /// The detector that each keyword belongs to.
    owners: Vec<usize>,
}

/// Why detectors can not be compiled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompileError {
    #[error("pattern {pattern:?} is not usable")]
    Pattern { pattern: String, source: Box<regex::Error> },
    #[error("the patterns together are too large")]
    Horizon(#[from] HorizonError),
    #[error("the keywords together are too large")]
    Keywords(#[from] aho_corasick::BuildError),
}

/// A part of the text to replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) range: Range<usize>,
    pub(crate) label: Option<&'static str>,
}

/// What a scan found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Accepted values, unordered, with overlaps.
    pub(crate) spans: Vec<Span>,
    /// All matches, accepted or not: a stream may not be cut through one, or the search behind the cut would find
    /// something else than the search in the whole text.
    pub(crate) matches: Vec<Range<usize>>,
}

impl SpanScanner {
    pub(crate) fn new(detectors: Vec<Detector>) -> Result<Self, CompileError> {
        let compiled: Vec<Compiled> = detectors
            .into_iter()
            .map(|detector| {
                let regex = RegexBuilder::new(&detector.pattern)
                    .size_limit(PATTERN_SIZE_LIMIT)
                    .build()
                    .map_err(|source| CompileError::Pattern {
                        pattern: detector.pattern.clone(),
                        source: Box::new(source),
                    })?;
                Ok(Compiled { detector, regex })
            })
            .collect::<Result<_, CompileError>>()?;
        let horizon = Horizon::new(compiled.iter().map(|compiled| compiled.detector.pattern.as_str()))?;
        let keywords = KeywordIndex::new(&compiled)?;
        Ok(Self {
            detectors: compiled,
            keywords,
            horizon,
        })
    }

    /// Where a stream of text has to wait.
    pub(crate) fn horizon(&self) -> &Horizon {
        &self.horizon
    }

    /// What lies in `text` from byte `from` and begins before byte `before`; the text in front of `from` is only looked
    /// at for word boundaries and the like.
    pub(crate) fn find(&self, text: &str, from: usize, before: usize) -> Found {
        let mut found = Found::default();
        let worthwhile = self
            .keywords
            .as_ref()
            .map(|index| index.worthwhile(text, self.detectors.len()));
        for (place, compiled) in self.detectors.iter().enumerate() {
            let skipped = worthwhile
                .as_ref()
                .is_some_and(|worthwhile| worthwhile.get(place) == Some(&false));
            if !skipped {
                compiled.find(text, from, before, &mut found);
            }
        }
        found
    }

    /// Whether every detector finds something that begins anywhere in `text`.
    pub(crate) fn all_are_present(&self, text: &str) -> bool {
        self.detectors.iter().all(|compiled| {
            let mut found = Found::default();
            compiled.find(text, 0, text.len() + 1, &mut found);
            !found.spans.is_empty()
        })
    }

    /// Everything that lies in `text`.
    pub(crate) fn find_all(&self, text: &str) -> Found {
        self.find(text, 0, text.len() + 1)
    }
}

impl KeywordIndex {
    fn new(detectors: &[Compiled]) -> Result<Option<Self>, aho_corasick::BuildError> {
        let (owners, keywords): (Vec<usize>, Vec<&str>) = detectors
            .iter()
            .enumerate()
            .flat_map(|(place, compiled)| {
                compiled
                    .detector
                    .keywords
                    .iter()
                    .map(move |word| (place, word.as_str()))
            })
            .unzip();
        if owners.is_empty() {
            return Ok(None);
        }
        let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(keywords)?;
        Ok(Some(Self { automaton, owners }))
    }

    fn worthwhile(&self, text: &str, detectors: usize) -> Vec<bool> {
        let mut worthwhile = vec![true; detectors];
        for owner in &self.owners {
            if let Some(entry) = worthwhile.get_mut(*owner) {
                *entry = false;
            }
        }
        for keyword in self.automaton.find_overlapping_iter(text) {
            let owner = self.owners.get(keyword.pattern().as_usize());
            if let Some(entry) = owner.and_then(|owner| worthwhile.get_mut(*owner)) {
                *entry = true;
            }
        }
        worthwhile
    }
}

impl Compiled {
    fn find(&self, text: &str, from: usize, before: usize, found: &mut Found) {
        let mut position = from;
        let mut locations = self.regex.capture_locations();
        while position <= text.len() {
            let Some(matched) = self.regex.captures_read_at(&mut locations, text, position) else {
                break;
            };
            let matched = matched.range();
            if matched.start >= before {
                break;
            }
            position = if matched.is_empty() {
                next_boundary(text, matched.end)
            } else {
                matched.end
            };
            found.matches.push(matched.clone());
            if !self.has_keyword(text.get(matched.clone()).unwrap_or_default()) {
                continue;
            }
            let groups = (1..locations.len())
                .filter_map(|group| locations.get(group))
                .map(|(start, end)| start..end);
            let whole = (locations.len() == 1).then(|| matched.clone());
            let values = groups.filter(|group| !group.is_empty()).chain(whole);
            found.spans.extend(values.filter_map(|range| {
                let candidate = Candidate {
                    value: text.get(range.clone()).unwrap_or_default(),
                    text,
                    range: range.clone(),
                    matched: matched.clone(),
                };
                (self.detector.accept)(&candidate).then_some(Span {
                    range,
                    label: self.detector.label,
                })
            }));
        }
    }

    /// Whether the keyword that made this detector run is part of the match. What else the text says must not decide
    /// about a match, for a stream has forgotten it.
    fn has_keyword(&self, matched: &str) -> bool {
        let keywords = &self.detector.keywords;
        keywords.is_empty()
            || keywords.iter().any(|keyword| {
                matched
                    .as_bytes()
                    .windows(keyword.len().max(1))
                    .any(|window| window.eq_ignore_ascii_case(keyword.as_bytes()))
            })
    }
}

fn next_boundary(text: &str, position: usize) -> usize {
    let length = text
        .get(position..)
        .and_then(|rest| rest.chars().next())
        .map_or(1, char::len_utf8);
    position + length
}

/// Joins what overlaps: each result has the label of the span that begins first, the longest of those, and of equals
/// the first in the list. Nothing that a detector found stays visible because another found something beside it.
pub(crate) fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by(|left, right| {
        left.range
            .start
            .cmp(&right.range.start)
            .then(right.range.end.cmp(&left.range.end))
    });
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.range.start < last.range.end => last.range.end = last.range.end.max(span.range.end),
            _ => joined.push(span),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detector(pattern: &str, keywords: &[&str], label: Option<&'static str>) -> Detector {
        Detector {
            name: "test".into(),
            pattern: pattern.to_owned(),
            keywords: keywords.iter().map(|word| (*word).to_owned()).collect(),
            accept: |_| true,
            label,
        }
    }

    fn values(detectors: Vec<Detector>, text: &str) -> Vec<String> {
        let scanner = SpanScanner::new(detectors).unwrap();
        merged(scanner.find_all(text).spans)
            .into_iter()
            .map(|span| text[span.range].to_owned())
            .collect()
    }

    #[test]
    fn groups_are_the_values_and_the_match_is_it_without_groups() {
        assert_eq!(
            values(vec![detector("k=(a+)|(b+)", &[], None)], "k=aa bb"),
            ["aa", "bb"]
        );
        assert_eq!(values(vec![detector("k=a+", &[], None)], "k=aa"), ["k=aa"]);
        assert_eq!(values(vec![detector("k=(?:(a)|(x*))", &[], None)], "k=a k="), ["a"]);
    }

    #[test]
    fn a_keyword_counts_only_inside_of_the_match() {
        let keyed = || vec![detector("[a-z]+=[0-9]+", &["key"], None)];
        assert_eq!(values(keyed(), "KEY=1"), Vec::<String>::new());
        assert_eq!(
            values(vec![detector("(?i)[a-z]+=[0-9]+", &["key"], None)], "myKey=1"),
            ["myKey=1"]
        );
        assert_eq!(values(keyed(), "key a=1"), Vec::<String>::new());
        assert_eq!(values(keyed(), "a=1 monkey=2"), ["monkey=2"]);
    }

    #[test]
    fn overlapping_spans_become_one_with_the_label_of_the_first_and_longest() {
        let spans = |ranges: &[(usize, usize, &'static str)]| {
            ranges
                .iter()
                .map(|(start, end, label)| Span {
                    range: *start..*end,
                    label: Some(label),
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(
            merged(spans(&[
                (5, 9, "late"),
                (0, 3, "short"),
                (0, 6, "long"),
                (9, 10, "next")
            ])),
            spans(&[(0, 9, "long"), (9, 10, "next")])
        );
        assert_eq!(
            merged(spans(&[(1, 2, "first"), (1, 2, "second")])),
            spans(&[(1, 2, "first")])
        );
    }

    #[test]
    fn the_text_before_the_start_serves_as_context_only() {
        let scanner = SpanScanner::new(vec![detector(r"\bcat\b", &[], None)]).unwrap();
        assert!(scanner.find("xcat ", 1, 6).spans.is_empty());
        assert_eq!(scanner.find(" cat ", 1, 6).spans.len(), 1);
        assert!(scanner.find(" cat ", 1, 1).spans.is_empty());
    }
}
