//! What a scanner looks for: a pattern, the words that make it worth trying, and a judge of what it found.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One kind of thing to find in a text.
#[derive(Clone)]
pub struct Detector {
    /// Names the detector in diagnostics and tests, like `aws-access-key`.
    pub name: Arc<str>,
    /// A pattern in the syntax of the `regex` crate, without look-around. If it has capture groups, every group that
    /// matched something is a value of its own; otherwise the whole match is.
    pub pattern: String,
    /// Lower-case words of which every match must contain one (case ignored in ASCII); without one in the text the
    /// pattern is not even tried. Empty: it is always tried.
    pub keywords: Vec<String>,
    /// Decides whether a candidate value counts.
    pub accept: fn(&Candidate<'_>) -> bool,
    /// What stands in for an accepted value under `redact`, like `<EMAIL>`; `None` leaves it to the scanner.
    pub label: Option<&'static str>,
}

/// A value that a pattern found, in its surroundings.
///
/// In a stream `text` is what has arrived and was not sent yet, behind the last character sent: it starts anywhere and
/// reaches at least one character beyond the match, unless the text has ended. A judge that looks further than that
/// decides differently in a stream than it does on the whole text.
#[derive(Clone, Debug)]
pub struct Candidate<'text> {
    /// What may be sensitive.
    pub value: &'text str,
    /// The text around it.
    pub text: &'text str,
    /// Where `value` lies in `text`, in bytes.
    pub range: Range<usize>,
    /// Where the whole match lies in `text`, in bytes.
    pub matched: Range<usize>,
}

impl fmt::Debug for Detector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Detector")
            .field("name", &self.name)
            .field("pattern", &self.pattern)
            .field("keywords", &self.keywords)
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}
