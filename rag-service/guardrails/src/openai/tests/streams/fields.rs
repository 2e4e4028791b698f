//! Every place in which a chunk can carry text.

use serde_json::{Value, json};

use super::{BLOCK_PLUM, Outcome, REDACT_PLUM, content, delta, finish, guarded, refusal, text};

#[test]
fn every_growing_text_is_followed_on_its_own() {
    for (pointer, make) in [
        ("/content", (|text: &str| json!({"content": text})) as fn(&str) -> Value),
        ("/reasoning_content", |text| json!({"reasoning_content": text})),
        ("/reasoning", |text| json!({"reasoning": text})),
        ("/refusal", |text| json!({"refusal": text})),
        (
            "/function_call/arguments",
            |text| json!({"function_call": {"arguments": text}}),
        ),
        ("/thinking", |text| json!({"thinking": text})),
        (
            "/reasoning_details/0/text",
            |text| json!({"reasoning_details": [{"index": 2, "type": "reasoning.text", "text": text}]}),
        ),
        (
            "/thinking_blocks/0/thinking",
            |text| json!({"thinking_blocks": [{"type": "thinking", "thinking": text}]}),
        ),
        ("/audio/transcript", |text| json!({"audio": {"transcript": text}})),
        ("/refusals/0", |text| json!({"refusals": [text]})),
        ("/new/0/0/deep", |text| json!({"new": [[{"deep": text, "n": 1}]]})),
        (
            "/tool_calls/0/function/arguments",
            |text| json!({"tool_calls": [{"index": 3, "function": {"arguments": text}}]}),
        ),
        (
            "/tool_calls/0/custom/input",
            |text| json!({"tool_calls": [{"index": 0, "custom": {"input": text}}]}),
        ),
    ] {
        let other = if pointer == "/content" { "reasoning" } else { "content" };
        let input = [
            delta(&make("a pl")),
            delta(&json!({other: "x pl"})),
            delta(&make("um and pl")),
            finish("stop"),
        ];
        let (output, _) = guarded(REDACT_PLUM, &input);
        assert_eq!(text(&output, pointer), "a [REDACTED] and pl", "{pointer}");
        assert_eq!(text(&output, &format!("/{other}")), "x pl");
        assert_eq!(output.last(), Some(&finish("stop")));
        let (output, guard) = guarded(BLOCK_PLUM, &[delta(&make("a pl")), delta(&make("um "))]);
        assert!(guard.is_blocked(), "{pointer}");
        assert_eq!(text(&output, pointer).trim_end_matches("No."), "a ", "{pointer}");
    }
}

#[test]
fn tool_calls_keep_their_names_and_ids_and_do_not_mix() {
    let call = |calls: Value| delta(&json!({"tool_calls": calls}));
    let first = json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": "buy", "arguments": ""}});
    let second =
        json!({"index": 1, "id": "call_2", "type": "function", "function": {"name": "eat", "arguments": "pl"}});
    let input = [
        call(json!([first, second])),
        call(json!([{"index": 0, "function": {"arguments": "{\"a\": \"pl"}}])),
        call(json!([{"index": 1, "function": {"arguments": "an"}}, {"index": 0, "function": {"arguments": "um\"}"}}])),
        finish("tool_calls"),
    ];
    let (output, _) = guarded(REDACT_PLUM, &input);
    assert_eq!(output[0]["choices"][0]["delta"]["tool_calls"][0], first);
    assert_eq!(
        output[0]["choices"][0]["delta"]["tool_calls"][1]["function"],
        json!({"name": "eat", "arguments": ""})
    );
    let mut arguments = [String::new(), String::new()];
    for chunk in &output {
        for call in chunk["choices"][0]["delta"]["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            arguments[index].push_str(call["function"]["arguments"].as_str().unwrap_or_default());
        }
    }
    assert_eq!(arguments, ["{\"a\": \"[REDACTED]\"}", "plan"]);
    assert_eq!(output.last(), Some(&finish("tool_calls")));
}

#[test]
fn names_and_unknown_fields_are_scanned() {
    for fields in [
        json!({"tool_calls": [{"index": 0, "id": "1", "function": {"name": "plum", "arguments": ""}}]}),
        json!({"function_call": {"name": "plum"}}),
        json!({"reasoning_details": [{"text": "a plum"}]}),
        json!({"thinking": "a plum"}),
        json!({"role": "a plum"}),
        json!({"tool_calls": "plum"}),
        json!({"tool_calls": ["plum"]}),
        json!({"reasoning": {"text": "plum"}}),
    ] {
        let (output, guard) = guarded(REDACT_PLUM, &[delta(&fields)]);
        let shown = json!(output).to_string();
        assert!(shown.contains("[REDACTED]") && !shown.contains("plum"), "{shown}");
        assert_eq!(guard.report().outcome(), Outcome::Redacted);
        let (blocked, _) = guarded(BLOCK_PLUM, &[delta(&fields)]);
        assert_eq!(blocked[blocked.len() - 2..], refusal(&content("")));
        assert!(!json!(blocked).to_string().contains("plum"), "{fields}");
    }
    let mut added = content("pear ");
    added["note"] = json!({"text": "plum pie"});
    assert_eq!(
        guarded(REDACT_PLUM, &[added.clone()]).0[0]["note"]["text"],
        "[REDACTED] pie"
    );
    assert_eq!(guarded(BLOCK_PLUM, &[added]).0.len(), 2);
}

#[test]
fn what_spells_the_text_out_is_removed_from_every_chunk() {
    let mut spelled = content("pear ");
    spelled["choices"][0]["logprobs"] = json!({"content": [{"token": "pear"}]});
    spelled["choices"][0]["token_ids"] = json!([5]);
    spelled["choices"][0]["delta"]["logprobs"] = json!([{"token": "pear"}]);
    assert_eq!(guarded(REDACT_PLUM, &[spelled]).0, [content("pear ")]);
}

#[test]
fn what_spells_the_prompt_out_is_removed_from_every_chunk() {
    let mut spelled = content("pear ");
    spelled["prompt_token_ids"] = json!([5]);
    spelled["prompt_logprobs"] = json!([{"5": {"decoded_token": "plum"}}]);
    spelled["logprobs"] = json!([{"token": "plum"}]);
    spelled["choices"][0]["prompt_logprobs"] = json!([{"5": {"decoded_token": "plum"}}]);
    spelled["choices"][0]["prompt_token_ids"] = json!([5]);
    spelled["choices"][0]["delta"]["prompt_token_ids"] = json!([5]);
    assert_eq!(guarded(REDACT_PLUM, &[spelled.clone()]).0, [content("pear ")]);
    spelled["choices"] = json!([]);
    let mut empty = content("");
    empty["choices"] = json!([]);
    assert_eq!(guarded(REDACT_PLUM, &[spelled]).0, [empty]);
}

#[test]
fn a_word_beside_the_choices_is_scanned_even_if_it_could_be_a_name() {
    let mut added = content("pear ");
    added["note"] = json!("plum");
    assert_eq!(guarded(REDACT_PLUM, &[added]).0[0]["note"], "[REDACTED]");
}

#[test]
fn items_are_followed_by_their_index_and_not_by_their_place() {
    let details = |items: Value| delta(&json!({"reasoning_details": items}));
    let input = [
        details(json!([{"index": 0, "text": "a pl"}, {"index": 1, "text": "b pl"}])),
        details(json!([{"index": 1, "text": "um"}])),
        details(json!([{"index": 0, "text": "an"}])),
        finish("stop"),
    ];
    let (output, _) = guarded(REDACT_PLUM, &input);
    let mut texts = [String::new(), String::new()];
    for chunk in &output {
        let items = chunk["choices"][0]["delta"]["reasoning_details"].as_array();
        for item in items.into_iter().flatten() {
            let index = usize::try_from(item["index"].as_u64().unwrap()).unwrap();
            texts[index].push_str(item["text"].as_str().unwrap_or_default());
        }
    }
    assert_eq!(texts, ["a plan", "b [REDACTED]"]);
}

#[test]
fn a_voice_is_removed_and_what_it_says_remains() {
    let voice = delta(&json!({"audio": {"id": "a1", "data": "AAAA", "transcript": "pear "}}));
    let silent = delta(&json!({"audio": {"id": "a1", "transcript": "pear "}}));
    assert_eq!(guarded(REDACT_PLUM, &[voice]).0, [silent]);
}
