//! Texts to token ids, in the caller's thread.

use std::path::Path;
use std::sync::Arc;

use tokenizers::{PostProcessor, Tokenizer, TruncationDirection};

use crate::{EmbedError, InputKind, LoadModel, TokenLimit};

/// A text as the model reads it: prefix in front, special tokens around.
pub(super) struct TokenisedText {
    text: String,
    ids: Vec<u32>,
}

/// What a model wants around a text, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextShape {
    pub(super) query_prefix: String,
    pub(super) passage_prefix: String,
    /// Special tokens and prefix included.
    pub(super) max_tokens: usize,
}

/// A tokenizer that neither truncates nor pads, and the model's wishes.
pub(super) struct TextTokenizer {
    tokenizer: Arc<Tokenizer>,
    shape: TextShape,
    /// Tokens of a passage's own text that fit.
    passage_content: usize,
    special_tokens: usize,
    pad_id: u32,
}

impl TokenisedText {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn ids(&self) -> &[u32] {
        &self.ids
    }

    pub(super) fn tokens(&self) -> usize {
        self.ids.len()
    }

    #[cfg(test)]
    pub(super) fn of_length(tokens: usize) -> Self {
        Self {
            text: String::new(),
            ids: vec![0; tokens],
        }
    }
}

impl TextTokenizer {
    /// Reads a `tokenizer.json`.
    pub(super) fn from_file(path: &Path, shape: TextShape) -> Result<Self, LoadModel> {
        let tokenizer = Tokenizer::from_file(path).map_err(|source| LoadModel::LoadTokenizer {
            path: path.to_owned(),
            source,
        })?;
        Self::new(tokenizer, shape, path)
    }

    /// `path` is where the tokenizer is from, for error messages.
    pub(super) fn new(mut tokenizer: Tokenizer, shape: TextShape, path: &Path) -> Result<Self, LoadModel> {
        let pad_id = pad_id(&tokenizer);
        // Published files carry their training's settings, such as truncation at 128 tokens: it would cut texts silently.
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|source| LoadModel::LoadTokenizer {
                path: path.to_owned(),
                source,
            })?;
        let special_tokens = tokenizer
            .get_post_processor()
            .map_or(0, |processor| processor.added_tokens(false));
        let prefix_tokens = count(&tokenizer, &shape.passage_prefix, path)?;
        // Where prefix and text meet, some tokenizers make a token more than for the two apart.
        let seam = usize::from(prefix_tokens > 0);
        let around = special_tokens + prefix_tokens + seam;
        let query_around = special_tokens + count(&tokenizer, &shape.query_prefix, path)?;
        if shape.max_tokens <= around.max(query_around) {
            let reason = format!(
                "a maximum of {} tokens leaves no room for text besides special tokens and prefix",
                shape.max_tokens
            );
            return Err(LoadModel::UnusableFile {
                path: path.to_owned(),
                reason,
            });
        }
        let passage_content = shape.max_tokens - around;
        Ok(Self {
            tokenizer: Arc::new(tokenizer),
            shape,
            passage_content,
            special_tokens,
            pad_id,
        })
    }

    pub(super) fn limit(&self) -> TokenLimit {
        TokenLimit {
            content_tokens: Some(self.passage_content),
            tokenizer: Some(Arc::clone(&self.tokenizer)),
        }
    }

    pub(super) fn pad_id(&self) -> u32 {
        self.pad_id
    }

    pub(super) fn tokenise_all(&self, kind: InputKind, texts: Vec<String>) -> Result<Vec<TokenisedText>, EmbedError> {
        texts
            .into_iter()
            .enumerate()
            .map(|(position, text)| self.tokenise(kind, position, text))
            .collect()
    }

    fn tokenise(&self, kind: InputKind, position: usize, text: String) -> Result<TokenisedText, EmbedError> {
        let text = match kind {
            InputKind::Query => with_prefix(&self.shape.query_prefix, text),
            InputKind::Passage => with_prefix(&self.shape.passage_prefix, text),
        };
        let encoding = self
            .tokenizer
            .encode_fast(text.as_str(), true)
            .map_err(EmbedError::Tokenise)?;
        let (tokens, limit) = (encoding.len(), self.shape.max_tokens);
        if tokens <= limit {
            return Ok(TokenisedText {
                ids: encoding.get_ids().to_vec(),
                text,
            });
        }
        match kind {
            InputKind::Passage => Err(EmbedError::TooManyTokens {
                position,
                tokens,
                limit,
            }),
            InputKind::Query => {
                tracing::debug!(
                    query.tokens = tokens,
                    model.limit = limit,
                    "query cut to what the embedding model reads"
                );
                Ok(TokenisedText {
                    ids: self.beginning(&text)?,
                    text,
                })
            }
        }
    }

    /// The first `max_tokens` of a text, with its special tokens where they belong.
    fn beginning(&self, text: &str) -> Result<Vec<u32>, EmbedError> {
        let mut encoding = self.tokenizer.encode_fast(text, false).map_err(EmbedError::Tokenise)?;
        encoding.truncate(
            self.shape.max_tokens - self.special_tokens,
            0,
            TruncationDirection::Right,
        );
        let encoding = self
            .tokenizer
            .post_process(encoding, None, true)
            .map_err(EmbedError::Tokenise)?;
        Ok(encoding.get_ids().to_vec())
    }
}

fn with_prefix(prefix: &str, text: String) -> String {
    if prefix.is_empty() {
        text
    } else {
        format!("{prefix}{text}")
    }
}

fn count(tokenizer: &Tokenizer, prefix: &str, path: &Path) -> Result<usize, LoadModel> {
    let encoding = tokenizer
        .encode_fast(prefix, false)
        .map_err(|source| LoadModel::LoadTokenizer {
            path: path.to_owned(),
            source,
        })?;
    Ok(encoding.len())
}

/// The mask hides padding, but models that number positions by it (RoBERTa's family) have to get the right id.
fn pad_id(tokenizer: &Tokenizer) -> u32 {
    tokenizer
        .get_padding()
        .map(|padding| padding.pad_id)
        .or_else(|| ["[PAD]", "<pad>"].iter().find_map(|token| tokenizer.token_to_id(token)))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words at spaces, [CLS] and [SEP] around, and a file that wants to truncate at 3 and pad to 5.
    const TOKENIZER: &str = r#"{
        "version": "1.0", "added_tokens": [], "normalizer": null, "decoder": null,
        "truncation": {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
        "padding": {"strategy": {"Fixed": 5}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 9,
                    "pad_type_id": 0, "pad_token": "[PAD]"},
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
        "model": {"type": "WordLevel", "unk_token": "[UNK]",
                  "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "b": 4, "passage:": 5, "query:": 6, "[PAD]": 9}}
    }"#;

    fn tokenizer(max_tokens: usize) -> Result<TextTokenizer, LoadModel> {
        let shape = TextShape {
            query_prefix: "query: ".into(),
            passage_prefix: "passage: ".into(),
            max_tokens,
        };
        TextTokenizer::new(
            TOKENIZER.parse().expect("valid tokenizer"),
            shape,
            Path::new("tokenizer.json"),
        )
    }

    fn ids(tokenizer: &TextTokenizer, kind: InputKind, text: &str) -> Result<Vec<u32>, EmbedError> {
        Ok(tokenizer
            .tokenise_all(kind, vec![text.to_owned()])?
            .pop()
            .expect("one text")
            .ids)
    }

    #[test]
    fn prefix_and_special_tokens_are_added_and_the_files_own_truncation_and_padding_are_not_applied() {
        let tokenizer = tokenizer(8).expect("there is room");
        assert_eq!(
            ids(&tokenizer, InputKind::Passage, "a b a b").expect("fits"),
            [1, 5, 3, 4, 3, 4, 2]
        );
        assert_eq!(ids(&tokenizer, InputKind::Query, "a").expect("fits"), [1, 6, 3, 2]);
        assert_eq!(ids(&tokenizer, InputKind::Query, "").expect("fits"), [1, 6, 2]);
        assert_eq!(tokenizer.pad_id(), 9);
    }

    #[test]
    fn a_passage_that_is_too_long_is_an_error_and_a_query_is_cut() {
        let tokenizer = tokenizer(6).expect("there is room");
        let error = ids(&tokenizer, InputKind::Passage, "a b a b").expect_err("seven tokens");
        assert!(
            matches!(
                error,
                EmbedError::TooManyTokens {
                    position: 0,
                    tokens: 7,
                    limit: 6
                }
            ),
            "{error:?}"
        );
        assert_eq!(
            ids(&tokenizer, InputKind::Query, "a b a b").expect("is cut"),
            [1, 6, 3, 4, 3, 2]
        );
    }

    #[test]
    fn a_passage_of_the_announced_length_fits() {
        let tokenizer = tokenizer(8).expect("there is room");
        let content = tokenizer.limit().content_tokens.expect("known");
        assert_eq!(content, 8 - 2 - 1 - 1);
        assert!(ids(&tokenizer, InputKind::Passage, &"a ".repeat(content)).is_ok());
    }

    #[test]
    fn a_maximum_that_leaves_no_room_for_text_is_refused() {
        assert!(matches!(tokenizer(4), Err(LoadModel::UnusableFile { .. })));
    }
}
