//! Writing passages into the system message that carries them.
//!
//! A template is read once, and rendering walks over the template only: nothing inside a passage or a source is ever
//! taken for a placeholder.

use std::borrow::Cow;

use super::context::Passage;
use super::tokens::{ChatTokenCounter, MESSAGE_OVERHEAD_TOKENS};
use crate::document::DocumentId;
use crate::metadata::Metadata;

/// Most characters of a source line.
const MAX_SOURCE_CHARACTERS: usize = 120;
/// Characters of a document's id that name it when its metadata does not.
const SHORT_ID_CHARACTERS: usize = 12;
/// Fewest backticks of a fence.
const MIN_FENCE: usize = 3;
/// Where a document's metadata says what it is called, best first.
const SOURCE_KEYS: [&str; 7] = ["file_path", "file_name", "filename", "path", "source", "url", "title"];

/// The text of a template, before it is checked. White space around each part is left out.
#[derive(Clone, Copy, Debug)]
pub struct TemplateText<'text> {
    /// What the model is to do with the passages.
    pub instructions: &'text str,
    /// How one passage stands in the prompt, with the placeholders `{number}`, `{source}`, `{fence}` and `{text}`.
    pub passage: &'text str,
    /// The line before the first passage and after the last one.
    pub separator: &'text str,
    /// Texts that a chat model may take for the border between two speakers, of two characters or more each.
    pub control_marks: &'text [String],
}

/// A template for the message that carries the context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextTemplate {
    instructions: String,
    passage: Vec<Segment>,
    separator: String,
    control_marks: Vec<ControlMark>,
}

/// A text that must not reach the model from a document, and what does instead.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ControlMark {
    text: String,
    broken: String,
}

/// Why a template cannot be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseTemplate {
    /// An opening brace that begins no known placeholder.
    #[error("the passage of the prompt template has the unknown placeholder {name:?}")]
    NameUnknownPlaceholder {
        /// What stands behind the brace.
        name: String,
    },
    /// A passage would not be shown, not be quoted or could not be cited.
    #[error("the passage of the prompt template lacks the placeholder {name:?}")]
    OmitPlaceholder {
        /// What ought to stand in braces.
        name: &'static str,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Number,
    Source,
    Fence,
    Text,
}

impl ContextTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// When the passage has an unknown placeholder, or has none for its number, its fence or its text.
    pub fn parse(text: TemplateText<'_>) -> Result<Self, ParseTemplate> {
        let passage = segments(text.passage.trim())?;
        for (name, segment) in [
            ("number", Segment::Number),
            ("fence", Segment::Fence),
            ("text", Segment::Text),
        ] {
            if !passage.contains(&segment) {
                return Err(ParseTemplate::OmitPlaceholder { name });
            }
        }
        Ok(Self {
            instructions: text.instructions.trim().to_owned(),
            passage,
            separator: text.separator.trim().to_owned(),
            control_marks: text
                .control_marks
                .iter()
                .filter_map(|mark| ControlMark::new(mark))
                .collect(),
        })
    }

    /// The text of the system message: the instructions, and the passages between two separators.
    pub fn render(&self, passages: &[Passage]) -> String {
        let separator = &self.separator;
        let passages: Vec<String> = passages.iter().map(|passage| self.passage(passage)).collect();
        format!(
            "{}\n{separator}\n{}\n{separator}\n",
            self.instructions,
            passages.join(PASSAGE_JOINT)
        )
    }

    /// Tokens of the message without any passage.
    pub fn instruction_tokens(&self, counter: &ChatTokenCounter) -> usize {
        counter.count(&self.render(&[])) + MESSAGE_OVERHEAD_TOKENS
    }

    /// One passage as it stands in the prompt. Source and text are put in as they are, but for control marks.
    pub(super) fn passage(&self, passage: &Passage) -> String {
        let fence = fence(&passage.text);
        let source = self.without_control_marks(&passage.source);
        let text = self.without_control_marks(&passage.text);
        let number = passage.number.to_string();
        self.passage
            .iter()
            .map(|segment| match segment {
                Segment::Literal(literal) => literal.as_str(),
                Segment::Number => number.as_str(),
                Segment::Source => source.as_ref(),
                Segment::Fence => fence.as_str(),
                Segment::Text => text.as_ref(),
            })
            .collect()
    }

    /// Breaking a mark up can make no other one: every mark is looked for in what the ones before it left.
    fn without_control_marks<'text>(&self, text: &'text str) -> Cow<'text, str> {
        let mut text = Cow::Borrowed(text);
        for mark in &self.control_marks {
            if text.contains(&mark.text) {
                text = Cow::Owned(text.replace(&mark.text, &mark.broken));
            }
        }
        text
    }
}

impl ControlMark {
    /// The mark with a blank after its first character; `None` when it has no other.
    fn new(text: &str) -> Option<Self> {
        let mut characters = text.chars();
        let first = characters.next()?;
        let rest = characters.as_str();
        (!rest.is_empty()).then(|| Self {
            text: text.to_owned(),
            broken: format!("{first} {rest}"),
        })
    }
}

/// What stands between two passages.
pub(super) const PASSAGE_JOINT: &str = "\n\n";

/// What to call a document in the prompt: the first of file path, file name, path, source, URL and title that its
/// metadata has, else the beginning of its id. One line of at most 120 characters.
pub fn source_of(metadata: &Metadata, document_id: &DocumentId) -> String {
    SOURCE_KEYS
        .iter()
        .filter_map(|key| metadata.string(key))
        .map(source_line)
        .find(|source| !source.is_empty())
        .unwrap_or_else(|| {
            let id: String = document_id.as_str().chars().take(SHORT_ID_CHARACTERS).collect();
            source_line(&format!("document {id}"))
        })
}

/// The text as one line: white space, control characters and line breaks of any kind become single blanks, marks that
/// turn the direction of writing are left out. It stands outside the fence, so it may have neither square brackets, which
/// number passages, nor the dashes that separate them.
fn source_line(text: &str) -> String {
    let plain: String = text
        .chars()
        .filter(|character| !matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .map(|character| match character {
            '[' => '(',
            ']' => ')',
            _ if character.is_control() => ' ',
            _ => character,
        })
        .collect();
    let mut plain = plain;
    while plain.contains("--") {
        plain = plain.replace("--", "-");
    }
    let line = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MAX_SOURCE_CHARACTERS).collect()
}

/// A run of backticks that the text cannot close: one longer than the longest run in it.
fn fence(text: &str) -> String {
    let longest = text
        .split(|character| character != '`')
        .map(str::len)
        .max()
        .unwrap_or(0);
    "`".repeat((longest + 1).max(MIN_FENCE))
}

fn segments(template: &str) -> Result<Vec<Segment>, ParseTemplate> {
    let mut segments = Vec::new();
    let mut rest = template;
    while let Some((literal, opened)) = rest.split_once('{') {
        push_literal(&mut segments, literal);
        let unknown = |name: &str| ParseTemplate::NameUnknownPlaceholder { name: name.to_owned() };
        let (name, after) = opened.split_once('}').ok_or_else(|| unknown(opened))?;
        segments.push(match name {
            "number" => Segment::Number,
            "source" => Segment::Source,
            "fence" => Segment::Fence,
            "text" => Segment::Text,
            _ => return Err(unknown(name)),
        });
        rest = after;
    }
    push_literal(&mut segments, rest);
    Ok(segments)
}

fn push_literal(segments: &mut Vec<Segment>, literal: &str) {
    if !literal.is_empty() {
        segments.push(Segment::Literal(literal.to_owned()));
    }
}

#[cfg(test)]
pub(super) mod tests;
