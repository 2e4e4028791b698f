//! One choice of a stream: its texts on their way, one [`TextStream`] each.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use serde_json::{Value, json};

use super::channel::{Channel, index_of};
use super::chunk::ChunkChoice;
use super::scan::{Scan, is_name, spells_text};
use crate::policy::Policy;
use crate::stage::Scope;
use crate::stream::TextStream;
use crate::verdict::{Outcome, ScannerHit, add_hits};

/// How many texts may grow at once in the fields of a choice's deltas, and how many in objects and lists in them, like
/// the arguments of tool calls.
const MAX_CHANNELS: usize = 128;

/// The state of one choice.
#[derive(Debug)]
pub(super) struct ChoiceGuard {
    policy: Arc<Policy>,
    channels: BTreeMap<Channel, TextStream>,
    /// How many of them are not nested, and how many are.
    channel_counts: BTreeMap<bool, usize>,
    is_finished: bool,
    /// What was found in texts that do not grow.
    hits: Vec<ScannerHit>,
    outcome: Outcome,
    has_scanned: bool,
}

/// A choice may not go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// A scanner blocks it.
    Blocked,
    /// Its chunks can not be followed.
    Refused(&'static str),
}

/// What is left of a choice of a chunk.
#[derive(Debug, Default)]
pub(super) struct Released {
    /// The choice with the text that is safe, if it says anything.
    pub(super) text: Option<Value>,
    /// The choice with its reason to finish.
    pub(super) finish: Option<Value>,
}

impl ChoiceGuard {
    pub(super) fn new(policy: Arc<Policy>) -> Self {
        Self {
            policy,
            channels: BTreeMap::new(),
            channel_counts: BTreeMap::new(),
            is_finished: false,
            hits: Vec::new(),
            outcome: Outcome::Allowed,
            has_scanned: false,
        }
    }

    /// Takes the choice's part of a chunk.
    pub(super) fn feed(&mut self, choice: ChunkChoice) -> Result<Released, Stop> {
        let ChunkChoice {
            index,
            mut fields,
            delta,
            is_finish,
        } = choice;
        fields.retain(|name, _| !spells_text(name));
        for (name, value) in fields.iter_mut() {
            if !(name == "finish_reason" && is_name(value)) {
                self.scan_leaves(value)?;
            }
        }
        let mut delta = Value::Object(delta);
        self.guard(&mut Channel::default(), &mut delta)?;
        if !is_finish {
            let text = says_something(&delta).then(|| {
                fields.insert("delta".to_owned(), delta);
                Value::Object(fields)
            });
            return Ok(Released { text, finish: None });
        }
        self.flush_into(&mut delta)?;
        fields.insert("delta".to_owned(), json!({}));
        Ok(Released {
            text: says_something(&delta).then(|| text_choice(index, &delta)),
            finish: Some(Value::Object(fields)),
        })
    }

    /// Says that no more chunks come for this choice, and returns the rest of its texts.
    pub(super) fn finish(&mut self, index: u64) -> Result<Option<Value>, Stop> {
        let mut delta = json!({});
        self.flush_into(&mut delta)?;
        Ok(says_something(&delta).then(|| text_choice(index, &delta)))
    }

    pub(super) fn pending_bytes(&self) -> usize {
        self.channels.values().map(TextStream::pending_bytes).sum()
    }

    /// What became of the choice so far; `None` if there was nothing to scan.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        let streamed = self.channels.values().map(TextStream::outcome).max();
        let scanned = (self.has_scanned || self.outcome != Outcome::Allowed).then_some(self.outcome);
        streamed.max(scanned)
    }

    pub(super) fn add_hits_to(&self, sum: &mut Vec<ScannerHit>) {
        add_hits(sum, &self.hits);
        for stream in self.channels.values() {
            add_hits(sum, stream.hits());
        }
    }

    /// Marks the choice as the one because of which the stream ends.
    pub(super) fn block(&mut self) {
        self.outcome = Outcome::Blocked;
    }

    /// Guards a value of the delta, where `here` says that it stands: strings are pieces of texts that grow.
    fn guard(&mut self, here: &mut Channel, value: &mut Value) -> Result<(), Stop> {
        match value {
            Value::Object(fields) => {
                let is_audio = here.is_audio();
                fields.retain(|name, _| !(spells_text(name) || is_audio && name == "data"));
                for (name, field) in fields.iter_mut() {
                    here.enter_field(name);
                    self.guard(here, field)?;
                    here.leave();
                }
            }
            Value::Array(items) => {
                for (place, item) in items.iter_mut().enumerate() {
                    here.enter_item(place, item);
                    self.guard(here, item)?;
                    here.leave();
                }
                drop_silent(
                    items,
                    if here.is_tool_calls() {
                        &["index", "type"]
                    } else {
                        &["index"]
                    },
                );
            }
            Value::String(_) if here.is_name() && is_name(value) => {
                if !here.identifies() {
                    self.scan_leaves(value)?;
                }
            }
            Value::String(text) => *text = self.stream(here, text)?,
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        Ok(())
    }

    fn stream(&mut self, channel: &Channel, text: &str) -> Result<String, Stop> {
        if self.is_finished {
            return match text.is_empty() {
                true => Ok(String::new()),
                false => Err(Stop::Refused(
                    "OpenAI chat stream choice has text after its finish_reason.",
                )),
            };
        }
        let stream = match self.channels.entry(channel.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let count = self.channel_counts.entry(channel.is_nested()).or_default();
                if *count >= MAX_CHANNELS {
                    return Err(Stop::Refused("OpenAI chat stream choice has too many texts at once."));
                }
                *count += 1;
                new.insert(if channel.is_answer() {
                    self.policy.stream()
                } else {
                    self.policy.stream_fragment()
                })
            }
        };
        let fed = stream.feed(text);
        if fed.blocked { Err(Stop::Blocked) } else { Ok(fed.text) }
    }

    fn flush_into(&mut self, delta: &mut Value) -> Result<(), Stop> {
        if self.is_finished {
            return Ok(());
        }
        self.is_finished = true;
        for (channel, stream) in &mut self.channels {
            let fed = stream.finish();
            if fed.blocked {
                return Err(Stop::Blocked);
            }
            if !fed.text.is_empty() {
                channel.append(delta, &fed.text);
            }
        }
        Ok(())
    }

    fn scan_leaves(&mut self, value: &mut Value) -> Result<(), Stop> {
        let mut scan = Scan::new(&self.policy);
        scan.leaves(Scope::Fragment, value);
        add_hits(&mut self.hits, &scan.hits);
        self.outcome = self.outcome.max(scan.outcome);
        self.has_scanned |= scan.has_scanned;
        if scan.outcome == Outcome::Blocked {
            Err(Stop::Blocked)
        } else {
            Ok(())
        }
    }
}

fn text_choice(index: u64, delta: &Value) -> Value {
    json!({"index": index, "delta": delta, "finish_reason": null})
}

/// Whether there is anything in a value that a client would miss.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => fields.values().any(says_something),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Drops the items of a list that say nothing apart from the fields with these names. Items without an `index` stay
/// beside others, which are told by their places.
fn drop_silent(items: &mut Vec<Value>, beside: &[&str]) {
    let speaks = |item: &Value| match item {
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| !beside.contains(&name.as_str()) && says_something(value)),
        other => says_something(other),
    };
    if items.iter().any(speaks) {
        items.retain(|item| index_of(item).is_none() || speaks(item));
    } else {
        items.clear();
    }
}
