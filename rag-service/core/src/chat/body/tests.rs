use serde_json::json;

use super::*;
use crate::chat::plan::{ChatPlan, plan};

fn conversation(messages: &Value) -> Conversation {
    match plan(Some(messages)) {
        Ok(ChatPlan::Augment(conversation)) => conversation,
        other => panic!("{other:?}"),
    }
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other}"),
    }
}

/// The text, because equality of maps ignores their order.
fn json_text(map: Map<String, Value>) -> String {
    Value::Object(map).to_string()
}

#[test]
fn the_context_is_added_to_the_system_message_that_comes_first() {
    let messages = json!([
        {"role": "system", "content": ["Be", "kind."], "name": "n"},
        {"role": "user", "content": "u1"},
        {"role": "assistant", "content": "a1", "extra": 1},
        {"role": "system", "content": "later"},
        {"role": "user", "content": "u2"},
        {"role": "user", "content": "u3"},
    ]);
    assert_eq!(
        assemble(conversation(&messages), "CONTEXT"),
        [
            json!({"role": "system", "content": "Be\nkind.\n\nCONTEXT", "name": "n"}),
            json!({"role": "user", "content": "u1"}),
            json!({"role": "assistant", "content": "a1", "extra": 1}),
            json!({"role": "system", "content": "later"}),
            json!({"role": "user", "content": "u2\n\nu3"}),
        ]
    );
}

#[test]
fn a_developers_message_at_the_start_takes_the_context_too() {
    let messages = json!([{"role": "developer", "content": "first"}, {"role": "user", "content": "q"}]);
    assert_eq!(
        assemble(conversation(&messages), "CONTEXT"),
        [
            json!({"role": "developer", "content": "first\n\nCONTEXT"}),
            json!({"role": "user", "content": "q"}),
        ]
    );
}

#[test]
fn without_instructions_at_the_start_the_context_is_a_message_itself() {
    let messages = json!([
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "q"},
    ]);
    assert_eq!(
        assemble(conversation(&messages), "CONTEXT"),
        [
            json!({"role": "system", "content": "CONTEXT"}),
            json!({"role": "user", "content": "first"}),
            json!({"role": "assistant", "content": "a"}),
            json!({"role": "user", "content": "q"}),
        ]
    );
    let question_only = json!([{"role": "user", "content": "q"}]);
    assert_eq!(
        assemble(conversation(&question_only), "CONTEXT"),
        [
            json!({"role": "system", "content": "CONTEXT"}),
            json!({"role": "user", "content": "q"})
        ]
    );
}

#[test]
fn a_request_to_be_passed_through_loses_our_keys_only() {
    let body = json!({
        "index_name": "i", "model": "m", "context_token_ratio": 0.5, "zeta": null, "max_node_count": 3,
        "messages": [{"role": "user", "content": "q", "index_name": "kept"}], "metadata_filter": {}, "alpha": [1.0],
        "similarity_threshold": 1, "include_sources": true,
        "stream_options": {"include_sources": true, "include_usage": true}, "stop": ["x"]
    });
    assert_eq!(
        json_text(strip_own_keys(map(body))),
        r#"{"model":"m","zeta":null,"messages":[{"role":"user","content":"q","index_name":"kept"}],"alpha":[1.0],"stream_options":{"include_usage":true},"stop":["x"]}"#
    );
}

#[test]
fn stream_options_go_only_when_nothing_but_our_key_was_in_them() {
    let cases = [
        (json!({"stream_options": {"include_sources": true}}), "{}"),
        (json!({"stream_options": {}}), r#"{"stream_options":{}}"#),
        (json!({"stream_options": null}), r#"{"stream_options":null}"#),
    ];
    for (body, expected) in cases {
        assert_eq!(json_text(strip_own_keys(map(body))), expected);
    }
}

#[test]
fn an_augmented_request_keeps_what_the_caller_said_beside_the_messages() {
    let body = json!({"messages": [], "index_name": "i", "stop": ["x"], "max_tokens": 500, "seed": 7});
    let augmented = augment_body(map(body), vec![json!({"role": "user", "content": "q"})], None);
    assert_eq!(
        json_text(augmented),
        r#"{"messages":[{"role":"user","content":"q"}],"stop":["x"],"max_tokens":500,"seed":7}"#
    );
}

#[test]
fn limits_of_the_answer_are_lowered_and_never_raised_or_added() {
    let cases = [
        (json!({"max_tokens": 500}), r#"{"max_tokens":100,"messages":[]}"#),
        (json!({"max_tokens": 50}), r#"{"max_tokens":50,"messages":[]}"#),
        (json!({"max_tokens": 500.0}), r#"{"max_tokens":100,"messages":[]}"#),
        (json!({"max_tokens": null}), r#"{"max_tokens":null,"messages":[]}"#),
        (
            json!({"max_completion_tokens": 500, "max_tokens": 101}),
            r#"{"max_completion_tokens":100,"max_tokens":100,"messages":[]}"#,
        ),
        (json!({}), r#"{"messages":[]}"#),
    ];
    for (body, expected) in cases {
        assert_eq!(json_text(augment_body(map(body), Vec::new(), Some(100))), expected);
    }
}

#[test]
fn the_limit_of_an_answer_is_read_from_either_key() {
    let cases = [
        (json!({"max_tokens": 5}), Some(5)),
        (json!({"max_completion_tokens": 6}), Some(6)),
        (json!({"max_tokens": 5, "max_completion_tokens": 6}), Some(6)),
        (json!({"max_tokens": 5, "max_completion_tokens": null}), Some(5)),
        (json!({"max_tokens": 5.9}), Some(5)),
        (json!({"max_tokens": 1e30}), Some(u64::MAX)),
        (json!({"max_tokens": 0}), None),
        (json!({"max_tokens": 0.5}), None),
        (json!({"max_tokens": -5}), None),
        (json!({"max_tokens": "5"}), None),
        (json!({}), None),
    ];
    for (body, expected) in cases {
        assert_eq!(requested_completion(&map(body.clone())), expected, "{body}");
    }
}
