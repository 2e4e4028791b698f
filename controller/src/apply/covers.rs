//! Whether an object has every field that another one names.

use serde_json::{Map, Value};

/// Fields that the API server leaves out when they are false, 0 or empty. Others would mean something else when they are
/// missing.
const OMITTED_WHEN_NOTHING: [&str; 12] = [
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "initialDelaySeconds",
    "mountPropagation",
    "publishNotReadyAddresses",
    "readOnly",
    "stdin",
    "stdinOnce",
    "subPath",
    "tty",
    "value",
];

/// Where `live` does not have what `desired` says; `None` when it has all of it. What `live` has besides is left alone:
/// defaults, and what others own.
///
/// Lists of things with names are compared by name, in any order, as server-side apply merges them; other lists one by
/// one. An empty object or list is the same as none.
pub fn difference(live: &Value, desired: &Value) -> Option<String> {
    differs(live, desired).map(|mut path| {
        path.reverse();
        path.join(".")
    })
}

/// The path to the difference, from its end.
fn differs(live: &Value, desired: &Value) -> Option<Vec<String>> {
    let is_same = match (live, desired) {
        (Value::Object(live), Value::Object(desired)) => {
            return desired.iter().find_map(|(name, value)| {
                let mut path = member(live, name, value)?;
                path.push(name.clone());
                Some(path)
            });
        }
        (Value::Array(live), Value::Array(desired)) => return list(live, desired),
        (Value::String(live), Value::String(desired)) => live == desired || same_quantity(live, desired),
        (live, desired) => live == desired,
    };
    (!is_same).then(Vec::new)
}

fn member(live: &Map<String, Value>, name: &str, desired: &Value) -> Option<Vec<String>> {
    match live.get(name) {
        Some(live) => differs(live, desired),
        None => (!is_nothing(name, desired)).then(Vec::new),
    }
}

fn is_nothing(name: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(false) => OMITTED_WHEN_NOTHING.contains(&name),
        Value::Number(number) => number.as_i64() == Some(0) && OMITTED_WHEN_NOTHING.contains(&name),
        Value::String(text) => text.is_empty() && OMITTED_WHEN_NOTHING.contains(&name),
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn list(live: &[Value], desired: &[Value]) -> Option<Vec<String>> {
    if !desired.is_empty() && desired.iter().all(|item| name_of(item).is_some()) {
        return desired.iter().find_map(|item| {
            let found = live.iter().find(|candidate| name_of(candidate) == name_of(item));
            let mut path = found.map_or(Some(Vec::new()), |found| differs(found, item))?;
            path.extend(name_of(item).map(ToOwned::to_owned));
            Some(path)
        });
    }
    if live.len() != desired.len() {
        return Some(Vec::new());
    }
    live.iter()
        .zip(desired)
        .enumerate()
        .find_map(|(place, (live, desired))| {
            let mut path = differs(live, desired)?;
            path.push(place.to_string());
            Some(path)
        })
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
            assert_eq!(difference(&live, &desired).is_none(), covered, "{desired}");
        }
    }

    #[test]
    fn named_items_are_found_in_any_order_beside_those_of_others() {
        let live = json!([{"name": "injected"}, {"name": "b", "value": "2", "more": 1}, {"name": "a", "value": "1"}]);
        assert_eq!(
            difference(&live, &json!([{"name": "a", "value": "1"}, {"name": "b"}])),
            None
        );
        assert_eq!(
            difference(&live, &json!([{"name": "a", "value": "2"}])).as_deref(),
            Some("a.value")
        );
        assert_eq!(difference(&live, &json!([{"name": "c"}])).as_deref(), Some("c"));
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
            assert_eq!(difference(&json!(one), &json!(other)).is_none(), same, "{one} {other}");
        }
    }

    #[test]
    fn the_place_of_a_difference_is_told_and_false_is_nothing_only_where_the_api_server_omits_it() {
        let live = json!({"spec": {"ports": [{"port": 80}], "type": "ClusterIP"}});
        let changed = json!({"spec": {"ports": [{"port": 81}]}});
        assert_eq!(difference(&live, &changed).as_deref(), Some("spec.ports.0.port"));
        assert_eq!(
            difference(&live, &json!({"spec": {"publishNotReadyAddresses": false}})),
            None
        );
        assert!(difference(&live, &json!({"spec": {"automountServiceAccountToken": false}})).is_some());
    }
}
