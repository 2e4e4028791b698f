//! Equality and order of JSON values. Numbers compare by their exact value, never through a rounded float.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// A scalar in a form where equal scalars, and only they, have equal texts: what a database column can be indexed by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScalarKey(String);

impl ScalarKey {
    /// The key of a string, number or boolean; `None` for null, lists and objects.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self(format!("s:{text}"))),
            Value::Bool(boolean) => Some(Self(format!("b:{boolean}"))),
            Value::Number(number) => match Exact::of(number)? {
                Exact::Integer(integer) => Some(Self(format!("n:{integer}"))),
                Exact::Float(float) => Some(Self(format!("n:{float:e}"))),
            },
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// The text to store and to look up.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Structural equality: `1` equals `1.0`, `true` equals only `true`, and objects disregard the order of their keys.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::String(left), Value::String(right)) => left == right,
        (Value::Number(left), Value::Number(right)) => number_ordering(left, right) == Some(Ordering::Equal),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| equal(left, right)))
        }
        _ => false,
    }
}

/// The order of two numbers or of two strings (by code point); nothing else is ordered.
pub(super) fn ordering(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => number_ordering(left, right),
        // UTF-8 sorts by bytes exactly as by code points.
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// A number without rounding: every whole number in the range of 64-bit integers is an `Integer`, however it was
/// written, so a `Float` is never equal to an `Integer`.
enum Exact {
    Integer(i128),
    Float(f64),
}

impl Exact {
    fn of(number: &Number) -> Option<Self> {
        if let Some(integer) = number.as_i64() {
            return Some(Self::Integer(integer.into()));
        }
        if let Some(integer) = number.as_u64() {
            return Some(Self::Integer(integer.into()));
        }
        let float = number.as_f64().filter(|float| float.is_finite())?;
        let whole = float.fract() == 0.0 && (LOWEST_INTEGER..PAST_HIGHEST_INTEGER).contains(&float);
        Some(if whole {
            Self::Integer(truncated(float))
        } else {
            Self::Float(float)
        })
    }
}

/// -2^63, the lowest `i64`.
const LOWEST_INTEGER: f64 = -9_223_372_036_854_775_808.0;
/// 2^64, one past the highest `u64`.
const PAST_HIGHEST_INTEGER: f64 = 18_446_744_073_709_551_616.0;

fn number_ordering(left: &Number, right: &Number) -> Option<Ordering> {
    match (Exact::of(left)?, Exact::of(right)?) {
        (Exact::Integer(left), Exact::Integer(right)) => Some(left.cmp(&right)),
        (Exact::Float(left), Exact::Float(right)) => left.partial_cmp(&right),
        (Exact::Integer(left), Exact::Float(right)) => Some(integer_to_float(left, right)),
        (Exact::Float(left), Exact::Integer(right)) => Some(integer_to_float(right, left).reverse()),
    }
}

/// Compares an integer of the 64-bit range with a float that is not one of them.
fn integer_to_float(integer: i128, float: f64) -> Ordering {
    if float >= PAST_HIGHEST_INTEGER {
        return Ordering::Less;
    }
    if float < LOWEST_INTEGER {
        return Ordering::Greater;
    }
    // The float has a fraction, so it lies strictly on the far side of its truncation.
    integer
        .cmp(&truncated(float))
        .then(if float > 0.0 { Ordering::Less } else { Ordering::Greater })
}

fn truncated(float: f64) -> i128 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "callers pass floats in the range of 64-bit integers"
    )]
    let integer = float as i128;
    integer
}
