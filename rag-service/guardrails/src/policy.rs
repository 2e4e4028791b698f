//! A policy: which scanners look at a text, in which order, and what happens when one finds something.
//!
//! The file it is read from is watched, read again and swapped by the service; nothing here touches a disk.

mod build;
mod fields;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use serde_yaml_ng::Value;
use sha2::{Digest, Sha256};

use crate::diagnostic::{Diagnostic, DiagnosticEvent};
use crate::stage::{Scope, Stage};
use crate::stream::TextStream;
use crate::streamability::NotStreamable;
use crate::verdict::{Action, Outcome, ScannerHit, ScannerType, Verdict};

/// What replaces a blocked text if the policy does not say.
pub const DEFAULT_BLOCK_MESSAGE: &str = "The model output was blocked by output guardrails.";

/// A compiled policy. It never changes; requests share it in an [`Arc`]. Two are equal if their files are the same,
/// byte for byte.
#[derive(Debug)]
pub struct Policy {
    action: Action,
    block_message: String,
    sha256: String,
    stages: Vec<Stage>,
}

/// A policy and what is wrong with it.
#[derive(Debug)]
pub struct LoadedPolicy {
    /// What could be used.
    pub policy: Policy,
    /// What could not, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

/// Why a file is no policy at all.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is not UTF-8.
    #[error("the policy is not UTF-8 text")]
    Decode(#[source] std::str::Utf8Error),
    /// It is not YAML.
    #[error("the policy is not valid YAML")]
    Parse(#[source] Box<serde_yaml_ng::Error>),
    /// Its top level is a list or a scalar.
    #[error("the top level of the policy is not a mapping")]
    NotAMapping,
}

impl PolicyError {
    /// The value of the metric label `policy_status`.
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Decode(_) | Self::Parse(_) => "load_failed",
            Self::NotAMapping => "invalid",
        }
    }

    /// The name of the log event, as KAITO logs it.
    pub const fn event(&self) -> &'static str {
        match self {
            Self::Decode(_) | Self::Parse(_) => "output_guardrails_policy_load_failed",
            Self::NotAMapping => "output_guardrails_policy_invalid",
        }
    }
}

impl Policy {
    /// Reads a policy. Entries that can not be used are left out and told about; an empty file is a policy without
    /// scanners.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if it is not a YAML mapping in UTF-8.
    pub fn parse(yaml: &[u8]) -> Result<LoadedPolicy, PolicyError> {
        let text = std::str::from_utf8(yaml).map_err(PolicyError::Decode)?;
        let mut document: Value =
            serde_yaml_ng::from_str(text).map_err(|source| PolicyError::Parse(Box::new(source)))?;
        document
            .apply_merge()
            .map_err(|source| PolicyError::Parse(Box::new(source)))?;
        let mapping = match document {
            Value::Mapping(mapping) => mapping,
            Value::Null => serde_yaml_ng::Mapping::new(),
            _ => return Err(PolicyError::NotAMapping),
        };
        let mut diagnostics = Vec::new();
        let action = top_level_action(mapping.get("action"), &mut diagnostics);
        let block_message = match mapping.get("blockMessage") {
            Some(Value::String(message)) if !message.trim().is_empty() => message.clone(),
            _ => DEFAULT_BLOCK_MESSAGE.to_owned(),
        };
        let stages = match mapping.get("scanners") {
            Some(Value::Sequence(entries)) => build::stages(entries, action, &mut diagnostics),
            None | Some(Value::Null) => Vec::new(),
            Some(_) => {
                diagnostics.push(Diagnostic {
                    event: DiagnosticEvent::InvalidScanners,
                    entry: None,
                    scanner: None,
                    reason: "scanners is not a list; there are none".to_owned(),
                });
                Vec::new()
            }
        };
        let policy = Self {
            action,
            block_message,
            sha256: format!("{:x}", Sha256::digest(yaml)),
            stages,
        };
        Ok(LoadedPolicy { policy, diagnostics })
    }

    /// What scanners do that do not say.
    pub fn action(&self) -> Action {
        self.action
    }

    /// What replaces a blocked text.
    pub fn block_message(&self) -> &str {
        &self.block_message
    }

    /// SHA-256 of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// How many scanners there are.
    pub fn scanner_count(&self) -> usize {
        self.stages.len()
    }

    /// What kind each scanner is of, in the order of the file.
    pub fn scanner_types(&self) -> impl Iterator<Item = ScannerType> {
        self.stages.iter().map(|stage| stage.scanner)
    }

    /// Whether nothing is scanned at all.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Whether all scanners can follow a stream without waiting for its end.
    ///
    /// # Errors
    ///
    /// What stands in the way, for the client; of several, the first.
    pub fn streamability(&self) -> Result<(), NotStreamable> {
        self.stages.iter().find_map(Stage::obstacle).map_or(Ok(()), Err)
    }

    /// Scans a complete answer.
    pub fn scan(&self, text: &str) -> Verdict {
        self.scan_in(Scope::Answer, text)
    }

    /// Scans any other text that belongs to a response, like reasoning or the arguments of a tool call. Scanners that
    /// make demands on the answer do not run: `json`, `reading_time`, `token_limit` and patterns that must occur.
    pub fn scan_fragment(&self, text: &str) -> Verdict {
        self.scan_in(Scope::Fragment, text)
    }

    /// Begins an answer that arrives in pieces.
    pub fn stream(self: &Arc<Self>) -> TextStream {
        TextStream::new(Arc::clone(self), Scope::Answer)
    }

    /// Begins any other text that arrives in pieces, see [`Policy::scan_fragment`].
    pub fn stream_fragment(self: &Arc<Self>) -> TextStream {
        TextStream::new(Arc::clone(self), Scope::Fragment)
    }

    pub(crate) fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// The policy without its scanners that block.
    #[cfg(test)]
    pub(crate) fn unblocked(&self) -> Self {
        Self {
            action: self.action,
            block_message: self.block_message.clone(),
            sha256: self.sha256.clone(),
            stages: self
                .stages
                .iter()
                .filter(|stage| stage.action == Action::Redact)
                .cloned()
                .collect(),
        }
    }

    fn scan_in(&self, scope: Scope, text: &str) -> Verdict {
        let mut current = Cow::Borrowed(text);
        let mut hits: Vec<ScannerHit> = Vec::new();
        let is_blank = text.trim().is_empty();
        for stage in self.stages.iter().filter(|stage| !is_blank && stage.concerns(scope)) {
            let Some(finding) = stage.run(&current) else {
                continue;
            };
            hits.push(ScannerHit {
                scanner: stage.scanner,
                action: stage.action,
                count: finding.count,
            });
            if stage.action == Action::Block {
                return Verdict {
                    text: self.block_message.clone(),
                    outcome: Outcome::Blocked,
                    hits,
                };
            }
            current = Cow::Owned(finding.text);
        }
        Verdict {
            outcome: if hits.is_empty() {
                Outcome::Allowed
            } else {
                Outcome::Redacted
            },
            text: current.into_owned(),
            hits,
        }
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}

impl Eq for Policy {}

fn top_level_action(value: Option<&Value>, diagnostics: &mut Vec<Diagnostic>) -> Action {
    fields::action(value)
        .unwrap_or_else(|| {
            diagnostics.push(Diagnostic {
                event: DiagnosticEvent::InvalidAction,
                entry: None,
                scanner: None,
                reason: "action is neither redact nor block; redact is taken".to_owned(),
            });
            Some(Action::Redact)
        })
        .unwrap_or_default()
}
