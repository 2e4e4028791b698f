//! Requests in, typed values out, and KAITO's 422 bodies (pydantic's) for what does not fit.
//!
//! Written by hand because no Rust library reports a mistake the way pydantic does: all of them at once, each with a
//! type, a location and the offending input.

mod body;
mod query;

use serde_json::{Map, Value, json};

pub(super) use self::body::{BodyShape, read_object};
pub(super) use self::query::QueryParameters;
use super::problem::Problem;

/// Longest input echoed in an error, in bytes of JSON; more would send a large body back to its sender.
const MAX_ECHO_BYTES: usize = 2048;

/// Errors found so far in one request.
#[derive(Default)]
pub(super) struct ValidationErrors(Vec<Value>);

/// The error noted last, to which more can be added.
pub(super) struct Noted<'errors>(Option<&'errors mut Value>);

impl Noted<'_> {
    /// Adds the bound that was broken, or whatever else pydantic puts under `ctx`.
    pub(super) fn context(self, context: Value) {
        if let Some(Value::Object(error)) = self.0 {
            error.insert("ctx".to_owned(), context);
        }
    }
}

/// Where in the request something is: `["body", "documents", 0, "text"]`.
#[derive(Clone)]
pub(super) struct Location(Vec<Value>);

impl Location {
    pub(super) fn body() -> Self {
        Self(vec![json!("body")])
    }

    pub(super) fn query() -> Self {
        Self(vec![json!("query")])
    }

    pub(super) fn key(&self, key: &str) -> Self {
        self.with(json!(key))
    }

    pub(super) fn item(&self, position: usize) -> Self {
        self.with(json!(position))
    }

    fn with(&self, step: Value) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl ValidationErrors {
    /// Notes an error.
    pub(super) fn push(&mut self, kind: &str, location: &Location, message: &str, input: &Value) -> Noted<'_> {
        self.0
            .push(json!({"type": kind, "loc": location.0, "msg": message, "input": echo(input)}));
        Noted(self.0.last_mut())
    }

    /// The value, unless an error was noted.
    pub(super) fn into_result<T>(self, value: Option<T>) -> Result<T, Problem> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Problem::invalid(self.0)),
        }
    }

    /// A field that must be there.
    pub(super) fn required<'a>(
        &mut self,
        object: &'a Map<String, Value>,
        location: &Location,
        key: &str,
    ) -> Option<&'a Value> {
        let value = object.get(key);
        if value.is_none() {
            self.push(
                "missing",
                &location.key(key),
                "Field required",
                &Value::Object(object.clone()),
            );
        }
        value
    }

    pub(super) fn string(&mut self, value: &Value, location: &Location) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            other => {
                self.push("string_type", location, "Input should be a valid string", other);
                None
            }
        }
    }

    pub(super) fn list<'a>(&mut self, value: &'a Value, location: &Location) -> Option<&'a Vec<Value>> {
        match value {
            Value::Array(items) => Some(items),
            other => {
                self.push("list_type", location, "Input should be a valid list", other);
                None
            }
        }
    }

    /// An object; `null` counts as empty.
    pub(super) fn object_or_null(&mut self, value: &Value, location: &Location) -> Option<Map<String, Value>> {
        match value {
            Value::Null => Some(Map::new()),
            Value::Object(map) => Some(map.clone()),
            other => {
                self.push("dict_type", location, "Input should be a valid dictionary", other);
                None
            }
        }
    }

    /// A whole number inside bounds. Numeric strings and floats without a fraction are taken, as pydantic does.
    pub(super) fn integer(&mut self, value: &Value, location: &Location, bounds: Bounds) -> Option<u64> {
        let number = match value {
            Value::Number(number) => whole_number(number),
            Value::String(text) => {
                let parsed = text.trim().parse::<i128>().ok();
                if parsed.is_none() {
                    let message = "Input should be a valid integer, unable to parse string as an integer";
                    self.push("int_parsing", location, message, value);
                }
                return self.bounded(parsed?, value, location, bounds);
            }
            _ => {
                self.push("int_type", location, "Input should be a valid integer", value);
                return None;
            }
        };
        if number.is_none() {
            let message = "Input should be a valid integer, got a number with a fractional part";
            self.push("int_from_float", location, message, value);
        }
        self.bounded(number?, value, location, bounds)
    }

    fn bounded(&mut self, number: i128, input: &Value, location: &Location, bounds: Bounds) -> Option<u64> {
        if number < i128::from(bounds.least) {
            let message = format!("Input should be greater than or equal to {}", bounds.least);
            self.push("greater_than_equal", location, &message, input)
                .context(json!({"ge": bounds.least}));
            return None;
        }
        if number > i128::from(bounds.most) {
            let message = format!("Input should be less than or equal to {}", bounds.most);
            self.push("less_than_equal", location, &message, input)
                .context(json!({"le": bounds.most}));
            return None;
        }
        u64::try_from(number).ok()
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, value: &Value, location: &Location) -> Option<bool> {
        if value.as_bool().is_none() {
            self.push("bool_type", location, "Input should be a valid boolean", value);
        }
        value.as_bool()
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, value: &Value, location: &Location, choices: &[(&str, T)]) -> Option<T> {
        let chosen = value
            .as_str()
            .and_then(|text| choices.iter().find(|(word, _)| *word == text));
        if let Some((_, chosen)) = chosen {
            return Some(*chosen);
        }
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("'{word}'")).collect();
        let expected = match words.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => words.concat(),
        };
        let message = format!("Input should be {expected}");
        self.push("literal_error", location, &message, value)
            .context(json!({"expected": expected}));
        None
    }
}

/// Bounds of a whole number, both included.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) least: u64,
    pub(super) most: u64,
}

fn whole_number(number: &serde_json::Number) -> Option<i128> {
    if let Some(number) = number.as_i64() {
        return Some(i128::from(number));
    }
    if let Some(number) = number.as_u64() {
        return Some(i128::from(number));
    }
    let float = number
        .as_f64()
        .filter(|float| float.fract() == 0.0 && float.abs() < 9e15)?;
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
    let whole = float as i64;
    Some(i128::from(whole))
}

/// The input itself when it is small, else its beginning.
fn echo(input: &Value) -> Value {
    let text = input.to_string();
    if text.len() <= MAX_ECHO_BYTES {
        return input.clone();
    }
    let end = text.floor_char_boundary(MAX_ECHO_BYTES);
    Value::String(format!(
        "{}… ({} bytes in all)",
        text.get(..end).unwrap_or_default(),
        text.len()
    ))
}
