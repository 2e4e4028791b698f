//! Complete responses.

use serde_json::{Map, Value, json};

use super::scan::{Scan, is_envelope_name, is_name, spells_text, without_prompt};
use super::{GuardReport, GuardedChoice};
use crate::policy::Policy;
use crate::stage::Scope;
use crate::verdict::{Outcome, add_hits};

/// Applies a policy to every choice of a response, and to what a server adds beside them. `finish_reason` stays as it
/// is; what spells the prompt out is removed in any case.
///
/// Redaction changes the texts in place and removes what would spell them out again. If any text of a choice is
/// blocked, the message consists of its role and the block message, and the choice of nothing else. Beside the choices,
/// a text that is blocked becomes the block message.
pub fn guard_response(policy: &Policy, response: &mut Value) -> GuardReport {
    let mut report = GuardReport::default();
    if policy.is_empty() {
        return report;
    }
    without_prompt(response);
    let Value::Object(members) = response else {
        return report;
    };
    let mut beside = Scan::new(policy);
    for (name, value) in members.iter_mut() {
        match value {
            Value::Array(choices) if name == "choices" => guard_choices(policy, choices, &mut report),
            value if is_envelope_name(name, value) || spells_text(name) => {}
            value => beside.leaves(Scope::Fragment, value),
        }
    }
    add_hits(&mut report.hits, &beside.hits);
    if report.outcome() != Outcome::Allowed {
        members.retain(|name, _| !spells_text(name));
    }
    report
}

fn guard_choices(policy: &Policy, choices: &mut [Value], report: &mut GuardReport) {
    for (place, choice) in (0_u64..).zip(choices) {
        let mut scan = Scan::new(policy);
        let index = choice.get("index").and_then(Value::as_u64).unwrap_or(place);
        match choice {
            Value::Object(fields) => guard_choice(&mut scan, fields),
            other => scan.leaves(Scope::Fragment, other),
        }
        if scan.has_scanned {
            report.choices.push(GuardedChoice {
                index,
                outcome: scan.outcome,
            });
        }
        add_hits(&mut report.hits, &scan.hits);
    }
}

fn guard_choice(scan: &mut Scan<'_>, choice: &mut Map<String, Value>) {
    for (name, value) in choice.iter_mut() {
        match (name.as_str(), value) {
            ("message", Value::Object(message)) => guard_message(scan, message),
            ("finish_reason", reason) if is_name(reason) => {}
            (name, _) if spells_text(name) => {}
            (_, other) => scan.leaves(Scope::Fragment, other),
        }
    }
    match scan.outcome {
        Outcome::Allowed => {}
        Outcome::Redacted => without_spelling(choice),
        Outcome::Blocked => block(choice, scan.block_message()),
    }
}

fn guard_message(scan: &mut Scan<'_>, message: &mut Map<String, Value>) {
    for (name, value) in message.iter_mut() {
        match (name.as_str(), value) {
            ("role", role) if is_name(role) => {}
            ("content", content) => scan.parts(Scope::Answer, content),
            ("audio", Value::Object(audio)) => {
                if let Some(transcript) = audio.get_mut("transcript") {
                    scan.leaves(Scope::Fragment, transcript);
                }
            }
            (_, other) => scan.parts(Scope::Fragment, other),
        }
    }
}

/// Removes what gives the original text away. A voice that speaks it does, too.
fn without_spelling(choice: &mut Map<String, Value>) {
    let is_telling = |name: &str| spells_text(name) || name == "audio";
    for (name, value) in choice.iter_mut() {
        match value {
            Value::Object(message) if name == "message" => {
                for (_, value) in message.iter_mut().filter(|(name, _)| is_telling(name)) {
                    *value = Value::Null;
                }
            }
            value if spells_text(name) => *value = Value::Null,
            _ => {}
        }
    }
}

fn block(choice: &mut Map<String, Value>, block_message: &str) {
    let role = choice
        .get("message")
        .and_then(|message| message.get("role"))
        .filter(|role| role.is_string());
    let mut message = Map::new();
    message.insert("role".to_owned(), role.cloned().unwrap_or_else(|| json!("assistant")));
    message.insert("content".to_owned(), json!(block_message));
    choice.retain(|name, value| match name.as_str() {
        "index" => value.is_u64(),
        "finish_reason" => is_name(value),
        "message" | "logprobs" => true,
        _ => false,
    });
    choice.insert("message".to_owned(), Value::Object(message));
    if let Some(logprobs) = choice.get_mut("logprobs") {
        *logprobs = Value::Null;
    }
}
