use serde_json::{Value, json};

use super::policy;
use crate::openai::{GuardReport, guard_response};
use crate::verdict::{Action, Outcome, ScannerHit, ScannerType};

const REDACT_PLUM: &str = "[{type: ban_substrings, substrings: [plum]}]";
const BLOCK_PLUM: &str = "[{type: ban_substrings, substrings: [plum], action: block}]";

fn guarded(scanners: &str, mut response: Value) -> (Value, GuardReport) {
    let report = guard_response(&policy(scanners), &mut response);
    (response, report)
}

fn outcomes(report: &GuardReport) -> Vec<(u64, Outcome)> {
    report
        .choices
        .iter()
        .map(|choice| (choice.index, choice.outcome))
        .collect()
}

fn answer(content: &Value) -> Value {
    json!({"id": "1", "choices": [{"index": 0, "message": {"role": "assistant", "content": content},
           "finish_reason": "stop"}], "usage": {"total_tokens": 3}})
}

#[test]
fn nothing_changes_without_scanners_or_hits() {
    for scanners in ["[]", REDACT_PLUM] {
        let response = answer(&json!("a pear"));
        let (after, report) = guarded(scanners, response.clone());
        assert_eq!(after, response);
        assert_eq!((report.outcome(), report.hits.len()), (Outcome::Allowed, 0));
        assert_eq!(report.choices.len(), usize::from(scanners != "[]"));
    }
}

#[test]
fn content_that_is_null_is_not_a_scanned_choice() {
    let (after, report) = guarded(REDACT_PLUM, answer(&Value::Null));
    assert_eq!(after, answer(&Value::Null));
    assert_eq!(report, GuardReport::default());
}

#[test]
fn what_has_no_choices_is_left_alone() {
    for response in [
        json!({}),
        json!([]),
        json!("plum"),
        json!({"choices": "pear"}),
        json!({"choices": []}),
    ] {
        let (after, report) = guarded(REDACT_PLUM, response.clone());
        assert_eq!((after, report), (response, GuardReport::default()));
    }
}

#[test]
fn content_is_redacted_and_the_rest_of_the_response_stays() {
    let (after, report) = guarded(REDACT_PLUM, answer(&json!("a plum and a plum")));
    assert_eq!(after, answer(&json!("a [REDACTED] and a [REDACTED]")));
    assert_eq!(outcomes(&report), [(0, Outcome::Redacted)]);
    assert_eq!(
        report.hits,
        [ScannerHit {
            scanner: ScannerType::BanSubstrings,
            action: Action::Redact,
            count: 2
        }]
    );
}

#[test]
fn a_block_leaves_nothing_but_the_block_message() {
    let mut response = answer(&json!("a pear"));
    response["choices"][0]["logprobs"] = json!({"content": [{"token": "pear"}]});
    response["choices"][0]["token_ids"] = json!([1, 2]);
    response["choices"][0]["message"]["reasoning_content"] = json!("they want a plum");
    response["choices"][0]["message"]["tool_calls"] = json!([{"id": "1"}]);
    response["choices"][0]["message"]["refusal"] = Value::Null;
    response["choices"][0]["message"]["audio"] = json!({"data": "AAAA", "transcript": "a pear"});
    let (after, report) = guarded(BLOCK_PLUM, response);
    let mut expected = answer(&json!("No."));
    expected["choices"][0]["logprobs"] = Value::Null;
    assert_eq!(after, expected, "finish_reason stays as it is");
    assert_eq!(outcomes(&report), [(0, Outcome::Blocked)]);
}

#[test]
fn every_text_of_a_message_is_scanned() {
    for (pointer, value) in [
        (
            "content",
            json!([{"type": "text", "text": "a plum"}, {"type": "text", "text": "a pear"}]),
        ),
        ("reasoning_content", json!("a plum")),
        ("reasoning", json!("a plum")),
        ("refusal", json!("no plum")),
        ("reasoning_details", json!([{"type": "summary", "summary": "a plum"}])),
        ("annotations", json!([{"url_citation": {"title": "plum"}}])),
        ("audio", json!({"id": "a", "data": "AAAA", "transcript": "a plum"})),
        ("role", json!("a plum in the role")),
        (
            "function_call",
            json!({"name": "buy", "arguments": "{\"what\": \"plum\"}"}),
        ),
        (
            "tool_calls",
            json!([{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":\"plum\"}"}}]),
        ),
        (
            "tool_calls",
            json!([{"id": "1", "type": "function", "function": {"name": "plum", "arguments": "{}"}}]),
        ),
        (
            "tool_calls",
            json!([{"id": "1", "type": "custom", "custom": {"name": "f", "input": "plum"}}]),
        ),
    ] {
        let mut response = answer(&json!("a pear"));
        response["choices"][0]["message"][pointer] = value.clone();
        let (redacted, report) = guarded(REDACT_PLUM, response.clone());
        assert!(!redacted.to_string().contains("plum"), "{redacted}");
        assert_eq!(outcomes(&report), [(0, Outcome::Redacted)], "{value}");
        let (blocked, report) = guarded(BLOCK_PLUM, response);
        assert_eq!(blocked["choices"][0]["message"]["content"], "No.", "{value}");
        assert_eq!(blocked["choices"][0]["message"].as_object().unwrap().len(), 2);
        assert_eq!(outcomes(&report), [(0, Outcome::Blocked)]);
    }
}

#[test]
fn redaction_keeps_the_form_of_parts_and_tool_calls() {
    let mut response = answer(&json!([{"type": "text", "text": "a plum"}]));
    response["choices"][0]["message"]["tool_calls"] =
        json!([{"id": "plum", "type": "function", "function": {"name": "buy", "arguments": "{\"what\": \"plum\"}"}}]);
    let (after, _) = guarded(REDACT_PLUM, response);
    let message = &after["choices"][0]["message"];
    assert_eq!(message["content"], json!([{"type": "text", "text": "a [REDACTED]"}]));
    let call = json!({"id": "plum", "type": "function", "function": {"name": "buy", "arguments": "{\"what\": \"[REDACTED]\"}"}});
    assert_eq!(message["tool_calls"], json!([call]));
}

#[test]
fn what_spells_a_redacted_text_out_goes_with_it() {
    let spelled = |content: &str| {
        let mut response = answer(&json!(content));
        response["choices"][0]["logprobs"] = json!({"content": [{"token": "x"}]});
        response["choices"][0]["token_ids"] = json!([1, 2]);
        response["choices"][0]["message"]["audio"] = json!({"data": "AAAA", "transcript": "x"});
        response
    };
    let (after, _) = guarded(REDACT_PLUM, spelled("plum"));
    assert_eq!(after["choices"][0]["logprobs"], Value::Null);
    assert_eq!(after["choices"][0]["token_ids"], Value::Null);
    assert_eq!(after["choices"][0]["message"]["audio"], Value::Null);
    assert_eq!(guarded(REDACT_PLUM, spelled("pear")).0, spelled("pear"));
}

#[test]
fn choices_are_judged_one_by_one() {
    let scanners = "[{type: ban_substrings, substrings: [plum]}, {type: regex, patterns: [quince], action: block}]";
    let choice = |index, content| json!({"index": index, "message": {"role": "assistant", "content": content}});
    let response = json!({"choices": [choice(0, "pear"), choice(1, "plum"), choice(2, "plum quince")]});
    let (after, report) = guarded(scanners, response);
    assert_eq!(
        after,
        json!({"choices": [choice(0, "pear"), choice(1, "[REDACTED]"), choice(2, "No.")]})
    );
    assert_eq!(
        outcomes(&report),
        [(0, Outcome::Allowed), (1, Outcome::Redacted), (2, Outcome::Blocked)]
    );
    assert_eq!(report.outcome(), Outcome::Blocked);
    let hit = |scanner, action, count| ScannerHit { scanner, action, count };
    assert_eq!(
        report.hits,
        [
            hit(ScannerType::BanSubstrings, Action::Redact, 2),
            hit(ScannerType::Regex, Action::Block, 1)
        ]
    );
}

#[test]
fn unusual_choices_are_scanned_as_they_are() {
    let response = json!({"choices": ["plum", {"text": "plum", "index": "plum"}, {"message": "plum"}, 5]});
    let (after, report) = guarded(REDACT_PLUM, response);
    assert_eq!(
        after,
        json!({"choices": ["[REDACTED]", {"text": "[REDACTED]", "index": "[REDACTED]"}, {"message": "[REDACTED]"}, 5]})
    );
    assert_eq!(report.choices.len(), 3);
}

#[test]
fn demands_on_the_answer_are_made_of_the_content_only() {
    let scanners = "[{type: json, required_elements: 1, action: block}]";
    let mut response = answer(&json!("{\"a\": 1}"));
    response["choices"][0]["message"]["reasoning_content"] = json!("no json here");
    assert_eq!(guarded(scanners, response.clone()).1.outcome(), Outcome::Allowed);
    response["choices"][0]["message"]["content"] = json!("no json here either");
    assert_eq!(guarded(scanners, response).0["choices"][0]["message"]["content"], "No.");
}

#[test]
fn what_spells_the_prompt_out_is_removed_even_if_nothing_hits() {
    let mut response = answer(&json!("a pear"));
    response["prompt_token_ids"] = json!([1, 2]);
    response["prompt_logprobs"] = json!([null, {"5": {"decoded_token": "plum"}}]);
    response["choices"][0]["prompt_logprobs"] = json!([{"5": {"decoded_token": "plum"}}]);
    response["choices"][0]["prompt_token_ids"] = json!([1]);
    response["choices"][0]["message"]["prompt_token_ids"] = json!([1]);
    for scanners in [REDACT_PLUM, BLOCK_PLUM] {
        let (after, report) = guarded(scanners, response.clone());
        assert_eq!(after, answer(&json!("a pear")));
        assert_eq!(report.outcome(), Outcome::Allowed);
    }
    assert_eq!(guarded("[]", response.clone()).0, response);
}

#[test]
fn what_stands_beside_the_choices_is_scanned() {
    let response = json!({
        "id": "plum", "object": "plum", "model": "plum/1", "system_fingerprint": "plum", "service_tier": "plum",
        "usage": {"plum": "plum"}, "created": 5,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "a pear"}}],
        "prompt": "a plum", "trace": {"steps": ["plum"], "n": 1}, "logprobs": [{"token": "pl"}]
    });
    let expected = |said: &str| {
        let mut expected = response.clone();
        expected["prompt"] = json!(said);
        expected["trace"]["steps"][0] = json!(said.trim_start_matches("a "));
        expected.as_object_mut().unwrap().shift_remove("logprobs");
        expected
    };
    let (after, report) = guarded(REDACT_PLUM, response.clone());
    assert_eq!(after, expected("a [REDACTED]"));
    assert_eq!(outcomes(&report), [(0, Outcome::Allowed)]);
    assert_eq!((report.outcome(), report.hits[0].count), (Outcome::Redacted, 2));
    let (after, report) = guarded(BLOCK_PLUM, response.clone());
    assert_eq!(after, expected("No."));
    assert_eq!(report.outcome(), Outcome::Blocked);
    assert_eq!(
        guarded(REDACT_PLUM, json!({"choices": "plum"})).0["choices"],
        "[REDACTED]"
    );
    assert_eq!(guarded(REDACT_PLUM, json!({"id": "a plum"})).0["id"], "a [REDACTED]");
}
