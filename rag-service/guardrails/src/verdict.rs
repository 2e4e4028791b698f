//! What became of a text: the words in which a policy answers.

use std::fmt;

/// What happens when a scanner finds something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// What was found is replaced.
    #[default]
    Redact,
    /// The whole text is replaced by the policy's block message.
    Block,
}

impl Action {
    /// The name in a policy, in metrics and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redact => "redact",
            Self::Block => "block",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The kinds of scanners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScannerType {
    /// Words and phrases that may not be said.
    BanSubstrings,
    /// Patterns of the policy's author.
    Regex,
    /// JSON objects that must be valid.
    Json,
    /// The time it takes to read the text.
    ReadingTime,
    /// The number of tokens.
    TokenLimit,
    /// Characters that nobody sees.
    InvisibleText,
    /// Credentials.
    Secrets,
    /// Personal data.
    Sensitive,
}

impl ScannerType {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::BanSubstrings,
        Self::Regex,
        Self::Json,
        Self::ReadingTime,
        Self::TokenLimit,
        Self::InvisibleText,
        Self::Secrets,
        Self::Sensitive,
    ];

    /// The name in a policy, in metrics and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BanSubstrings => "ban_substrings",
            Self::Regex => "regex",
            Self::Json => "json",
            Self::ReadingTime => "reading_time",
            Self::TokenLimit => "token_limit",
            Self::InvisibleText => "invisible_text",
            Self::Secrets => "secrets",
            Self::Sensitive => "sensitive",
        }
    }

    /// The kind of this name, which is already in snake case.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scanner| scanner.name() == name)
    }
}

impl fmt::Display for ScannerType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What became of a text, from best to worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// No scanner found anything.
    #[default]
    Allowed,
    /// A scanner found something and replaced it.
    Redacted,
    /// The text may not be shown.
    Blocked,
}

impl Outcome {
    /// The value of the metric label `final_action`.
    pub const fn final_action(self) -> &'static str {
        match self {
            Self::Allowed => "allow",
            Self::Redacted => "redact",
            Self::Blocked => "block",
        }
    }
}

/// That a scanner of the policy found something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScannerHit {
    /// Which kind of scanner.
    pub scanner: ScannerType,
    /// What it did about it.
    pub action: Action,
    /// How many places of the text it concerns, at least 1.
    pub count: usize,
}

/// The result of scanning a whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What may be shown: the text itself, the text with replacements, or the block message.
    pub text: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What the scanners found, in the order of the policy; those behind a block did not run.
    pub hits: Vec<ScannerHit>,
}

/// Adds hits to a list, one entry for each kind of scanner and action.
pub(crate) fn add_hits(sum: &mut Vec<ScannerHit>, hits: &[ScannerHit]) {
    for hit in hits {
        let same = |known: &&mut ScannerHit| known.scanner == hit.scanner && known.action == hit.action;
        match sum.iter_mut().find(same) {
            Some(known) => known.count = known.count.saturating_add(hit.count),
            None => sum.push(*hit),
        }
    }
}
