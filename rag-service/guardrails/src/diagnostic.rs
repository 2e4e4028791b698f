//! What is wrong with a policy that can be used nevertheless.

use std::fmt;

use crate::verdict::ScannerType;

/// A part of a policy that was not used as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of mistake it is.
    pub event: DiagnosticEvent,
    /// The entry of `scanners` that it concerns, from 0; `None` for the top level.
    pub entry: Option<usize>,
    /// What the entry says it is, if that is known.
    pub scanner: Option<ScannerType>,
    /// What is wrong, in words; nothing of the policy's patterns or words is quoted.
    pub reason: String,
}

/// Kinds of mistakes in a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiagnosticEvent {
    /// `scanners` is not a list.
    InvalidScanners,
    /// An entry is no mapping or has no type. KAITO says nothing about these.
    SkippedEntry,
    /// The type of an entry is unknown.
    UnknownScanner,
    /// A field of an entry has no usable value, or may not be there.
    InvalidScannerConfig,
    /// An action is neither `redact` nor `block`; the default took its place.
    InvalidAction,
    /// An entry is well-formed but a scanner could not be made of it.
    ScannerBuildFailed,
}

impl DiagnosticEvent {
    /// The name of the log event, as KAITO logs it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidScanners => "output_guardrails_policy_invalid_scanners",
            Self::SkippedEntry => "output_guardrails_policy_skipped_entry",
            Self::UnknownScanner => "output_guardrails_policy_unknown_scanner",
            Self::InvalidScannerConfig => "output_guardrails_policy_invalid_scanner_config",
            Self::InvalidAction => "output_guardrails_policy_invalid_action",
            Self::ScannerBuildFailed => "output_guardrails_policy_scanner_build_failed",
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(entry) = self.entry {
            write!(formatter, "scanners[{entry}]")?;
            if let Some(scanner) = self.scanner {
                write!(formatter, " ({scanner})")?;
            }
            formatter.write_str(": ")?;
        }
        formatter.write_str(&self.reason)
    }
}
