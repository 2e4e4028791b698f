//! One choice of a stream: its texts on their way, one [`TextStream`] each.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::channel::Channel;
use super::chunk::ChunkChoice;
use super::scan::{Scan, is_name, spells_text};
use crate::policy::Policy;
use crate::stage::Scope;
use crate::stream::TextStream;
use crate::verdict::{Outcome, ScannerHit, add_hits};

/// How many tool calls a choice may have.
const MAX_TOOL_CALLS: usize = 128;

/// The state of one choice.
#[derive(Debug)]
pub(super) struct ChoiceGuard {
    policy: Arc<Policy>,
    channels: BTreeMap<Channel, TextStream>,
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
        let mut delta = self.guarded_delta(delta)?;
        if !is_finish {
            let text = says_something(&delta).then(|| {
                fields.insert("delta".to_owned(), Value::Object(delta));
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
        let mut delta = Map::new();
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

    fn guarded_delta(&mut self, delta: Map<String, Value>) -> Result<Map<String, Value>, Stop> {
        let mut guarded = Map::with_capacity(delta.len());
        for (name, mut value) in delta {
            if spells_text(&name) {
                continue;
            }
            match (Channel::of_field(&name), &mut value) {
                (Some(channel), Value::String(text)) => *text = self.stream(channel, text)?,
                (None, Value::Array(calls)) if name == "tool_calls" => self.guard_tool_calls(calls)?,
                (None, Value::Object(call)) if name == "function_call" => {
                    self.guard_call(call, "arguments", Channel::FunctionArguments)?;
                }
                (None, role) if name == "role" && is_name(role) => {}
                (_, other) => self.scan_leaves(other)?,
            }
            guarded.insert(name, value);
        }
        Ok(guarded)
    }

    fn guard_tool_calls(&mut self, calls: &mut Vec<Value>) -> Result<(), Stop> {
        for (place, call) in (0_u64..).zip(calls.iter_mut()) {
            let Value::Object(fields) = call else {
                self.scan_leaves(call)?;
                continue;
            };
            let index = fields.get("index").and_then(Value::as_u64).unwrap_or(place);
            for (name, value) in fields.iter_mut() {
                match (name.as_str(), value) {
                    ("function", Value::Object(call)) => {
                        self.guard_call(call, "arguments", Channel::ToolArguments(index))?;
                    }
                    ("custom", Value::Object(call)) => self.guard_call(call, "input", Channel::ToolInput(index))?,
                    ("id" | "type", value) if is_name(value) => {}
                    (_, other) => self.scan_leaves(other)?,
                }
            }
        }
        calls.retain(says_something_as_tool_call);
        Ok(())
    }

    /// Guards the name of a call and streams its arguments.
    fn guard_call(&mut self, call: &mut Map<String, Value>, arguments: &str, channel: Channel) -> Result<(), Stop> {
        for (name, value) in call.iter_mut() {
            match value {
                Value::String(text) if name == arguments => *text = self.stream(channel, text)?,
                other => self.scan_leaves(other)?,
            }
        }
        Ok(())
    }

    fn stream(&mut self, channel: Channel, text: &str) -> Result<String, Stop> {
        if self.is_finished {
            return match text.is_empty() {
                true => Ok(String::new()),
                false => Err(Stop::Refused(
                    "OpenAI chat stream choice has text after its finish_reason.",
                )),
            };
        }
        let is_tool = |channel: &Channel| matches!(channel, Channel::ToolArguments(_) | Channel::ToolInput(_));
        if is_tool(&channel)
            && !self.channels.contains_key(&channel)
            && self.channels.keys().filter(|known| is_tool(known)).count() >= MAX_TOOL_CALLS
        {
            return Err(Stop::Refused("OpenAI chat stream choice has too many tool calls."));
        }
        let policy = &self.policy;
        let stream = self.channels.entry(channel).or_insert_with(|| match channel {
            Channel::Content => policy.stream(),
            _ => policy.stream_fragment(),
        });
        let fed = stream.feed(text);
        if fed.blocked { Err(Stop::Blocked) } else { Ok(fed.text) }
    }

    fn flush_into(&mut self, delta: &mut Map<String, Value>) -> Result<(), Stop> {
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
                channel.append(delta, fed.text);
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

fn text_choice(index: u64, delta: &Map<String, Value>) -> Value {
    json!({"index": index, "delta": delta, "finish_reason": null})
}

/// Whether there is anything in a delta that a client would miss.
fn says_something(delta: &Map<String, Value>) -> bool {
    delta.values().any(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => says_something(fields),
        Value::Bool(_) | Value::Number(_) => true,
    })
}

fn says_something_as_tool_call(call: &Value) -> bool {
    match call {
        Value::Object(fields) => fields.iter().any(|(name, value)| match (name.as_str(), value) {
            ("index" | "type", _) => false,
            (_, Value::Object(call)) => says_something(call),
            (_, Value::String(text)) => !text.is_empty(),
            (_, other) => !other.is_null(),
        }),
        other => !other.is_null(),
    }
}
