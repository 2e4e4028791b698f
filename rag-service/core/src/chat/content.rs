//! The text of a message's content, in OpenAI's forms and in the looser ones that KAITO takes.

use serde_json::{Map, Value};

/// Why a content has no text of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It holds an image, a sound, a file or a part of an unknown type.
    NotText,
    /// It is none of the forms that a content can have.
    Malformed,
}

/// The text of a content: a string, one part, or a list of parts and strings, which are joined by line breaks. A content
/// that is missing, null or empty has the empty text.
pub(super) fn text_of(role: &str, content: Option<&Value>) -> Result<String, Unreadable> {
    match content {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Object(part)) => lone_part_text(role, part).map(str::to_owned),
        Some(Value::Array(parts)) => Ok(parts
            .iter()
            .map(|part| match part {
                Value::String(text) => Ok(text.as_str()),
                Value::Object(part) => part_text(role, part),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Err(Unreadable::Malformed),
            })
            .collect::<Result<Vec<_>, _>>()?
            .join("\n")),
        Some(Value::Bool(_) | Value::Number(_)) => Err(Unreadable::Malformed),
    }
}

/// Whether the content has one of the forms that OpenAI defines, which every backend takes: a string or a list of parts.
pub(super) fn is_standard(content: Option<&Value>) -> bool {
    match content {
        None | Some(Value::Null | Value::String(_)) => true,
        Some(Value::Array(parts)) => parts.iter().all(Value::is_object),
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => false,
    }
}

/// What Python takes for false: nothing, null, false, zero and everything empty.
pub(super) fn is_falsy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Bool(value)) => !value,
        Some(Value::Number(number)) => number.as_f64() == Some(0.0),
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(map)) => map.is_empty(),
    }
}

/// A part outside of a list may leave out its type.
fn lone_part_text<'part>(role: &str, part: &'part Map<String, Value>) -> Result<&'part str, Unreadable> {
    if part.is_empty() {
        return Ok("");
    }
    match part.get("text") {
        Some(Value::String(text)) if !part.contains_key("type") => Ok(text),
        _ => part_text(role, part),
    }
}

fn part_text<'part>(role: &str, part: &'part Map<String, Value>) -> Result<&'part str, Unreadable> {
    let key = match part.get("type").and_then(Value::as_str) {
        Some("text") => "text",
        Some("refusal") if role == "assistant" => "refusal",
        _ => return Err(Unreadable::NotText),
    };
    part.get(key).and_then(Value::as_str).ok_or(Unreadable::Malformed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_content_is_read_in_every_form_of_text() {
        let cases = [
            (json!(null), ""),
            (json!(""), ""),
            (json!("a"), "a"),
            (json!([]), ""),
            (json!({}), ""),
            (json!({"type": "text", "text": "a"}), "a"),
            (json!({"text": "a"}), "a"),
            (json!(["a", "b"]), "a\nb"),
            (json!([{"type": "text", "text": "a"}, "b"]), "a\nb"),
            (json!([{"type": "refusal", "refusal": "no"}]), "no"),
        ];
        for (content, expected) in cases {
            assert_eq!(
                text_of("assistant", Some(&content)).as_deref(),
                Ok(expected),
                "{content}"
            );
        }
        assert_eq!(text_of("assistant", None).as_deref(), Ok(""));
    }

    #[test]
    fn what_is_not_text_is_told_from_what_is_nothing_at_all() {
        use Unreadable::{Malformed, NotText};
        let cases = [
            (json!([{"type": "image_url", "image_url": {"url": "u"}}]), NotText),
            (json!({"type": "input_audio"}), NotText),
            (json!(["a", {"type": "file"}]), NotText),
            (json!([{"text": "a"}]), NotText),
            (json!([{"type": "refusal", "refusal": "no"}]), NotText),
            (json!({"other": 1}), NotText),
            (json!([{"type": "text"}]), Malformed),
            (json!([{"type": "text", "text": 5}]), Malformed),
            (json!([null]), Malformed),
            (json!([["a"]]), Malformed),
            (json!(5), Malformed),
            (json!(true), Malformed),
        ];
        for (content, expected) in cases {
            assert_eq!(text_of("user", Some(&content)), Err(expected), "{content}");
        }
    }

    #[test]
    fn falsy_is_what_python_takes_for_false() {
        for falsy in [
            json!(null),
            json!(false),
            json!(0),
            json!(0.0),
            json!(""),
            json!([]),
            json!({}),
        ] {
            assert!(is_falsy(Some(&falsy)), "{falsy}");
        }
        for truthy in [json!(true), json!(1), json!("0"), json!([0]), json!({"a": 0})] {
            assert!(!is_falsy(Some(&truthy)), "{truthy}");
        }
    }
}
