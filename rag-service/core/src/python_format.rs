//! Values as Python prints them. KAITO hashes and embeds metadata in this form, so it has to agree to the letter.
//!
//! Not here: integers beyond 64 bits. JSON parsing has already turned them into floats.

use serde_json::{Map, Number, Value};

/// What Python's `str` gives for the value: a string stands bare, everything else as in [`python_repr`].
pub(crate) fn python_string(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            let mut printed = String::new();
            push_value(&mut printed, value);
            printed
        }
    }
}

/// What Python's `repr` gives for the dictionary, keys in their order.
pub(crate) fn python_repr(map: &Map<String, Value>) -> String {
    let mut printed = String::new();
    push_dictionary(&mut printed, map);
    printed
}

fn push_value(printed: &mut String, value: &Value) {
    match value {
        Value::Null => printed.push_str("None"),
        Value::Bool(true) => printed.push_str("True"),
        Value::Bool(false) => printed.push_str("False"),
        Value::Number(number) => printed.push_str(&number_repr(number)),
        Value::String(text) => push_text(printed, text),
        Value::Array(items) => {
            printed.push('[');
            for (position, item) in items.iter().enumerate() {
                push_separator(printed, position);
                push_value(printed, item);
            }
            printed.push(']');
        }
        Value::Object(map) => push_dictionary(printed, map),
    }
}

fn push_dictionary(printed: &mut String, map: &Map<String, Value>) {
    printed.push('{');
    for (position, (key, value)) in map.iter().enumerate() {
        push_separator(printed, position);
        push_text(printed, key);
        printed.push_str(": ");
        push_value(printed, value);
    }
    printed.push('}');
}

fn push_separator(printed: &mut String, position: usize) {
    if position > 0 {
        printed.push_str(", ");
    }
}

fn number_repr(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float_repr(float),
        _ => number.to_string(),
    }
}

/// Both languages print the shortest digits that read back as the same float; they differ in when they use an exponent
/// (Python: below 1e-4 and from 1e16 on, with two digits at least) and in the `.0` of whole numbers.
fn float_repr(float: f64) -> String {
    let scientific = format!("{float:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        return format!("{float:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

fn push_text(printed: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    printed.push(quote);
    for character in text.chars() {
        push_character(printed, character, quote);
    }
    printed.push(quote);
}

fn push_character(printed: &mut String, character: char, quote: char) {
    match character {
        '\n' => printed.push_str("\\n"),
        '\r' => printed.push_str("\\r"),
        '\t' => printed.push_str("\\t"),
        '\\' => printed.push_str("\\\\"),
        _ if character == quote => {
            printed.push('\\');
            printed.push(character);
        }
        _ if is_printable(character) => printed.push(character),
        _ => {
            let code_point = u32::from(character);
            let escape = match code_point {
                ..=0xff => format!("\\x{code_point:02x}"),
                0x100..=0xffff => format!("\\u{code_point:04x}"),
                0x1_0000.. => format!("\\U{code_point:08x}"),
            };
            printed.push_str(&escape);
        }
    }
}

/// Python's `str.isprintable`: not in a Unicode category of controls, separators or unassigned code points, the space
/// excepted. [`str::escape_debug`] applies the same rule to every character but a string's first, hence the `a`.
fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    let text: String = ['a', character].into_iter().collect();
    text.escape_debug().nth(1) == Some(character)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_print_as_python_str_does() {
        let cases = [
            (json!("it's \"so\"\n"), "it's \"so\"\n"),
            (json!(true), "True"),
            (json!(false), "False"),
            (json!(null), "None"),
            (json!(-7), "-7"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!([]), "[]"),
            (json!({}), "{}"),
            (json!([1, 2.0, "x", null, [true]]), "[1, 2.0, 'x', None, [True]]"),
            (json!({"b": {"a": "it's"}, "a": []}), "{'b': {'a': \"it's\"}, 'a': []}"),
        ];
        for (value, expected) in cases {
            assert_eq!(python_string(&value), expected);
        }
    }

    #[test]
    fn floats_print_as_python_repr_does() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (1.5, "1.5"),
            (0.1, "0.1"),
            (100.0, "100.0"),
            (123_456_789.125, "123456789.125"),
            (0.0001, "0.0001"),
            (1.234e-4, "0.0001234"),
            (0.000_01, "1e-05"),
            (1e-7, "1e-07"),
            (1.25e-7, "1.25e-07"),
            (1e15, "1000000000000000.0"),
            (9_007_199_254_740_993.0, "9007199254740992.0"),
            (1e16, "1e+16"),
            (-1.5e16, "-1.5e+16"),
            (1e22, "1e+22"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
        ];
        for (float, expected) in cases {
            assert_eq!(python_string(&json!(float)), expected);
        }
    }

    #[test]
    fn strings_are_quoted_and_escaped_as_python_repr_does() {
        let cases = [
            ("plain", "'plain'"),
            ("", "''"),
            ("it's", "\"it's\""),
            ("say \"so\"", "'say \"so\"'"),
            ("it's \"so\"", "'it\\'s \"so\"'"),
            ("a\\b", "'a\\\\b'"),
            ("\n\r\t", "'\\n\\r\\t'"),
            ("\0\u{1b}\u{7f}", "'\\x00\\x1b\\x7f'"),
            ("\u{80}\u{a0}\u{ad}", "'\\x80\\xa0\\xad'"),
            ("\u{200b}\u{2028}\u{3000}\u{feff}", "'\\u200b\\u2028\\u3000\\ufeff'"),
            ("\u{e000}\u{e0001}\u{10ffff}", "'\\ue000\\U000e0001\\U0010ffff'"),
            ("é日本🙂", "'é日本🙂'"),
            ("\u{301}e\u{301}", "'\u{301}e\u{301}'"),
        ];
        for (text, expected) in cases {
            assert_eq!(python_string(&json!([text])), format!("[{expected}]"));
        }
    }

    #[test]
    fn a_dictionary_keeps_its_order_and_quotes_its_keys() {
        let Value::Object(map) = json!({"type": "text", "n": 1, "it's": null, "a": false}) else {
            unreachable!()
        };
        assert_eq!(
            python_repr(&map),
            "{'type': 'text', 'n': 1, \"it's\": None, 'a': False}"
        );
        assert_eq!(python_repr(&Map::new()), "{}");
    }
}
