//! Streams of chunks.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::choice::{ChoiceGuard, Released, Stop};
use super::chunk::{Chunk, ChunkChoice};
use super::scan::{Scan, is_envelope_name, spells_text, without_prompt};
use super::{GuardReport, GuardedChoice};
use crate::policy::Policy;
use crate::stage::Scope;
use crate::verdict::{Outcome, ScannerHit, add_hits};

/// How many choices a stream may have.
const MAX_CHOICES: usize = 128;
/// How much text all choices together may hold back.
const MAX_PENDING_BYTES: usize = 8 * 1024 * 1024;

/// A policy applied to a stream of chunks: takes each as it comes and returns the chunks to send instead.
///
/// Text is sent in the envelope of the chunk that made it safe, so it may be that of a later chunk than it came in.
/// After a block nothing follows; the caller ends the stream with `[DONE]`.
#[derive(Debug)]
pub struct StreamGuard {
    policy: Arc<Policy>,
    choices: BTreeMap<u64, ChoiceGuard>,
    /// The last chunk without its choices and its usage.
    envelope: Map<String, Value>,
    /// What was found in envelopes.
    hits: Vec<ScannerHit>,
    refusal: Option<&'static str>,
    is_blocked: bool,
}

/// Why the stream ends: which choice it is, and why.
struct Halt {
    index: Option<u64>,
    stop: Stop,
}

impl StreamGuard {
    /// Begins a stream.
    pub fn new(policy: Arc<Policy>) -> Self {
        Self {
            policy,
            choices: BTreeMap::new(),
            envelope: Map::new(),
            hits: Vec::new(),
            refusal: None,
            is_blocked: false,
        }
    }

    /// Takes the next chunk and returns the chunks to send on, which may be none.
    pub fn feed(&mut self, chunk: Value) -> Vec<Value> {
        if self.is_blocked {
            return Vec::new();
        }
        if self.policy.is_empty() {
            return vec![chunk];
        }
        match self.guarded(chunk) {
            Ok(chunks) => chunks,
            Err(halt) => self.halt(&halt),
        }
    }

    /// Says that no chunk follows, and returns the chunks to send before the end. After finished choices there are
    /// none.
    pub fn finish(&mut self) -> Vec<Value> {
        if self.is_blocked {
            return Vec::new();
        }
        match self.flushed() {
            Ok(choices) if choices.is_empty() => Vec::new(),
            Ok(choices) => vec![in_envelope(self.envelope.clone(), choices)],
            Err(halt) => self.halt(&halt),
        }
    }

    /// Whether the stream was blocked.
    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// What became of the stream so far.
    pub fn report(&self) -> GuardReport {
        let mut hits = self.hits.clone();
        for choice in self.choices.values() {
            choice.add_hits_to(&mut hits);
        }
        let choices = self.choices.iter().filter_map(|(index, choice)| {
            Some(GuardedChoice {
                index: *index,
                outcome: choice.outcome()?,
            })
        });
        GuardReport {
            choices: choices.collect(),
            hits,
            refusal: self.refusal,
        }
    }

    fn guarded(&mut self, mut chunk: Value) -> Result<Vec<Value>, Halt> {
        without_prompt(&mut chunk);
        let Chunk { mut envelope, choices } = Chunk::new(chunk).map_err(refused)?;
        self.scan_envelope(&mut envelope)?;
        self.envelope = envelope.clone();
        self.envelope.shift_remove("usage");
        self.envelope.shift_remove("error");
        let Some(choices) = choices.filter(|choices| !choices.is_empty()) else {
            return self.without_choices(envelope);
        };
        let (mut texts, mut finishes) = (Vec::new(), Vec::new());
        for choice in choices {
            let released = self.feed_choice(choice)?;
            texts.extend(released.text);
            finishes.extend(released.finish);
        }
        if self.choices.values().map(ChoiceGuard::pending_bytes).sum::<usize>() > MAX_PENDING_BYTES {
            return Err(refused("OpenAI chat stream leaves too much text undecided."));
        }
        let says_more = ["usage", "error"]
            .iter()
            .any(|name| envelope.get(*name).is_some_and(|value| !value.is_null()));
        Ok(match (texts.is_empty(), finishes.is_empty()) {
            (false, false) => vec![
                in_envelope(self.envelope.clone(), texts),
                in_envelope(envelope, finishes),
            ],
            (false, true) => vec![in_envelope(envelope, texts)],
            (true, false) => vec![in_envelope(envelope, finishes)],
            (true, true) if says_more => vec![in_envelope(envelope, Vec::new())],
            (true, true) => Vec::new(),
        })
    }

    /// A chunk about the whole response: usage, or an error, before which all that was held back is due.
    fn without_choices(&mut self, envelope: Map<String, Value>) -> Result<Vec<Value>, Halt> {
        let mut chunks = Vec::new();
        if envelope.get("error").is_some_and(|error| !error.is_null()) {
            let choices = self.flushed()?;
            if !choices.is_empty() {
                chunks.push(in_envelope(self.envelope.clone(), choices));
            }
        }
        chunks.push(Value::Object(with_null_choices_as_list(envelope)));
        Ok(chunks)
    }

    fn feed_choice(&mut self, choice: ChunkChoice) -> Result<Released, Halt> {
        let index = choice.index;
        if !self.choices.contains_key(&index) && self.choices.len() >= MAX_CHOICES {
            return Err(refused("OpenAI chat stream has too many choices."));
        }
        let policy = &self.policy;
        let guard = self
            .choices
            .entry(index)
            .or_insert_with(|| ChoiceGuard::new(Arc::clone(policy)));
        guard.feed(choice).map_err(|stop| Halt {
            index: Some(index),
            stop,
        })
    }

    fn flushed(&mut self) -> Result<Vec<Value>, Halt> {
        let mut texts = Vec::new();
        for (index, choice) in &mut self.choices {
            let text = choice.finish(*index).map_err(|stop| Halt {
                index: Some(*index),
                stop,
            })?;
            texts.extend(text);
        }
        Ok(texts)
    }

    /// Scans what a server may have added to the chunk; names and counts say nothing.
    fn scan_envelope(&mut self, envelope: &mut Map<String, Value>) -> Result<(), Halt> {
        envelope.retain(|name, _| !spells_text(name));
        let mut scan = Scan::new(&self.policy);
        for (name, value) in envelope.iter_mut() {
            if !is_envelope_name(name, value) {
                scan.leaves(Scope::Fragment, value);
            }
        }
        add_hits(&mut self.hits, &scan.hits);
        match scan.outcome {
            Outcome::Blocked => Err(Halt {
                index: None,
                stop: Stop::Blocked,
            }),
            Outcome::Allowed | Outcome::Redacted => Ok(()),
        }
    }

    /// Ends the stream with the block message, in the envelope of the last chunk that had the right form.
    fn halt(&mut self, halt: &Halt) -> Vec<Value> {
        self.is_blocked = true;
        if let Stop::Refused(reason) = halt.stop {
            self.refusal = Some(reason);
        }
        let index = halt.index.unwrap_or_default();
        let policy = &self.policy;
        self.choices
            .entry(index)
            .or_insert_with(|| ChoiceGuard::new(Arc::clone(policy)))
            .block();
        let envelope = std::mem::take(&mut self.envelope);
        let message = json!({"index": index, "delta": {"content": policy.block_message()}, "finish_reason": null});
        let end = json!({"index": index, "delta": {}, "finish_reason": "content_filter"});
        vec![
            in_envelope(envelope.clone(), vec![message]),
            in_envelope(envelope, vec![end]),
        ]
    }
}

fn refused(reason: &'static str) -> Halt {
    Halt {
        index: None,
        stop: Stop::Refused(reason),
    }
}

/// The chunk with these choices, at the place where its own were.
fn in_envelope(mut envelope: Map<String, Value>, choices: Vec<Value>) -> Value {
    envelope.insert("choices".to_owned(), Value::Array(choices));
    Value::Object(envelope)
}

/// Restores the empty list that was taken out of the chunk.
fn with_null_choices_as_list(mut envelope: Map<String, Value>) -> Map<String, Value> {
    if let Some(choices) = envelope.get_mut("choices") {
        *choices = json!([]);
    }
    envelope
}
