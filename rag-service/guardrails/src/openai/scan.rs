//! Scanning texts inside of JSON, and keeping count.

use serde_json::Value;

use crate::policy::Policy;
use crate::stage::Scope;
use crate::verdict::{Outcome, ScannerHit, add_hits};

/// Longer names are texts.
const LONGEST_NAME: usize = 64;

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

/// Fields that spell a text out in another way: token by token, or as numbers.
pub(super) fn spells_text(field: &str) -> bool {
    matches!(field, "logprobs" | "token_ids")
}
