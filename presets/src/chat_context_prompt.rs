//! `data/prompts/chat_context.yaml`: how retrieved passages are put to the chat model.

use serde::Deserialize;

const SOURCE: &str = include_str!("../data/prompts/chat_context.yaml");

/// Longest instructions, in bytes: English has more than four and a half bytes a token, so this is below 120 tokens.
const MAX_INSTRUCTION_BYTES: usize = 550;

/// What has to stand in the passage, and how often.
const PLACEHOLDERS: [(&str, usize); 4] = [("{number}", 1), ("{source}", 1), ("{fence}", 2), ("{text}", 1)];

/// The text of the system message that carries the context of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatContextPrompt {
    /// What the model is to do with the passages.
    pub instructions: String,
    /// One passage, with the placeholders `{number}`, `{source}`, `{fence}` and `{text}`.
    pub passage: String,
    /// The line before the first passage and after the last one.
    pub separator: String,
    /// Texts that a chat model may take for the border between two speakers.
    pub control_marks: Vec<String>,
}

/// Why a prompt was refused.
#[derive(Debug, thiserror::Error)]
pub enum ChatContextPromptError {
    /// Not YAML, or not of this shape.
    #[error("parse prompt for the context of a chat")]
    Parse(#[source] serde_yaml_ng::Error),
    /// A placeholder is missing, or occurs too often.
    #[error("the passage of the chat prompt needs {placeholder:?} {expected} times and has it {found} times")]
    CountPlaceholder {
        /// With its braces.
        placeholder: &'static str,
        /// How often it is needed.
        expected: usize,
        /// How often it is there.
        found: usize,
    },
    /// Braces that are no placeholder.
    #[error("the passage of the chat prompt has an unknown placeholder")]
    UnknownPlaceholder,
    /// The instructions take too much of a small model's window.
    #[error("the instructions of the chat prompt are {length} bytes long; at most {MAX_INSTRUCTION_BYTES} are allowed")]
    OverlongInstructions {
        /// Bytes.
        length: usize,
    },
    /// A control mark that could not be broken up.
    #[error("a control mark of the chat prompt must have at least two characters")]
    InvalidControlMark,
    /// The separator would not be one line.
    #[error("the separator of the chat prompt must be one line")]
    InvalidSeparator,
}

impl ChatContextPrompt {
    /// The prompt that ships with this crate.
    ///
    /// # Errors
    /// None in a released build: a test parses the same text.
    pub fn builtin() -> Result<Self, ChatContextPromptError> {
        Self::parse(SOURCE)
    }

    /// Reads and validates a prompt.
    ///
    /// # Errors
    /// For unknown fields, wrong placeholders, long instructions, and a separator of several lines or none.
    pub fn parse(yaml: &str) -> Result<Self, ChatContextPromptError> {
        let prompt: Self = serde_yaml_ng::from_str(yaml).map_err(ChatContextPromptError::Parse)?;
        for (placeholder, expected) in PLACEHOLDERS {
            let found = prompt.passage.matches(placeholder).count();
            if found != expected {
                return Err(ChatContextPromptError::CountPlaceholder {
                    placeholder,
                    expected,
                    found,
                });
            }
        }
        let rest = PLACEHOLDERS
            .iter()
            .fold(prompt.passage.clone(), |rest, (placeholder, _)| {
                rest.replace(placeholder, "")
            });
        if rest.contains(['{', '}']) {
            return Err(ChatContextPromptError::UnknownPlaceholder);
        }
        let length = prompt.instructions.trim().len();
        if length > MAX_INSTRUCTION_BYTES {
            return Err(ChatContextPromptError::OverlongInstructions { length });
        }
        if prompt.control_marks.iter().any(|mark| mark.chars().count() < 2) {
            return Err(ChatContextPromptError::InvalidControlMark);
        }
        if prompt.separator.trim().lines().count() != 1 {
            return Err(ChatContextPromptError::InvalidSeparator);
        }
        Ok(prompt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPT: &str = "{instructions: Do., passage: '{number} {source} {fence} {text} {fence}', separator: '---', control_marks: ['<|']}";

    #[test]
    fn the_shipped_prompt_is_valid_and_begins_as_kaitos_does() {
        let prompt = ChatContextPrompt::builtin().expect("the shipped prompt is valid");
        assert_eq!(
            prompt.instructions.lines().next(),
            Some("Use the context information below to assist the user.")
        );
        assert_eq!(prompt.separator, "-".repeat(20));
        assert_eq!(prompt.passage, "[{number}] {source}\n{fence}\n{text}\n{fence}\n");
    }

    #[test]
    fn prompts_that_could_not_be_rendered_are_refused() {
        assert!(ChatContextPrompt::parse(PROMPT).is_ok());
        let refused = |yaml: &str| ChatContextPrompt::parse(yaml).expect_err("refused");
        assert!(matches!(
            refused(&PROMPT.replace("separator", "separators")),
            ChatContextPromptError::Parse(_)
        ));
        for (placeholder, count) in PLACEHOLDERS {
            assert!(matches!(
                refused(&PROMPT.replace(placeholder, "")),
                ChatContextPromptError::CountPlaceholder { expected, found: 0, .. } if expected == count
            ));
        }
        assert!(matches!(
            refused(&PROMPT.replace("{source}", "{source} {title}")),
            ChatContextPromptError::UnknownPlaceholder
        ));
        assert!(matches!(
            refused(&PROMPT.replace("Do.", &"Do. ".repeat(200))),
            ChatContextPromptError::OverlongInstructions { .. }
        ));
        assert!(matches!(
            refused(&PROMPT.replace("'<|'", "'<'")),
            ChatContextPromptError::InvalidControlMark
        ));
        for separator in ["", "\\n", "a\\nb"] {
            assert!(matches!(
                refused(&PROMPT.replace("'---'", &format!("\"{separator}\""))),
                ChatContextPromptError::InvalidSeparator
            ));
        }
    }
}
