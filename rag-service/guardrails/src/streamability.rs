//! Why a policy can not be applied to a stream.

use crate::verdict::ScannerType;

/// What stands in the way of `stream=true`. The message is for the client whose request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStreamable {
    /// The scanner looks at the complete answer by its nature.
    #[error(
        "stream=true with output guardrails only supports ['ban_substrings', 'invisible_text', 'regex', 'secrets', \
         'sensitive'] scanners. Unsupported scanner: {0}."
    )]
    Scanner(ScannerType),
    /// Banned words that count only together.
    #[error(
        "stream=true does not support contains_all=true for scanner=ban_substrings because the current windowed \
         implementation cannot track matches across the complete response."
    )]
    ContainsAll,
    /// A pattern has to match the complete answer.
    #[error(
        "stream=true does not support match_type=fullmatch for scanner=regex because it needs the complete response. \
         Use match_type=search."
    )]
    FullMatch,
    /// A pattern has to occur somewhere in the answer.
    #[error(
        "stream=true does not support is_blocked=false for scanner=regex because a match may follow until the response \
         is complete. Use patterns of what may not be said."
    )]
    RequiredPattern,
    /// A pattern needs look-around or back-references.
    #[error(
        "stream=true does not support look-around or back-references for scanner=regex (patterns[{0}]). Rewrite the \
         pattern without them; \\b, ^ and $ are supported."
    )]
    Backtracking(usize),
    /// A pattern matches without a character.
    #[error(
        "stream=true does not support patterns that match the empty string for scanner=regex (patterns[{0}]). Make it \
         require a character."
    )]
    EmptyMatch(usize),
    /// The patterns are too large to be followed through a stream.
    #[error(
        "stream=true does not support patterns of this size for scanner=regex. Lower the counts in their repetitions or \
         divide them among several scanners."
    )]
    TooLarge,
}
