//! A policy applied to a text that arrives in pieces.
//!
//! However a text is cut into pieces, what comes out is what [`Policy::scan`] makes of the whole, and a text that is
//! blocked as a whole is blocked here before anything of what blocks it has come out. There are three exceptions. A
//! bare occurrence of a secret that is only recognised later, where it is assigned to something, has already come out.
//! Of the values of secrets, the last 64 are remembered. And what stays undecided for [`MAX_PENDING_BYTES`] is blocked.
//!
//! The stages form a chain; each holds back only what it can not decide yet, so most text flows at once.

mod span_stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::span_stream::SpanStream;
use crate::policy::Policy;
use crate::stage::{Check, Scope, Stage};
use crate::verdict::{Action, Outcome, ScannerHit, add_hits};

/// How much text a stage may hold back before the stream is blocked.
pub const MAX_PENDING_BYTES: usize = 64 * 1024;
/// How much text a stage may collect that needs the whole of it.
const MAX_COLLECTED_BYTES: usize = 4 * 1024 * 1024;

/// What may be sent on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fed {
    /// Text that is safe to show.
    pub text: String,
    /// Whether the text is blocked, now or since an earlier piece; `text` is empty then.
    pub blocked: bool,
}

/// A text on its way through a policy.
#[derive(Debug)]
pub struct TextStream {
    policy: Arc<Policy>,
    steps: Vec<Step>,
    /// White space at the beginning: a text that is nothing else is not scanned at all.
    leading: Option<String>,
    hits: Vec<ScannerHit>,
    blocked: bool,
}

/// One stage at work, by its place in the policy.
#[derive(Debug)]
struct Step {
    stage: usize,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Spans(SpanStream),
    /// A stage that needs the whole text gets it at the end.
    Collect(String),
}

/// That a stage does not let the text pass.
struct Blocked;

impl TextStream {
    /// Begins an answer. Stages that a stream can not run collect the text and release it at the end; ask
    /// [`Policy::streamability`] before if that is not wanted.
    pub(crate) fn new(policy: Arc<Policy>, scope: Scope) -> Self {
        let steps = policy
            .stages()
            .iter()
            .enumerate()
            .filter(|(_, stage)| stage.concerns(scope))
            .map(|(place, stage)| Step {
                stage: place,
                work: match stage.check {
                    Check::Spans(_) => Work::Spans(SpanStream::new()),
                    _ => Work::Collect(String::new()),
                },
            })
            .collect();
        Self {
            policy,
            steps,
            leading: Some(String::new()),
            hits: Vec::new(),
            blocked: false,
        }
    }

    /// Takes the next piece of the text and returns what is safe now.
    pub fn feed(&mut self, piece: &str) -> Fed {
        if self.blocked {
            return blocked();
        }
        if self.steps.is_empty() {
            return safe(piece.to_owned());
        }
        let Some(mut leading) = self.leading.take() else {
            return self.advance(piece.to_owned(), false);
        };
        leading.push_str(piece);
        if leading.trim_start().is_empty() && leading.len() <= MAX_PENDING_BYTES {
            self.leading = Some(leading);
            return safe(String::new());
        }
        self.advance(leading, false)
    }

    /// Says that the text is complete and returns the rest of it.
    pub fn finish(&mut self) -> Fed {
        if self.blocked {
            return blocked();
        }
        match self.leading.take() {
            Some(blank) => safe(blank),
            None => self.advance(String::new(), true),
        }
    }

    /// What was found so far.
    pub fn hits(&self) -> &[ScannerHit] {
        &self.hits
    }

    /// What became of the text so far.
    pub fn outcome(&self) -> Outcome {
        match (self.blocked, self.hits.is_empty()) {
            (true, _) => Outcome::Blocked,
            (false, false) => Outcome::Redacted,
            (false, true) => Outcome::Allowed,
        }
    }

    /// How many bytes are held back.
    pub fn pending_bytes(&self) -> usize {
        let held = self.steps.iter().map(|step| match &step.work {
            Work::Spans(stream) => stream.pending_bytes(),
            Work::Collect(text) => text.len(),
        });
        held.sum::<usize>() + self.leading.as_ref().map_or(0, String::len)
    }

    fn advance(&mut self, mut text: String, last: bool) -> Fed {
        for step in &mut self.steps {
            let Some(stage) = self.policy.stages().get(step.stage) else {
                continue;
            };
            let (passed, hit) = step.take(stage, &text, last);
            add_hits(&mut self.hits, hit.as_slice());
            match passed {
                Ok(output) => text = output,
                Err(Blocked) => {
                    self.blocked = true;
                    self.steps.clear();
                    return blocked();
                }
            }
        }
        safe(text)
    }
}

impl Step {
    /// Puts a piece through the stage; `last` says that no other follows.
    fn take(&mut self, stage: &Stage, text: &str, last: bool) -> (Result<String, Blocked>, Option<ScannerHit>) {
        let (scanner, action) = (stage.scanner, stage.action);
        let hit = |action, count| (count > 0).then_some(ScannerHit { scanner, action, count });
        let overflow = || (Err(Blocked), hit(Action::Block, 1));
        match (&mut self.work, &stage.check) {
            (Work::Spans(stream), Check::Spans(spans)) => {
                let released = stream.take(spans, text, last);
                if action == Action::Block && released.count > 0 {
                    return (Err(Blocked), hit(Action::Block, released.count));
                }
                if stream.pending_bytes() > MAX_PENDING_BYTES {
                    return overflow();
                }
                (Ok(released.text), hit(action, released.count))
            }
            (Work::Spans(_), _) => overflow(),
            (Work::Collect(collected), _) => {
                collected.push_str(text);
                if collected.len() > MAX_COLLECTED_BYTES {
                    return overflow();
                }
                if !last {
                    return (Ok(String::new()), None);
                }
                let collected = std::mem::take(collected);
                match stage.run(&collected) {
                    None => (Ok(collected), None),
                    Some(finding) if action == Action::Redact => (Ok(finding.text), hit(action, finding.count)),
                    Some(finding) => (Err(Blocked), hit(action, finding.count)),
                }
            }
        }
    }
}

fn safe(text: String) -> Fed {
    Fed { text, blocked: false }
}

fn blocked() -> Fed {
    Fed {
        text: String::new(),
        blocked: true,
    }
}
