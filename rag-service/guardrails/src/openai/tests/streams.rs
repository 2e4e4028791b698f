use serde_json::{Value, json};

use super::policy;
use crate::openai::StreamGuard;
use crate::verdict::{Outcome, ScannerType};

const REDACT_PLUM: &str = "[{type: ban_substrings, substrings: [plum]}]";
const BLOCK_PLUM: &str = "[{type: ban_substrings, substrings: [plum], action: block}]";

fn chunk(choice: &Value) -> Value {
    json!({"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [choice], "extra": 5})
}

fn delta(delta: &Value) -> Value {
    chunk(&json!({"index": 0, "delta": delta, "finish_reason": null}))
}

fn content(text: &str) -> Value {
    delta(&json!({"content": text}))
}

fn finish(reason: &str) -> Value {
    chunk(&json!({"index": 0, "delta": {}, "finish_reason": reason}))
}

/// All chunks that come out of a stream of these.
fn guarded(scanners: &str, chunks: &[Value]) -> (Vec<Value>, StreamGuard) {
    let mut guard = StreamGuard::new(policy(scanners));
    let mut output: Vec<Value> = chunks.iter().flat_map(|chunk| guard.feed(chunk.clone())).collect();
    output.extend(guard.finish());
    (output, guard)
}

/// The text of one field of the deltas of choice 0.
fn text(chunks: &[Value], pointer: &str) -> String {
    let choices = chunks
        .iter()
        .flat_map(|chunk| chunk["choices"].as_array().into_iter().flatten());
    let deltas = choices
        .filter(|choice| choice["index"] == 0)
        .map(|choice| &choice["delta"]);
    deltas.filter_map(|delta| delta.pointer(pointer)?.as_str()).collect()
}

fn refusal(envelope: &Value) -> Vec<Value> {
    let with = |choice: Value| {
        let mut chunk = envelope.clone();
        chunk["choices"] = json!([choice]);
        chunk
    };
    vec![
        with(json!({"index": 0, "delta": {"content": "No."}, "finish_reason": null})),
        with(json!({"index": 0, "delta": {}, "finish_reason": "content_filter"})),
    ]
}

#[test]
fn an_empty_policy_passes_every_chunk_as_it_is() {
    let odd = [json!("plum"), json!({"choices": "plum"}), content("plum")];
    assert_eq!(guarded("[]", &odd).0, odd);
}

#[test]
fn safe_chunks_keep_their_form_and_the_finish_comes_last() {
    let role = delta(&json!({"role": "assistant", "content": ""}));
    let usage = json!({"id": "c1", "choices": [], "usage": {"total_tokens": 7}});
    let input = [
        role.clone(),
        content("A pear, "),
        content("a fig."),
        finish("stop"),
        usage.clone(),
    ];
    let (output, guard) = guarded(REDACT_PLUM, &input);
    assert_eq!(output[0], role);
    assert_eq!(output[1], content("A pear, "));
    assert_eq!(text(&output, "/content"), "A pear, a fig.");
    assert_eq!(output[output.len() - 2], finish("stop"));
    assert_eq!(output[output.len() - 1], usage);
    assert_eq!(guard.report().outcome(), Outcome::Allowed);
    assert_eq!(guard.report().choices.len(), 1);
}

#[test]
fn a_word_in_pieces_is_redacted_and_empty_chunks_are_swallowed() {
    let input = [content("a pl"), content("um"), content(" pie"), finish("stop")];
    let (output, guard) = guarded(REDACT_PLUM, &input);
    assert_eq!(output, [content("a "), content("[REDACTED] pie"), finish("stop")]);
    assert_eq!(guard.report().outcome(), Outcome::Redacted);
    assert_eq!(guard.report().hits[0].scanner, ScannerType::BanSubstrings);
}

#[test]
fn what_is_held_back_comes_before_the_finish() {
    let input = [content("a pl"), finish("length")];
    assert_eq!(
        guarded(REDACT_PLUM, &input).0,
        [content("a "), content("pl"), finish("length")]
    );
}

#[test]
fn text_in_the_finishing_chunk_is_sent_once_and_sanitised() {
    let last =
        chunk(&json!({"index": 0, "delta": {"content": "a plum"}, "finish_reason": "stop", "stop_reason": null}));
    let mut last = last;
    last["usage"] = json!({"total_tokens": 1});
    let (output, _) = guarded(REDACT_PLUM, &[last]);
    let mut end = chunk(&json!({"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": null}));
    end["usage"] = json!({"total_tokens": 1});
    assert_eq!(output, [content("a [REDACTED]"), end]);
}

#[test]
fn an_upstream_that_ends_early_is_flushed_in_the_last_envelope() {
    assert_eq!(guarded(REDACT_PLUM, &[content("plum")]).0, [content("[REDACTED]")]);
    let mut guard = StreamGuard::new(policy(REDACT_PLUM));
    assert_eq!(guard.finish(), Vec::<Value>::new());
    guard.feed(content("plum"));
    assert_eq!(guard.finish().len(), 1);
    assert_eq!(guard.finish(), Vec::<Value>::new());
}

#[test]
fn a_block_ends_the_stream() {
    let input = [
        content("a pear, "),
        content("a pl"),
        content("um "),
        content("a fig"),
        finish("stop"),
    ];
    let (output, guard) = guarded(BLOCK_PLUM, &input);
    let mut expected = vec![content("a pear, "), content("a ")];
    expected.extend(refusal(&content("")));
    assert_eq!(output, expected);
    assert!(guard.is_blocked());
    assert_eq!(
        (guard.report().outcome(), guard.report().refusal),
        (Outcome::Blocked, None)
    );
    assert_eq!(guard.report().hits.len(), 1);
}

#[test]
fn a_block_in_the_flush_comes_instead_of_the_finish() {
    let (output, _) = guarded(BLOCK_PLUM, &[content("plum"), finish("stop")]);
    assert_eq!(output, refusal(&content("")));
    assert_eq!(guarded(BLOCK_PLUM, &[content("plum")]).0, refusal(&content("")));
}

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

#[test]
fn too_many_growing_texts_are_refused() {
    let field = |number: usize| delta(&json!({format!("field{number}"): "x "}));
    let nested = |number: usize| delta(&json!({"fields": {format!("field{number}"): "x "}}));
    for make in [&field as &dyn Fn(usize) -> Value, &nested] {
        assert!(
            !guarded(REDACT_PLUM, &(0..128).map(make).collect::<Vec<_>>())
                .1
                .is_blocked()
        );
        let (output, guard) = guarded(REDACT_PLUM, &(0..129).map(make).collect::<Vec<_>>());
        assert!(guard.is_blocked() && guard.report().refusal.is_some());
        assert_eq!(output[output.len() - 2..], refusal(&content("")));
    }
}

#[test]
fn choices_are_followed_side_by_side() {
    let both = |first: &str, second: &str| {
        let choice = |index, text| json!({"index": index, "delta": {"content": text}, "finish_reason": null});
        json!({"id": "c1", "choices": [choice(0, first), choice(1, second)]})
    };
    let one_ends = json!({"id": "c1", "choices": [
        {"index": 0, "delta": {}, "finish_reason": "stop"},
        {"index": 1, "delta": {"content": "um"}, "finish_reason": null}
    ]});
    let (output, guard) = guarded(REDACT_PLUM, &[both("a pl", "b pl"), one_ends]);
    assert_eq!(
        output,
        [
            both("a ", "b "),
            json!({"id": "c1", "choices": [{"index": 0, "delta": {"content": "pl"}, "finish_reason": null}]}),
            json!({"id": "c1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
            json!({"id": "c1", "choices": [{"index": 1, "delta": {"content": "[REDACTED]"}, "finish_reason": null}]}),
        ]
    );
    let outcomes: Vec<Outcome> = guard.report().choices.iter().map(|choice| choice.outcome).collect();
    assert_eq!(outcomes, [Outcome::Allowed, Outcome::Redacted]);
    let (output, _) = guarded(BLOCK_PLUM, &[both("a pear ", "b pl"), both("x", "um ")]);
    assert_eq!(
        output.last().unwrap()["choices"][0],
        json!({"index": 1, "delta": {}, "finish_reason": "content_filter"})
    );
}

#[test]
fn a_chunk_of_another_form_is_refused_with_the_reason() {
    let reason = |what: &str| format!("OpenAI chat stream {what}");
    for (bad, why) in [
        (json!("text"), "data must be a JSON object."),
        (json!([1]), "data must be a JSON object."),
        (json!({"choices": {}}), "choices must be a list."),
        (json!({"choices": ["x"]}), "choice must be a JSON object."),
        (json!({"choices": [{"delta": {}}]}), "choice index must be an integer."),
        (
            json!({"choices": [{"index": true}]}),
            "choice index must be an integer.",
        ),
        (json!({"choices": [{"index": -1}]}), "choice index must be an integer."),
        (
            json!({"choices": [{"index": 0, "delta": "x"}]}),
            "choice delta must be a JSON object.",
        ),
        (
            json!({"choices": [{"index": 0, "delta": {"content": ["x"]}}]}),
            "delta content must be a string or null.",
        ),
        (
            json!({"choices": [{"index": 0, "finish_reason": 1}]}),
            "finish_reason must be a string or null.",
        ),
    ] {
        let (output, guard) = guarded(REDACT_PLUM, &[content("a pl"), bad.clone(), content("more")]);
        let mut expected = vec![content("a ")];
        expected.extend(refusal(&content("")));
        assert_eq!(output, expected, "{bad}");
        assert_eq!(guard.report().refusal, Some(reason(why).as_str()));
        let (output, guard) = guarded(REDACT_PLUM, &[bad]);
        assert_eq!(output, refusal(&json!({})));
        assert_eq!(guard.report().outcome(), Outcome::Blocked);
    }
}

#[test]
fn chunks_without_choices_pass() {
    for event in [
        json!({"choices": null}),
        json!({"id": "x"}),
        json!({"choices": [], "prompt_filter_results": []}),
    ] {
        let (output, _) = guarded(REDACT_PLUM, &[content("a pl"), event]);
        assert_eq!((output.len(), text(&output, "/content").as_str()), (3, "a pl"));
    }
}

#[test]
fn an_error_comes_after_what_was_held_back_and_is_scanned() {
    let error = json!({"error": {"message": "no plum left", "code": 500}});
    let (output, _) = guarded(REDACT_PLUM, &[content("a pl"), error.clone()]);
    assert_eq!(
        output,
        [
            content("a "),
            json!({"choices": [{"index": 0, "delta": {"content": "pl"}, "finish_reason": null}]}),
            json!({"error": {"message": "no [REDACTED] left", "code": 500}}),
        ]
    );
    assert_eq!(guarded(BLOCK_PLUM, &[error]).0, refusal(&json!({})));
}

#[test]
fn usage_in_every_chunk_is_kept_when_the_text_is_held_back() {
    let mut held = content("plum");
    held["usage"] = json!({"total_tokens": 4});
    let mut left = held.clone();
    left["choices"] = json!([]);
    assert_eq!(guarded(REDACT_PLUM, &[held]).0, [left, content("[REDACTED]")]);
}

#[test]
fn text_after_the_finish_is_refused_and_emptiness_is_not() {
    let (output, guard) = guarded(
        REDACT_PLUM,
        &[content("pear "), finish("stop"), content(""), content("plum")],
    );
    assert!(guard.is_blocked());
    assert_eq!(output[..2], [content("pear "), finish("stop")]);
    let (_, guard) = guarded(
        REDACT_PLUM,
        &[content("pear "), finish("stop"), content(""), finish("stop")],
    );
    assert!(!guard.is_blocked());
}

#[test]
fn too_many_choices_and_tool_calls_are_refused() {
    let choice = |index: u64| json!({"choices": [{"index": index, "delta": {"content": "x "}}]});
    let (_, guard) = guarded(REDACT_PLUM, &(0..128).map(choice).collect::<Vec<_>>());
    assert!(!guard.is_blocked());
    let (_, guard) = guarded(REDACT_PLUM, &(0..129).map(choice).collect::<Vec<_>>());
    assert!(guard.is_blocked());
    let call = |index: u64| delta(&json!({"tool_calls": [{"index": index, "function": {"arguments": "x "}}]}));
    assert!(
        !guarded(REDACT_PLUM, &(0..128).map(call).collect::<Vec<_>>())
            .1
            .is_blocked()
    );
    assert!(
        guarded(REDACT_PLUM, &(0..129).map(call).collect::<Vec<_>>())
            .1
            .is_blocked()
    );
}

#[test]
fn too_much_undecided_text_in_all_is_refused() {
    let mut guard = StreamGuard::new(policy("[{type: regex, patterns: ['<[^>]*>']}]"));
    let piece = format!("<{}", "x".repeat(60_000));
    let blocked = (0..200_u64).any(|number| {
        let choice = number / 100;
        let call = json!([{"index": number % 100, "function": {"arguments": piece}}]);
        guard.feed(json!({"choices": [{"index": choice, "delta": {"tool_calls": call}}]}));
        guard.is_blocked()
    });
    assert!(blocked);
}
