//! How many tokens an answer has.

use bpe_openai::Tokenizer;

use super::Finding;

/// A limit of the number of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenLimit {
    /// A text of this many tokens hits.
    pub(crate) limit: usize,
    pub(crate) encoding: Encoding,
}

/// A vocabulary that is part of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Cl100kBase,
    O200kBase,
}

impl Encoding {
    /// The names that are known, for messages.
    pub(crate) const NAMES: &str = "cl100k_base, o200k_base";

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "cl100k_base" => Some(Self::Cl100kBase),
            // The two differ in special tokens only, and those are ordinary text in an answer.
            "o200k_base" | "o200k_harmony" => Some(Self::O200kBase),
            _ => None,
        }
    }

    /// The encoding of a model of OpenAI's.
    pub(crate) fn of_model(model: &str) -> Option<Self> {
        const O200K: [&str; 9] = [
            "gpt-4o",
            "chatgpt-4o",
            "gpt-4.1",
            "gpt-4.5",
            "gpt-5",
            "gpt-oss",
            "o1",
            "o3",
            "o4",
        ];
        const CL100K: [&str; 5] = [
            "gpt-4",
            "gpt-3.5",
            "gpt-35",
            "text-embedding-3",
            "text-embedding-ada-002",
        ];
        let model = model.to_ascii_lowercase();
        let model = model.strip_prefix("ft:").unwrap_or(&model);
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| model.starts_with(prefix));
        if starts(&O200K) {
            Some(Self::O200kBase)
        } else if starts(&CL100K) {
            Some(Self::Cl100kBase)
        } else {
            None
        }
    }

    fn tokenizer(self) -> &'static Tokenizer {
        match self {
            Self::Cl100kBase => bpe_openai::cl100k_base(),
            Self::O200kBase => bpe_openai::o200k_base(),
        }
    }
}

impl TokenLimit {
    pub(crate) fn run(&self, text: &str) -> Option<Finding> {
        let tokenizer = self.encoding.tokenizer();
        let tokens = tokenizer.encode(text);
        let kept = tokens.get(..self.limit)?;
        // The text of the first tokens is the beginning of the text; a character cut in the middle is left out.
        let mut end = tokenizer.bpe.decode_tokens(kept).len().min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Some(Finding {
            text: text.get(..end).unwrap_or_default().to_owned(),
            count: 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(limit: usize, encoding: Encoding, text: &str) -> Option<String> {
        TokenLimit { limit, encoding }.run(text).map(|found| found.text)
    }

    #[test]
    fn the_limit_itself_hits_and_less_does_not() {
        for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
            assert_eq!(run(1, encoding, "hello world"), Some("hello".to_owned()));
            assert_eq!(run(2, encoding, "hello world"), Some("hello world".to_owned()));
            assert_eq!(run(3, encoding, "hello world"), None);
        }
    }

    #[test]
    fn a_character_of_several_tokens_is_not_cut() {
        let text = "𓀀𓀁";
        let whole = run(1, Encoding::Cl100kBase, text).unwrap();
        assert!(text.starts_with(&whole) && whole.len() < text.len());
    }

    #[test]
    fn encodings_are_found_by_name_and_by_model() {
        assert_eq!(Encoding::from_name("O200K_base"), Some(Encoding::O200kBase));
        assert_eq!(Encoding::from_name("p50k_base"), None);
        for model in [
            "gpt-4o-mini",
            "gpt-4.1",
            "gpt-5-nano",
            "o1-mini",
            "o3",
            "o4-mini",
            "ft:gpt-4o:me",
        ] {
            assert_eq!(Encoding::of_model(model), Some(Encoding::O200kBase), "{model}");
        }
        for model in ["gpt-4", "gpt-4-turbo", "gpt-3.5-turbo"] {
            assert_eq!(Encoding::of_model(model), Some(Encoding::Cl100kBase), "{model}");
        }
        assert_eq!(Encoding::of_model("davinci"), None);
    }
}
