//! Streams of chunks, redacted and blocked on their way.

mod fields;
mod limits;

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
