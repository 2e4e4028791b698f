//! JSON objects in an answer that must be valid.

use llm_json::{RepairOptions, repair_json};
use serde_json::Value;

use super::Finding;

/// What nests deeper is not repaired: the repair descends without a limit, and `serde_json` would refuse the result.
const MAX_DEPTH: usize = 127;
/// Longer candidates are not repaired, which takes quadratic time for some.
const MAX_REPAIRED_BYTES: usize = 32 * 1024;

/// Demands on the JSON objects of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JsonCheck {
    /// How many valid objects there must be.
    pub(crate) required_elements: usize,
    /// Whether an invalid one may be repaired.
    pub(crate) repair: bool,
}

impl JsonCheck {
    /// Hits when there are too few valid objects or an invalid one; repairs are part of the text then.
    pub(crate) fn run(&self, text: &str) -> Option<Finding> {
        let mut repaired = String::with_capacity(text.len());
        let mut position = 0;
        let (mut valid, mut invalid) = (0, 0);
        for range in balanced_braces(text) {
            let candidate = text.get(range.clone()).unwrap_or_default();
            if is_json(candidate) {
                valid += 1;
            } else if let Some(repair) = self.repair.then(|| repair(candidate)).flatten() {
                valid += 1;
                repaired.push_str(text.get(position..range.start).unwrap_or_default());
                repaired.push_str(&repair);
                position = range.end;
            } else {
                invalid += 1;
            }
        }
        repaired.push_str(text.get(position..).unwrap_or_default());
        (invalid > 0 || valid < self.required_elements).then_some(Finding {
            text: repaired,
            count: invalid.max(1),
        })
    }
}

/// The outermost pairs of braces; one that is never closed does not count, what lies in it does.
fn balanced_braces(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut open = Vec::new();
    let mut pairs: Vec<std::ops::Range<usize>> = Vec::new();
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open.push(place),
            b'}' => {
                if let Some(start) = open.pop() {
                    while pairs.last().is_some_and(|inner| inner.start > start) {
                        pairs.pop();
                    }
                    pairs.push(start..place + 1);
                }
            }
            _ => {}
        }
    }
    pairs
}

fn is_json(candidate: &str) -> bool {
    serde_json::from_str::<Value>(candidate).is_ok()
}

fn repair(candidate: &str) -> Option<String> {
    if candidate.len() > MAX_REPAIRED_BYTES || depth(candidate) > MAX_DEPTH {
        return None;
    }
    let options = RepairOptions {
        ensure_ascii: false,
        ..RepairOptions::default()
    };
    repair_json(candidate, &options)
        .ok()
        .filter(|repaired| serde_json::from_str::<Value>(repaired).is_ok_and(|value| value.is_object()))
}

/// An upper bound of how deep the brackets nest.
fn depth(candidate: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in candidate.bytes() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(required_elements: usize, repair: bool, text: &str) -> Option<String> {
        let check = JsonCheck {
            required_elements,
            repair,
        };
        check.run(text).map(|finding| finding.text)
    }

    #[test]
    fn only_pairs_of_braces_are_candidates() {
        let candidates =
            |text: &'static str| -> Vec<&str> { balanced_braces(text).into_iter().map(|range| &text[range]).collect() };
        assert_eq!(candidates("a {b {c}} d {e}"), ["{b {c}}", "{e}"]);
        assert_eq!(candidates("{ {a} {b}"), ["{a}", "{b}"]);
        assert_eq!(candidates("} [1] {"), Vec::<&str>::new());
    }

    #[test]
    fn valid_objects_and_plain_text_pass() {
        for text in ["no json", "[1, 2", "{\"a\": 1", "say {\"a\": {\"b\": [1]}} twice {}"] {
            assert_eq!(run(0, true, text), None, "{text}");
            assert_eq!(run(0, false, text), None, "{text}");
        }
    }

    #[test]
    fn too_few_objects_hit() {
        assert_eq!(run(1, true, "none"), Some("none".to_owned()));
        assert_eq!(run(2, true, "{\"a\": 1}"), Some("{\"a\": 1}".to_owned()));
        assert_eq!(run(1, true, "{\"a\": 1}"), None);
    }

    #[test]
    fn an_invalid_object_hits_unless_it_can_be_repaired() {
        assert!(run(0, false, "{'a': 1}").is_some());
        assert_eq!(run(1, true, "{'a': 1,}"), None);
        assert_eq!(run(1, true, "{bad}"), None);
        assert_eq!(run(2, true, "is {'ä': 1,}"), Some("is {\"ä\":1}".to_owned()));
    }

    #[test]
    fn hostile_nesting_is_invalid_and_harmless() {
        let deep = "{".repeat(100_000) + &"}".repeat(100_000);
        assert!(run(0, true, &deep).is_some());
        let blanks = format!("{{a{}b}}", " ".repeat(200_000));
        assert!(run(0, true, &blanks).is_some());
    }

    proptest! {
        #[test]
        fn no_text_is_too_broken(text in "[{}\\[\\]\"':,ab1 \\\\\n.-]{0,60}") {
            let wrapped = format!("{{{text}}}");
            for text in [&text, &wrapped] {
                for repair in [false, true] {
                    let after = run(0, repair, text);
                    prop_assert!(repair || after.is_none_or(|after| &after == text));
                }
            }
        }
    }
}
