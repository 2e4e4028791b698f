//! Counting tokens: with the embedding model's own tokenizer, or by an estimate.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use tokenizers::Tokenizer;

/// Bytes of a word that are estimated to be one token.
const ESTIMATED_TOKEN_BYTES: usize = 3;

/// Counts the tokens of a text, special tokens excluded. Cheap to clone.
#[derive(Clone)]
pub struct TokenCounter(Source);

#[derive(Clone)]
enum Source {
    Tokenizer(Arc<Tokenizer>),
    Estimate,
}

impl TokenCounter {
    /// Counts with the model's tokenizer, which must neither truncate nor pad. A text that it cannot encode is
    /// estimated.
    pub fn exact(tokenizer: Arc<Tokenizer>) -> Self {
        Self(Source::Tokenizer(tokenizer))
    }

    /// Estimates, for models whose tokenizer is unknown: a token for every three bytes of a word's letters, rounded up,
    /// and one for every digit, mark or symbol (two for those of four bytes). That is one token for a Chinese
    /// character, and about half as many again as common tokenizers count for English, so that a passage that seems to
    /// fit does fit.
    pub fn estimate() -> Self {
        Self(Source::Estimate)
    }

    /// Number of tokens of the text.
    pub fn count(&self, text: &str) -> usize {
        match &self.0 {
            Source::Tokenizer(tokenizer) => match tokenizer.encode_fast(text, false) {
                Ok(encoding) => encoding.len(),
                Err(_) => estimated_spans(text).len(),
            },
            Source::Estimate => estimated_spans(text).len(),
        }
    }

    /// Where the tokens of the text stand, as byte ranges.
    pub(super) fn spans(&self, text: &str) -> Vec<Range<usize>> {
        match &self.0 {
            Source::Tokenizer(tokenizer) => match tokenizer.encode(text, false) {
                Ok(encoding) => encoding.get_offsets().iter().map(|(start, end)| *start..*end).collect(),
                Err(_) => estimated_spans(text),
            },
            Source::Estimate => estimated_spans(text),
        }
    }
}

impl fmt::Debug for TokenCounter {
    /// Without the vocabulary.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match &self.0 {
            Source::Tokenizer(_) => "TokenCounter::exact",
            Source::Estimate => "TokenCounter::estimate",
        })
    }
}

fn estimated_spans(text: &str) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    let mut in_word = false;
    for (start, character) in text.char_indices() {
        let end = start + character.len_utf8();
        if character.is_whitespace() {
            in_word = false;
            continue;
        }
        match spans
            .last_mut()
            .filter(|last| in_word && end - last.start <= ESTIMATED_TOKEN_BYTES)
        {
            Some(last) if character.is_alphabetic() => last.end = end,
            _ => {
                spans.push(start..end);
                if character.len_utf8() > ESTIMATED_TOKEN_BYTES {
                    spans.push(start..end);
                }
            }
        }
        in_word = character.is_alphabetic();
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_counts_letters_by_three_bytes_and_everything_else_alone() {
        let cases = [
            ("", 0),
            (" \n\t", 0),
            ("a", 1),
            ("abc", 1),
            ("abcd", 2),
            ("abc def", 2),
            ("2024", 4),
            ("a+b=c;", 6),
            ("日本語", 3),
            ("привет", 6),
            ("🙂", 2),
        ];
        for (text, expected) in cases {
            assert_eq!(TokenCounter::estimate().count(text), expected, "{text:?}");
        }
    }
}
