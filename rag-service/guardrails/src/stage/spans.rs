//! The scanners that find spans: banned words, patterns, invisible characters, secrets and personal data.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use md5::{Digest, Md5};

use super::{Finding, Memory};
use crate::detector::Detector;
use crate::sensitive::Entity;
use crate::span::{CompileError, Span, SpanScanner, merged};

/// Stands in for what a pattern or a list of words names.
pub(crate) const REDACTED: &str = "[REDACTED]";
/// Stands in for a secret.
const ASTERISKS: &str = "******";
/// A shorter secret shows nothing of itself.
const LEAST_PARTIAL_CHARACTERS: usize = 8;
/// Encloses the digest of a secret. Bare and behind an assignment, or together with what follows it, it would look like
/// a secret itself.
const DIGEST_MARKS: (&str, &str) = ("[md5-", "]");

/// Spans and what stands in for them.
#[derive(Clone, Debug)]
pub(crate) struct SpanStage {
    pub(crate) scanner: Arc<SpanScanner>,
    pub(crate) replacement: Replacement,
}

/// What stands in for a span without a label of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replacement {
    Fixed(&'static str),
    /// Something made from the secret, which is then replaced wherever it occurs.
    Secret(SecretMode),
}

/// How much of a secret remains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecretMode {
    /// Nothing.
    All,
    /// The first and the last two characters.
    Partial,
    /// Its MD5 digest.
    Hash,
}

impl SpanStage {
    pub(crate) fn run(&self, text: &str) -> Option<Finding> {
        let mut spans = self.scanner.find_all(text).spans;
        if spans.is_empty() {
            return None;
        }
        if matches!(self.replacement, Replacement::Secret(_)) {
            let mut memory = Memory::of_a_text();
            memory.remember(&spans, text);
            spans.extend(memory.occurrences(text, 0));
        }
        let spans = merged(spans);
        Some(Finding {
            text: self.rendered(text, 0, text.len(), &spans),
            count: spans.len(),
        })
    }

    pub(crate) fn run_if_all_are_present(&self, text: &str) -> Option<Finding> {
        if self.scanner.all_are_present(text) {
            self.run(text)
        } else {
            None
        }
    }

    /// The part of `text` between two bytes with all spans in it replaced, which are sorted and do not overlap.
    pub(crate) fn rendered(&self, text: &str, from: usize, to: usize, spans: &[Span]) -> String {
        let slice = |start: usize, end: usize| text.get(start..end).unwrap_or_default();
        let mut output = String::with_capacity(to.saturating_sub(from));
        let mut position = from;
        for span in spans {
            output.push_str(slice(position, span.range.start));
            match span.label {
                Some(label) => output.push_str(label),
                None => output.push_str(&self.replacement.of(slice(span.range.start, span.range.end))),
            }
            position = span.range.end;
        }
        output.push_str(slice(position, to));
        output
    }
}

impl Replacement {
    fn of(self, value: &str) -> Cow<'static, str> {
        match self {
            Self::Fixed(text) => Cow::Borrowed(text),
            Self::Secret(SecretMode::All) => Cow::Borrowed(ASTERISKS),
            Self::Secret(SecretMode::Partial) => {
                let characters: Vec<char> = value.chars().collect();
                match characters.as_slice() {
                    [first, second, .., last_but_one, last] if characters.len() >= LEAST_PARTIAL_CHARACTERS => {
                        Cow::Owned(format!("{first}{second}..{last_but_one}{last}"))
                    }
                    _ => Cow::Borrowed(ASTERISKS),
                }
            }
            Self::Secret(SecretMode::Hash) => {
                let (before, behind) = DIGEST_MARKS;
                Cow::Owned(format!("{before}{:x}{behind}", Md5::digest(value)))
            }
        }
    }
}

/// Words and phrases: alone between word boundaries, or anywhere.
pub(crate) struct BannedSubstrings<'list> {
    pub(crate) substrings: &'list [String],
    pub(crate) whole_words: bool,
    pub(crate) case_sensitive: bool,
}

pub(crate) fn ban_substrings(banned: &BannedSubstrings<'_>) -> Result<SpanStage, CompileError> {
    let detectors = banned.substrings.iter().map(|substring| {
        let boundary = if banned.whole_words { r"\b" } else { "" };
        let flag = if banned.case_sensitive { "" } else { "(?i)" };
        detector(
            "banned",
            format!("{flag}{boundary}{}{boundary}", regex::escape(substring)),
        )
    });
    Ok(SpanStage {
        scanner: Arc::new(SpanScanner::new(detectors.collect())?),
        replacement: Replacement::Fixed(REDACTED),
    })
}

/// Format characters, private use and unassigned code points.
pub(crate) fn invisible_text() -> Result<SpanStage, CompileError> {
    let detectors = vec![detector("invisible", r"[\p{Cf}\p{Co}\p{Cn}]".to_owned())];
    Ok(SpanStage {
        scanner: Arc::new(SpanScanner::new(detectors)?),
        replacement: Replacement::Fixed(""),
    })
}

pub(crate) fn secrets(mode: SecretMode) -> Result<SpanStage, &'static CompileError> {
    // Several hundred patterns: compiled once for all policies.
    static SCANNER: LazyLock<Result<Arc<SpanScanner>, CompileError>> =
        LazyLock::new(|| SpanScanner::new(crate::secrets::detectors().to_vec()).map(Arc::new));
    Ok(SpanStage {
        scanner: Arc::clone(SCANNER.as_ref()?),
        replacement: Replacement::Secret(mode),
    })
}

pub(crate) fn sensitive(entities: &[Entity]) -> Result<SpanStage, CompileError> {
    Ok(SpanStage {
        scanner: Arc::new(SpanScanner::new(crate::sensitive::detectors(entities))?),
        replacement: Replacement::Fixed(REDACTED),
    })
}

/// A detector that accepts whatever its pattern matches.
pub(crate) fn detector(name: &str, pattern: String) -> Detector {
    Detector {
        name: name.into(),
        pattern,
        keywords: Vec::new(),
        accept: |_| true,
        label: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_as_much_as_its_mode_says() {
        let of = |mode, value| Replacement::Secret(mode).of(value).into_owned();
        assert_eq!(of(SecretMode::All, "AKIAIOSFODNN7EXAMPLE"), "******");
        assert_eq!(of(SecretMode::Partial, "AKIAIOSFODNN7EXAMPLE"), "AK..LE");
        assert_eq!(of(SecretMode::Partial, "éa345678"), "éa..78");
        assert_eq!(of(SecretMode::Partial, "1234567"), "******");
        assert_eq!(of(SecretMode::Hash, "abc"), "[md5-900150983cd24fb0d6963f7d28e17f72]");
    }

    #[test]
    fn banned_words_and_strings_follow_their_match_type() {
        let run = |substrings: &[&str], whole_words, case_sensitive, text: &str| {
            let substrings: Vec<String> = substrings.iter().map(|word| (*word).to_owned()).collect();
            let stage = ban_substrings(&BannedSubstrings {
                substrings: &substrings,
                whole_words,
                case_sensitive,
            });
            stage.unwrap().run(text).map(|finding| (finding.text, finding.count))
        };
        let hit = |text: &str, count| Some((text.to_owned(), count));
        assert_eq!(
            run(&["cat"], true, false, "Cat concat cat."),
            hit("[REDACTED] concat [REDACTED].", 2)
        );
        assert_eq!(
            run(&["cat"], false, false, "Cat concat"),
            hit("[REDACTED] con[REDACTED]", 2)
        );
        assert_eq!(run(&["cat"], true, true, "Cat"), None);
        assert_eq!(run(&["abc", "bcd"], false, false, "xabcdx"), hit("x[REDACTED]x", 1));
        assert_eq!(run(&["c++"], true, false, "c++ c++x"), hit("c++ [REDACTED]x", 1));
        assert_eq!(run(&["a"], true, false, "a b a"), hit("[REDACTED] b [REDACTED]", 2));
        assert_eq!(
            run(&["größe"], true, false, "GRÖSSE GRÖßE"),
            hit("GRÖSSE [REDACTED]", 1)
        );
    }

    #[test]
    fn invisible_characters_are_removed() {
        let stage = invisible_text().unwrap();
        let found = stage.run("a\u{200b}b\u{e000}c\u{ad}d\u{378}").unwrap();
        assert_eq!((found.text.as_str(), found.count), ("abcd", 4));
        assert_eq!(stage.run("plain, naïve, 日本"), None);
    }

    #[test]
    fn a_secret_is_replaced_wherever_it_occurs_longest_first() {
        let stage = secrets(SecretMode::All).unwrap();
        let key = "AKIAIOSFODNN7EXAMPLQ";
        let text = format!("x{key}y then {key}. ");
        assert_eq!(stage.run(&text).unwrap().text, "x******y then ******. ");
        let many = format!("{key} ").repeat(20);
        assert_eq!(stage.run(&many).unwrap().text, "****** ".repeat(20));
    }

    #[test]
    fn every_built_in_detector_compiles_and_needs_a_character() {
        assert!(secrets(SecretMode::All).is_ok());
        for detector in crate::secrets::detectors() {
            let pattern = regex_syntax::parse(&detector.pattern).unwrap();
            assert_ne!(pattern.properties().minimum_len(), Some(0), "{}", detector.name);
        }
    }
}
