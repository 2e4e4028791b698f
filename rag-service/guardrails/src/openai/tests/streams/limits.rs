//! What is refused: chunks of another form, and too much of anything.

use serde_json::{Value, json};

use super::{Outcome, REDACT_PLUM, content, delta, finish, guarded, policy, refusal};
use crate::openai::StreamGuard;

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
