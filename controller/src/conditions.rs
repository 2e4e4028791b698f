//! Conditions of a status: what holds, with a reason and words. Pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Longest message that is kept, in characters; what a pod says may be pages.
const LONGEST_MESSAGE: usize = 1024;
/// Longest part of a message that others wrote, in bytes, where KAITO cuts it.
const LONGEST_QUOTE: usize = 256;
/// Before the words of an error in a message.
const PROBLEM: &str = " (last reconcile error: ";

/// Whether something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It does.
    True,
    /// It does not.
    False,
    /// Nobody can say.
    Unknown,
}

impl Truth {
    /// The word in a condition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// What is to be said of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it holds.
    pub truth: Truth,
    /// Why, as one word in CamelCase.
    pub reason: String,
    /// Why, in words.
    pub message: String,
}

impl Finding {
    /// It holds.
    pub fn holds(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Truth::True, reason, message)
    }

    /// It does not hold.
    pub fn fails(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Truth::False, reason, message)
    }

    /// Nobody can say.
    pub fn unknown(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Truth::Unknown, reason, message)
    }

    /// Whether it holds.
    pub fn is_true(&self) -> bool {
        self.truth == Truth::True
    }

    /// The same with what went wrong while it was looked at, unless its message says that already.
    #[must_use]
    pub fn with_problem(self, problem: &str) -> Self {
        let cut = self.message.strip_suffix("...").unwrap_or_default();
        if self.message.contains(problem) || !cut.is_empty() && problem.starts_with(cut) {
            return self;
        }
        let message = format!("{}{PROBLEM}{problem})", self.message);
        self.with_message(&message)
    }

    /// The same in other words.
    #[must_use]
    pub fn with_message(self, message: &str) -> Self {
        Self {
            message: shortened(message),
            ..self
        }
    }

    /// What a condition says.
    pub fn of(condition: &Condition) -> Self {
        Self {
            truth: match condition.status.as_str() {
                "True" => Truth::True,
                "False" => Truth::False,
                _ => Truth::Unknown,
            },
            reason: condition.reason.clone(),
            message: condition.message.clone(),
        }
    }

    fn new(truth: Truth, reason: &str, message: impl Into<String>) -> Self {
        Self {
            truth,
            reason: camel_case(reason),
            message: shortened(&message.into()),
        }
    }
}

/// The condition of one type.
pub fn find<'a>(conditions: Option<&'a Vec<Condition>>, type_: &str) -> Option<&'a Condition> {
    conditions?.iter().find(|condition| condition.type_ == type_)
}

/// A message without what [`Finding::with_problem`] put behind it.
pub fn without_problem(message: &str) -> &str {
    message.split_once(PROBLEM).map_or(message, |(before, _)| before)
}

/// The beginning of what others wrote, which may be pages.
pub fn truncated(message: &str) -> String {
    let message = message.trim();
    if message.len() <= LONGEST_QUOTE {
        return message.to_owned();
    }
    let ends = message.char_indices().map(|(end, _)| end);
    let end = ends.take_while(|end| *end <= LONGEST_QUOTE).last().unwrap_or_default();
    format!("{}...", message.get(..end).unwrap_or_default())
}

/// The end of what a program wrote, where it says why it gave up.
pub fn ending(words: &str) -> String {
    let words = words.trim();
    let Some(surplus) = words.len().checked_sub(LONGEST_QUOTE).filter(|surplus| *surplus > 0) else {
        return words.to_owned();
    };
    let begin = words
        .char_indices()
        .map(|(begin, _)| begin)
        .find(|begin| *begin >= surplus);
    format!("...{}", words.get(begin.unwrap_or_default()..).unwrap_or_default())
}

/// A condition of `findings` that says another status or reason than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The condition's type.
    pub type_: &'static str,
    /// What it says now.
    pub finding: Finding,
}

/// The conditions that follow `previous` when `findings` is what there is to say, and those that changed.
///
/// A type that is not in `findings` is dropped. The time of transition moves only when the status does.
pub fn merge(
    previous: &[Condition],
    findings: &[(&'static str, Finding)],
    generation: Option<i64>,
    now: Timestamp,
) -> (Vec<Condition>, Vec<Transition>) {
    let mut transitions = Vec::new();
    let conditions = findings
        .iter()
        .map(|(type_, finding)| {
            let before = previous.iter().find(|condition| condition.type_ == *type_);
            let same_status = before.filter(|before| before.status == finding.truth.as_str());
            if same_status.is_none_or(|before| before.reason != finding.reason) {
                transitions.push(Transition {
                    type_,
                    finding: finding.clone(),
                });
            }
            Condition {
                type_: (*type_).to_owned(),
                status: finding.truth.as_str().to_owned(),
                reason: finding.reason.clone(),
                message: finding.message.clone(),
                observed_generation: generation,
                last_transition_time: same_status
                    .map_or_else(|| Time(now), |before| before.last_transition_time.clone()),
            }
        })
        .collect();
    (conditions, transitions)
}

/// A reason as the API allows it: it begins with a letter and has only letters, digits and underscores.
fn camel_case(reason: &str) -> String {
    let word: String = reason
        .chars()
        .filter(|character| character.is_ascii_alphanumeric() || *character == '_')
        .take(128)
        .collect();
    match word.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => word,
        _ => format!("Reason{word}"),
    }
}

fn shortened(message: &str) -> String {
    let message = message.trim();
    match message.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}...", message.get(..end).unwrap_or_default()),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_time_of_transition_moves_only_with_the_status() {
        let (first, transitions) = merge(&[], &[("Ready", Finding::fails("Pending", "wait"))], Some(1), at(10));
        assert_eq!(first[0].last_transition_time.0, at(10));
        assert_eq!(transitions.len(), 1);

        let (second, transitions) = merge(
            &first,
            &[("Ready", Finding::fails("Pending", "longer"))],
            Some(2),
            at(20),
        );
        assert_eq!(second[0].last_transition_time.0, at(10));
        assert_eq!(
            (second[0].message.as_str(), second[0].observed_generation),
            ("longer", Some(2))
        );
        assert!(transitions.is_empty(), "another message is no transition");

        let (third, transitions) = merge(&second, &[("Ready", Finding::fails("Broken", "why"))], Some(2), at(30));
        assert_eq!(
            third[0].last_transition_time.0,
            at(10),
            "another reason, the same status"
        );
        assert_eq!(transitions.len(), 1);

        let (fourth, _) = merge(&third, &[("Ready", Finding::holds("AllReady", ""))], Some(2), at(40));
        assert_eq!(fourth[0].last_transition_time.0, at(40));
    }

    #[test]
    fn an_error_stands_behind_a_message_once() {
        let plain = Finding::fails("Pending", "wait");
        let told = plain.with_problem("no route");
        assert_eq!(told.message, "wait (last reconcile error: no route)");
        assert_eq!(told.clone().with_problem("no route"), told);
        assert_eq!(without_problem(&told.message), "wait");
        assert_eq!(without_problem("wait"), "wait");
        let cut = Finding::fails("Pending", "no rou...");
        assert_eq!(cut.clone().with_problem("no route"), cut, "it says the same, cut short");
        let dots = Finding::fails("Pending", "...");
        assert_eq!(
            dots.with_problem("no route").message,
            "... (last reconcile error: no route)"
        );
    }

    #[test]
    fn what_others_wrote_is_cut_between_characters() {
        assert_eq!(ending(&"x".repeat(256)), "x".repeat(256));
        assert_eq!(
            ending(&format!("x{}", "y".repeat(256))),
            format!("...{}", "y".repeat(256))
        );
        assert_eq!(
            ending(&format!("{}y", "ä".repeat(128))),
            format!("...{}y", "ä".repeat(127))
        );
        assert_eq!(truncated(&"x".repeat(256)), "x".repeat(256));
        assert_eq!(truncated(&"x".repeat(257)), format!("{}...", "x".repeat(256)));
        assert_eq!(truncated(&"ä".repeat(200)), format!("{}...", "ä".repeat(128)));
        assert_eq!(
            truncated(&format!("x{}", "ä".repeat(200))),
            format!("x{}...", "ä".repeat(127))
        );
    }

    #[test]
    fn a_type_that_is_not_said_any_more_is_dropped() {
        let (before, _) = merge(&[], &[("Old", Finding::holds("Yes", ""))], None, at(1));
        let (after, _) = merge(&before, &[("New", Finding::holds("Yes", ""))], None, at(2));
        assert_eq!(after.len(), 1);
        assert_eq!(after[0].type_, "New");
    }

    #[test]
    fn a_reason_is_made_a_word_and_a_long_message_cut() {
        let finding = Finding::fails("image pull-back off", "x".repeat(5000));
        assert_eq!(finding.reason, "imagepullbackoff");
        assert_eq!(finding.message.len(), LONGEST_MESSAGE + 3);
        assert_eq!(Finding::fails("", "").reason, "Reason");
    }
}
