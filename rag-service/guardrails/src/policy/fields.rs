//! Values of a policy's fields, read as strictly and as leniently as KAITO reads them.

use std::collections::BTreeMap;

use serde_yaml_ng::{Mapping, Value};

use crate::verdict::Action;

/// The fields of one entry of `scanners`, by their normalised names.
pub(super) struct Fields<'policy>(BTreeMap<String, &'policy Value>);

impl<'policy> Fields<'policy> {
    /// Names that are the same once normalised are one field; the last counts.
    pub(super) fn new(entry: &'policy Mapping) -> Self {
        let named = entry
            .iter()
            .filter_map(|(name, value)| Some((normalised(name.as_str()?), value)));
        Self(named.collect())
    }

    /// The value of a field, if it is there and not null.
    pub(super) fn value(&self, name: &str) -> Option<&'policy Value> {
        self.0.get(name).copied().filter(|value| !value.is_null())
    }

    /// The names of all fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A flag; `default` if it is not there.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, String> {
        match self.value(name) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            // YAML 1.1, which KAITO's parser reads, has these words for booleans as well.
            Some(Value::String(word)) => match word.to_ascii_lowercase().as_str() {
                "yes" | "on" => Ok(true),
                "no" | "off" => Ok(false),
                _ => Err(format!("{name} is not a boolean")),
            },
            Some(_) => Err(format!("{name} is not a boolean")),
        }
    }

    /// A whole number of at least `least`; `default` if it is not there.
    pub(super) fn count(&self, name: &str, least: usize, default: usize) -> Result<usize, String> {
        let Some(value) = self.value(name) else {
            return Ok(default);
        };
        value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .filter(|number| *number >= least)
            .ok_or_else(|| format!("{name} is not a whole number of at least {least}"))
    }

    /// A number above 0.
    pub(super) fn positive(&self, name: &str) -> Result<f64, String> {
        let number = self
            .value(name)
            .filter(|value| value.is_number())
            .and_then(Value::as_f64);
        number
            .filter(|number| number.is_finite() && *number > 0.0)
            .ok_or_else(|| format!("{name} is not a number above 0"))
    }

    /// A string that is not blank, if the field is there.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'policy str>, String> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.trim())),
            Some(_) => Err(format!("{name} is not a string with content")),
        }
    }

    /// A list of strings, if the field is there: items of other types and empty ones are dropped, and something must
    /// be left.
    pub(super) fn strings(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        let items = match self.value(name) {
            None => return Ok(None),
            Some(Value::Sequence(items)) => items,
            Some(_) => return Err(format!("{name} is not a list")),
        };
        let strings: Vec<String> = items
            .iter()
            .filter_map(Value::as_str)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect();
        if strings.is_empty() {
            return Err(format!("{name} holds no string with content"));
        }
        Ok(Some(strings))
    }

    /// As [`Fields::strings`], for a field that must be there.
    pub(super) fn required_strings(&self, name: &str) -> Result<Vec<String>, String> {
        self.strings(name)?.ok_or_else(|| format!("{name} is missing"))
    }
}

/// What an `action` says: `Some(None)` if it says nothing, `None` if it is not an action.
pub(super) fn action(value: Option<&Value>) -> Option<Option<Action>> {
    match value {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(name)) => match name.trim().to_ascii_lowercase().as_str() {
            "redact" => Some(Some(Action::Redact)),
            "block" => Some(Some(Action::Block)),
            _ => None,
        },
        Some(_) => None,
    }
}

/// `banSubstrings`, `ban-substrings` and `BAN_SUBSTRINGS` are all `ban_substrings`.
pub(super) fn normalised(name: &str) -> String {
    let mut output = String::with_capacity(name.len() + 4);
    let mut previous_is_small = false;
    for character in name.trim().chars() {
        if character.is_uppercase() && previous_is_small {
            output.push('_');
        }
        previous_is_small = character.is_lowercase() || character.is_numeric();
        output.extend(if character == '-' { '_' } else { character }.to_lowercase());
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised() {
        for name in [
            "ban-substrings",
            "banSubstrings",
            "BanSubstrings",
            "BAN_SUBSTRINGS",
            " ban_substrings ",
        ] {
            assert_eq!(normalised(name), "ban_substrings", "{name}");
        }
        assert_eq!(normalised("JSON"), "json");
    }

    fn fields<T>(yaml: &str, read: impl FnOnce(&Fields<'_>) -> T) -> T {
        let mapping: Mapping = serde_yaml_ng::from_str(yaml).unwrap();
        read(&Fields::new(&mapping))
    }

    #[test]
    fn flags_are_booleans_of_yaml() {
        for (yaml, expected) in [
            ("x: true", Some(true)),
            ("x: no", Some(false)),
            ("x: On", Some(true)),
            ("y: 1", Some(true)),
            ("x: null", Some(true)),
            ("x: 'true'", None),
            ("x: 1", None),
            ("x: maybe", None),
            ("x: []", None),
        ] {
            assert_eq!(fields(yaml, |fields| fields.flag("x", true)).ok(), expected, "{yaml}");
        }
    }

    #[test]
    fn counts_are_whole_numbers_and_no_booleans() {
        for (yaml, expected) in [
            ("x: 3", Some(3)),
            ("{}", Some(7)),
            ("x: 0", None),
            ("x: -1", None),
            ("x: 1.5", None),
            ("x: true", None),
            ("x: '3'", None),
        ] {
            assert_eq!(fields(yaml, |fields| fields.count("x", 1, 7)).ok(), expected, "{yaml}");
        }
    }

    #[test]
    fn positive_numbers_are_finite_and_no_booleans() {
        for (yaml, expected) in [
            ("x: 0.5", Some(0.5)),
            ("x: 2", Some(2.0)),
            ("x: 0", None),
            ("x: -1", None),
            ("x: .inf", None),
            ("x: .nan", None),
            ("x: true", None),
            ("x: '1'", None),
            ("{}", None),
        ] {
            assert_eq!(fields(yaml, |fields| fields.positive("x")).ok(), expected, "{yaml}");
        }
    }

    #[test]
    fn lists_drop_what_is_no_string_and_may_not_be_empty() {
        let strings = |yaml| fields(yaml, |fields| fields.strings("x"));
        assert_eq!(
            strings("x: [a, 1, '', null, true, b]"),
            Ok(Some(vec!["a".to_owned(), "b".to_owned()]))
        );
        assert_eq!(strings("{}"), Ok(None));
        for yaml in ["x: []", "x: [1, '']", "x: a", "x: {a: b}"] {
            assert!(strings(yaml).is_err(), "{yaml}");
        }
    }
}
