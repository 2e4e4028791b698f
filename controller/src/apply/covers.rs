//! Whether an object has every field that another one names.

use serde_json::{Map, Value};

/// Whether `live` has all that `desired` says. What `live` has besides is left alone: defaults, and what others own.
///
/// Lists of things with names are compared by name, in any order, as server-side apply merges them; other lists one by
/// one. An empty object or list is the same as none.
pub fn covers(live: &Value, desired: &Value) -> bool {
    match (live, desired) {
        (Value::Object(live), Value::Object(desired)) => desired.iter().all(|(name, value)| member(live, name, value)),
        (Value::Array(live), Value::Array(desired)) => list(live, desired),
        (Value::String(live), Value::String(desired)) => live == desired || same_quantity(live, desired),
        (live, desired) => live == desired,
    }
}

fn member(live: &Map<String, Value>, name: &str, desired: &Value) -> bool {
    match live.get(name) {
        Some(live) => covers(live, desired),
        None => is_nothing(desired),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn list(live: &[Value], desired: &[Value]) -> bool {
    if !desired.is_empty() && desired.iter().all(|item| name_of(item).is_some()) {
        return desired.iter().all(|item| {
            live.iter()
                .find(|candidate| name_of(candidate) == name_of(item))
                .is_some_and(|candidate| covers(candidate, item))
        });
    }
    live.len() == desired.len() && live.iter().zip(desired).all(|(live, desired)| covers(live, desired))
}

fn name_of(item: &Value) -> Option<&str> {
    item.get("name").and_then(Value::as_str)
}

/// Whether two strings are one amount in two spellings, as the API server rewrites `0.5` to `500m`.
fn same_quantity(one: &str, other: &str) -> bool {
    matches!((quantity(one), quantity(other)), (Some(one), Some(other)) if (one - other).abs() <= one.abs() * 1e-9)
}

/// The amount that a Kubernetes quantity with a suffix or a fraction says. Plain words and whole numbers are none:
/// they are compared as they are.
fn quantity(text: &str) -> Option<f64> {
    let split = text
        .find(|character: char| character.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => f64::from(1 << 10),
        "Mi" => f64::from(1 << 20),
        "Gi" => f64::from(1 << 30),
        "Ti" => f64::from(1 << 30) * f64::from(1 << 10),
        "Pi" => f64::from(1 << 30) * f64::from(1 << 20),
        "Ei" => f64::from(1 << 30) * f64::from(1 << 30),
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_add_is_left_alone_and_what_is_missing_or_different_is_seen() {
        let live = json!({"a": 1, "b": {"c": "x", "d": true}, "list": [1, 2], "extra": {"y": 1}});
        for (desired, covered) in [
            (json!({}), true),
            (json!({"a": 1}), true),
            (json!({"b": {"c": "x"}}), true),
            (json!({"list": [1, 2]}), true),
            (json!({"absent": {}, "nothing": [], "null": null}), true),
            (json!({"a": 2}), false),
            (json!({"b": {"c": "y"}}), false),
            (json!({"b": {"e": 1}}), false),
            (json!({"list": [1]}), false),
            (json!({"list": [2, 1]}), false),
            (json!({"extra": "z"}), false),
        ] {
            assert_eq!(covers(&live, &desired), covered, "{desired}");
        }
    }

    #[test]
    fn named_items_are_found_in_any_order_beside_those_of_others() {
        let live = json!([{"name": "injected"}, {"name": "b", "value": "2", "more": 1}, {"name": "a", "value": "1"}]);
        assert!(covers(&live, &json!([{"name": "a", "value": "1"}, {"name": "b"}])));
        assert!(!covers(&live, &json!([{"name": "a", "value": "2"}])));
        assert!(!covers(&live, &json!([{"name": "c"}])));
    }

    #[test]
    fn an_amount_is_the_same_in_every_spelling() {
        for (one, other, same) in [
            ("500m", "0.5", true),
            ("1Gi", "1024Mi", true),
            ("1000k", "1M", true),
            ("1", "1000m", true),
            ("1Gi", "1G", false),
            ("abc", "abd", false),
            ("8Gi", "9Gi", false),
        ] {
            assert_eq!(covers(&json!(one), &json!(other)), same, "{one} {other}");
        }
    }
}
