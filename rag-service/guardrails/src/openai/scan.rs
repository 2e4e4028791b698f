//! Scanning texts inside of JSON, and keeping count.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value};

use crate::policy::Policy;
use crate::stage::Scope;
use crate::verdict::{Outcome, ScannerHit, add_hits};

/// Longer names are texts.
const LONGEST_NAME: usize = 64;
/// Models are called by paths.
const LONGEST_ENVELOPE_NAME: usize = 256;

/// Scans texts with one policy and keeps count of what it finds.
#[derive(Debug)]
pub(super) struct Scan<'policy> {
    policy: &'policy Policy,
    pub(super) hits: Vec<ScannerHit>,
    pub(super) outcome: Outcome,
    /// Whether there was a text at all.
    pub(super) has_scanned: bool,
}

impl<'policy> Scan<'policy> {
    pub(super) fn new(policy: &'policy Policy) -> Self {
        Self {
            policy,
            hits: Vec::new(),
            outcome: Outcome::Allowed,
            has_scanned: false,
        }
    }

    pub(super) fn block_message(&self) -> &'policy str {
        self.policy.block_message()
    }

    /// Scans one text and replaces it by what may be shown.
    pub(super) fn text(&mut self, scope: Scope, text: &mut String) {
        let verdict = match scope {
            Scope::Answer => self.policy.scan(text),
            Scope::Fragment => self.policy.scan_fragment(text),
        };
        self.has_scanned = true;
        self.outcome = self.outcome.max(verdict.outcome);
        add_hits(&mut self.hits, &verdict.hits);
        if verdict.outcome != Outcome::Allowed {
            *text = verdict.text;
        }
    }

    /// Scans every string in a value.
    pub(super) fn leaves(&mut self, scope: Scope, value: &mut Value) {
        match value {
            Value::String(text) => self.text(scope, text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.leaves(scope, item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.leaves(scope, field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Scans every string, number and name of a field in a value. What hits becomes a string; a name that is taken
    /// already gets a number.
    pub(super) fn tree(&mut self, scope: Scope, value: &mut Value) {
        match value {
            Value::String(text) => self.text(scope, text),
            Value::Number(number) => {
                let digits = decimal(number);
                let mut shown = digits.clone();
                self.text(scope, &mut shown);
                if shown != digits {
                    *value = Value::String(shown);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.tree(scope, item)),
            Value::Object(fields) => {
                fields.values_mut().for_each(|field| self.tree(scope, field));
                self.field_names(scope, fields);
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn field_names(&mut self, scope: Scope, fields: &mut Map<String, Value>) {
        let shown: Vec<String> = fields
            .keys()
            .map(|name| {
                let mut shown = name.clone();
                self.text(scope, &mut shown);
                shown
            })
            .collect();
        if fields.keys().eq(&shown) {
            return;
        }
        let known = std::mem::take(fields);
        let kept: BTreeSet<String> = known
            .keys()
            .zip(&shown)
            .filter(|(name, shown)| name == shown)
            .map(|(name, _)| name.clone())
            .collect();
        for ((name, value), shown) in known.into_iter().zip(shown) {
            if name == shown {
                fields.insert(name, value);
                continue;
            }
            let is_free = |name: &String| !kept.contains(name) && !fields.contains_key(name);
            let numbered = (2_u64..).map(|number| format!("{shown} {number}"));
            let free = std::iter::once(shown.clone()).chain(numbered).find(is_free);
            fields.insert(free.unwrap_or(shown), value);
        }
    }

    /// Scans every string in a list of objects or in one, but for the names by which they are told apart.
    pub(super) fn parts(&mut self, scope: Scope, value: &mut Value) {
        match value {
            Value::Array(parts) => parts.iter_mut().for_each(|part| self.parts(scope, part)),
            Value::Object(fields) => {
                for (name, field) in fields {
                    if !(matches!(name.as_str(), "id" | "type") && is_name(field)) {
                        self.leaves(scope, field);
                    }
                }
            }
            other => self.leaves(scope, other),
        }
    }
}

/// Whether a value is null or so short and plain that it names something and says nothing.
pub(super) fn is_name(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(name) => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
            name.len() <= LONGEST_NAME && name.bytes().all(plain)
        }
        _ => false,
    }
}

/// Whether a member of a response or a chunk only names the response or counts, and is nothing that a model wrote.
pub(super) fn is_envelope_name(field: &str, value: &Value) -> bool {
    match field {
        "usage" | "created" => !value.is_string(),
        "id" | "object" | "model" | "system_fingerprint" | "service_tier" => match value {
            Value::String(name) => name.len() <= LONGEST_ENVELOPE_NAME && !name.contains(char::is_whitespace),
            _ => false,
        },
        _ => false,
    }
}

/// The digits of a number, without an exponent.
fn decimal(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float.to_string(),
        _ => number.to_string(),
    }
}

/// Removes what spells the prompt out, and with it the passages, wherever it is.
pub(super) fn without_prompt(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_prompt),
        Value::Object(fields) => {
            fields.retain(|name, _| !matches!(name.as_str(), "prompt_logprobs" | "prompt_token_ids"));
            fields.values_mut().for_each(without_prompt);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Fields that spell a text out in another way: token by token, or as numbers.
pub(super) fn spells_text(field: &str) -> bool {
    matches!(field, "logprobs" | "token_ids")
}
