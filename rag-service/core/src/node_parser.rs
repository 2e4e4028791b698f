//! Cutting a document into nodes: passages small enough for the embedding model to read whole.
//!
//! The document says how: `split_type: code` with a `language` is cut along its syntax tree, `split_type: markdown`
//! along its headings, anything else along paragraphs and sentences. Whatever the text, no passage exceeds the limits
//! and no character other than white space is lost. Only this module knows the `text-splitter` crate.

mod code;
mod hazard;
mod language;
mod markdown;
mod passages;
mod sentence;
mod token_counter;
mod window;

#[cfg(test)]
mod tests;

use std::ops::Range;

use serde_json::Value;

use crate::document::Document;
use crate::embed_text::EmbeddedKeys;
use crate::metadata::Metadata;
use crate::node::{CharSpan, Chunk, Node, TextKind, link_nodes};
use language::Language;
pub use token_counter::TokenCounter;
use window::PassageLimits;

/// Tokens a passage has at most, unless the embedding model reads fewer.
pub const DEFAULT_CHUNK_TOKENS: usize = 1024;
/// Tokens at the end of a passage that the next one repeats.
pub const DEFAULT_OVERLAP_TOKENS: usize = 200;
/// Characters a passage of source code has at most.
pub const DEFAULT_MAX_CODE_CHARACTERS: usize = 1500;

/// Fewest tokens that must be left for a passage below its embedded metadata.
const MIN_TOKENS_BELOW_HEADER: usize = 16;
/// The overlap is at most one part in this many of a passage.
const OVERLAP_DIVISOR: usize = 5;
/// Most characters of prose for each token allowed. Without it a passage had no bound where a tokenizer takes any
/// unknown word, however long, for a single token, or drops white space.
const MAX_CHARACTERS_PER_TOKEN: usize = 16;

/// Sizes of the nodes to make.
#[derive(Clone, Debug)]
pub struct NodeParserSettings {
    /// Tokens a passage has at most, its embedded metadata included.
    pub chunk_tokens: usize,
    /// Tokens at the end of a prose passage that the next one repeats; a fifth of the passage at most is repeated.
    pub overlap_tokens: usize,
    /// Tokens the embedding model reads, without special tokens; `None` when unknown.
    pub model_token_limit: Option<usize>,
    /// Characters a passage of source code has at most.
    pub max_code_chars: usize,
    /// The metadata embedded together with each passage, for which room is left.
    pub embedded_keys: EmbeddedKeys,
}

impl Default for NodeParserSettings {
    fn default() -> Self {
        Self {
            chunk_tokens: DEFAULT_CHUNK_TOKENS,
            overlap_tokens: DEFAULT_OVERLAP_TOKENS,
            model_token_limit: None,
            max_code_chars: DEFAULT_MAX_CODE_CHARACTERS,
            embedded_keys: EmbeddedKeys::default(),
        }
    }
}

/// Why a document cannot be cut into nodes. Always the user's fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseNodes {
    /// Source code without a language. KAITO's message.
    #[error("Language not specified in node metadata.")]
    OmitLanguage,
    /// Source code in a language without a grammar. KAITO's message, and what there is.
    #[error("Could not find language library for {language} (supported: {})", Language::names())]
    UnknownLanguage {
        /// The language as the metadata names it.
        language: String,
    },
    /// The embedded metadata leaves no room for text.
    #[error(
        "metadata named by RAG_EMBED_METADATA_KEYS takes {header_tokens} of the {limit_tokens} tokens the model reads; \
         shorten it or leave the key out"
    )]
    FillWithMetadata {
        /// Tokens of the metadata above each passage.
        header_tokens: usize,
        /// Tokens of a passage and its metadata together.
        limit_tokens: usize,
    },
}

/// Cuts documents into nodes. Built once and shared; parsing the same document again gives the same nodes.
#[derive(Clone, Debug)]
pub struct NodeParser {
    settings: NodeParserSettings,
    counter: TokenCounter,
}

/// How a document is cut.
enum SplitType {
    Sentence,
    Markdown,
    Code(Language),
}

impl NodeParser {
    /// A parser that counts tokens with `counter`.
    pub fn new(settings: NodeParserSettings, counter: TokenCounter) -> Self {
        Self { settings, counter }
    }

    /// The document's passages in reading order. Text of white space only has none.
    ///
    /// # Errors
    /// When the metadata names no known language for code, or is itself too long to be embedded with a passage.
    pub fn parse(&self, document: &Document) -> Result<Vec<Node>, ParseNodes> {
        let split_type = SplitType::of(&document.metadata)?;
        let tokens = self.passage_tokens(&document.metadata)?;
        let text = document.text.as_str();
        let prose = PassageLimits {
            tokens,
            characters: tokens.saturating_mul(MAX_CHARACTERS_PER_TOKEN),
        };
        let code = PassageLimits {
            tokens,
            characters: self.settings.max_code_chars.max(1),
        };
        let counter = &self.counter;
        let (ranges, kind) = match split_type {
            SplitType::Sentence => {
                let overlap = self.settings.overlap_tokens.min(tokens / OVERLAP_DIVISOR);
                (
                    passages::ranges(text, counter, prose, |window| sentence::cut(window, overlap)),
                    TextKind::Prose,
                )
            }
            SplitType::Markdown => (passages::ranges(text, counter, prose, markdown::cut), TextKind::Prose),
            SplitType::Code(language) => (
                passages::ranges(text, counter, code, |window| code::cut(window, language)),
                TextKind::Code,
            ),
        };
        Ok(link_nodes(&document.id, kind, chunks(text, ranges)))
    }

    /// Tokens left for a passage below its embedded metadata.
    fn passage_tokens(&self, metadata: &Metadata) -> Result<usize, ParseNodes> {
        let model_limit = self.settings.model_token_limit.unwrap_or(usize::MAX);
        let limit_tokens = self.settings.chunk_tokens.min(model_limit).max(1);
        let header_tokens = self.counter.count(&self.settings.embedded_keys.header(metadata));
        let left = limit_tokens.saturating_sub(header_tokens);
        if header_tokens > 0 && left < MIN_TOKENS_BELOW_HEADER {
            return Err(ParseNodes::FillWithMetadata {
                header_tokens,
                limit_tokens,
            });
        }
        Ok(left)
    }
}

impl SplitType {
    fn of(metadata: &Metadata) -> Result<Self, ParseNodes> {
        match metadata.string("split_type") {
            Some("code") => Ok(Self::Code(code_language(metadata)?)),
            Some("markdown") => Ok(Self::Markdown),
            _ => Ok(Self::Sentence),
        }
    }
}

fn code_language(metadata: &Metadata) -> Result<Language, ParseNodes> {
    let name = match metadata.get("language") {
        None | Some(Value::Null) => return Err(ParseNodes::OmitLanguage),
        Some(Value::String(name)) => name.clone(),
        Some(other) => other.to_string(),
    };
    if name.trim().is_empty() {
        return Err(ParseNodes::OmitLanguage);
    }
    Language::named(&name).ok_or(ParseNodes::UnknownLanguage { language: name })
}

/// Cuts out the byte ranges and says where they stand in code points. The ranges start in reading order, so that one
/// walk over the text counts them all.
fn chunks(text: &str, ranges: Vec<Range<usize>>) -> Vec<Chunk> {
    let mut byte = 0;
    let mut character = 0;
    let mut chunks = Vec::with_capacity(ranges.len());
    for range in ranges {
        let (Some(before), Some(passage)) = (text.get(byte..range.start), text.get(range.clone())) else {
            continue;
        };
        character += before.chars().count();
        byte = range.start;
        let span = CharSpan {
            start: offset(character),
            end: offset(character + passage.chars().count()),
        };
        chunks.push(Chunk {
            text: passage.to_owned(),
            span,
        });
    }
    chunks
}

/// A request is far too small for a document of four billion characters.
fn offset(characters: usize) -> u32 {
    u32::try_from(characters).unwrap_or(u32::MAX)
}
