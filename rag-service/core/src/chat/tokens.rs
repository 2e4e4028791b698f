//! Counting tokens the way the chat model does, or nearly so.

use std::fmt;
use std::sync::Arc;

use tokenizers::Tokenizer;

/// Tokens that a chat template puts around each message (its start and end mark, the role, a line break), after the three
/// or four that OpenAI documents for its own models.
pub const MESSAGE_OVERHEAD_TOKENS: usize = 4;

/// More bytes than any token has, but for long runs of blanks.
const LONGEST_TOKEN_BYTES: usize = 128;

/// Counts the tokens of a text as the chat model reads it, special tokens excluded. Cheap to clone.
#[derive(Clone)]
pub struct ChatTokenCounter(Source);

#[derive(Clone)]
enum Source {
    O200k,
    Tokenizer(Arc<Tokenizer>),
}

impl ChatTokenCounter {
    /// Counts with OpenAI's o200k vocabulary, which is compiled in. Text that looks like a special token, such as
    /// `<|endoftext|>`, counts as the text it is.
    pub fn o200k() -> Self {
        Self(Source::O200k)
    }

    /// Counts with the model's own tokenizer, which must neither truncate nor pad. A text that it cannot encode is counted
    /// with o200k.
    pub fn from_tokenizer(tokenizer: Arc<Tokenizer>) -> Self {
        Self(Source::Tokenizer(tokenizer))
    }

    /// Number of tokens of the text.
    pub fn count(&self, text: &str) -> usize {
        match &self.0 {
            Source::O200k => bpe_openai::o200k_base().count(text),
            Source::Tokenizer(tokenizer) => match tokenizer.encode_fast(text, false) {
                Ok(encoding) => encoding.len(),
                Err(_) => bpe_openai::o200k_base().count(text),
            },
        }
    }

    /// Number of tokens when there are at most `limit`. A text far beyond the limit is given up early, by o200k while it
    /// is read, by a model's own tokenizer for its length alone.
    pub fn count_up_to(&self, text: &str, limit: usize) -> Option<usize> {
        match &self.0 {
            Source::O200k => {
                let encoding = bpe_openai::o200k_base();
                encoding.count_till_limit(&encoding.normalize(text), limit)
            }
            Source::Tokenizer(_) if text.len() / LONGEST_TOKEN_BYTES > limit => None,
            Source::Tokenizer(_) => Some(self.count(text)).filter(|tokens| *tokens <= limit),
        }
    }
}

impl fmt::Debug for ChatTokenCounter {
    /// Without the vocabulary.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match &self.0 {
            Source::O200k => "ChatTokenCounter::o200k",
            Source::Tokenizer(_) => "ChatTokenCounter::from_tokenizer",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokenizers::models::wordlevel::WordLevel;
    use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;

    use super::*;

    /// One token for each word.
    fn words() -> ChatTokenCounter {
        let model = WordLevel::builder()
            .vocab([("[UNK]".to_owned(), 0)].into_iter().collect())
            .unk_token("[UNK]".to_owned())
            .build()
            .unwrap();
        let mut tokenizer = Tokenizer::new(model);
        tokenizer.with_pre_tokenizer(Some(WhitespaceSplit));
        ChatTokenCounter::from_tokenizer(Arc::new(tokenizer))
    }

    #[test]
    fn o200k_counts_as_openai_does() {
        let cases = [
            ("", 0),
            ("hello world", 2),
            ("tiktoken is great!", 6),
            ("antidisestablishmentarianism", 6),
            ("2 + 2 = 4", 7),
            ("お誕生日おめでとう", 8),
        ];
        for (text, expected) in cases {
            assert_eq!(ChatTokenCounter::o200k().count(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_mark_of_a_special_token_is_ordinary_text() {
        assert!(ChatTokenCounter::o200k().count("<|endoftext|>") > 1);
    }

    #[test]
    fn a_model_of_its_own_is_counted_with_its_tokenizer() {
        assert_eq!(words().count("three short words"), 3);
        assert_eq!(words().count_up_to("three short words", 3), Some(3));
        assert_eq!(words().count_up_to("three short words", 2), None);
    }

    #[test]
    fn a_message_costs_more_than_its_text() {}

    proptest! {
        #[test]
        fn counting_up_to_a_limit_agrees_with_counting(text in ".{0,200}", limit in 0_usize..80) {
            let counter = ChatTokenCounter::o200k();
            let tokens = counter.count(&text);
            prop_assert_eq!(counter.count_up_to(&text, limit), Some(tokens).filter(|tokens| *tokens <= limit));
        }
    }
}
