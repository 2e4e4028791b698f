use serde_json::json;

use super::*;

fn flattened(body: Value) -> Result<Value, CannotFlatten> {
    match body {
        Value::Object(body) => to_completion_request(body).map(Value::Object),
        other => panic!("{other}"),
    }
}

#[test]
fn messages_become_lines_and_the_rest_of_the_request_stays() {
    let body = json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": [{"type": "text", "text": "a"}, "b"]},
            {"role": "assistant", "content": null},
            {"role": "tool-like", "content": "c"},
        ],
        "temperature": 0.5, "max_tokens": 7, "response_format": {"type": "json_object"}, "stream": true,
        "tools": [], "functions": null, "tool_choice": "auto", "parallel_tool_calls": true, "function_call": "none",
    });
    assert_eq!(
        flattened(body).unwrap().to_string(),
        r#"{"model":"m","prompt":"system: Be kind.\nuser: a\nb\nassistant: \ntool-like: c\nassistant: ","temperature":0.5,"max_tokens":7,"response_format":{"type":"json_object"},"stream":true}"#
    );
}

#[test]
fn a_limit_that_only_chats_know_is_renamed() {
    let cases = [
        (json!({"max_completion_tokens": 5}), json!({"max_tokens": 5})),
        (
            json!({"max_completion_tokens": 5, "max_tokens": 3}),
            json!({"max_tokens": 3}),
        ),
        (
            json!({"max_completion_tokens": 5, "max_tokens": null}),
            json!({"max_tokens": 5}),
        ),
        (
            json!({"max_tokens": null, "max_completion_tokens": 5}),
            json!({"max_tokens": 5}),
        ),
        (
            json!({"max_tokens": null, "max_completion_tokens": null}),
            json!({"max_tokens": null}),
        ),
    ];
    for (mut body, mut expected) in cases {
        body["messages"] = json!([{"role": "user", "content": "q"}]);
        expected["prompt"] = json!("user: q\nassistant: ");
        assert_eq!(flattened(body), Ok(expected));
    }
}

#[test]
fn what_a_text_cannot_say_is_refused() {
    let said = |message: Value| json!({"messages": [message]});
    let user = json!({"role": "user", "content": "q"});
    let cases = [
        (json!({}), CannotFlatten::ReadMessages),
        (json!({"messages": []}), CannotFlatten::ReadMessages),
        (json!({"messages": "q"}), CannotFlatten::ReadMessages),
        (said(json!("q")), CannotFlatten::ReadMessages),
        (said(json!({"content": "q"})), CannotFlatten::ReadMessages),
        (said(json!({"role": "user", "content": 5})), CannotFlatten::ReadMessages),
        (
            said(json!({"role": "user", "content": [{"type": "image_url"}]})),
            CannotFlatten::SendNonText,
        ),
        (json!({"messages": [user], "tools": [{}]}), CannotFlatten::UseTools),
        (json!({"messages": [user], "functions": [{}]}), CannotFlatten::UseTools),
        (
            said(json!({"role": "assistant", "tool_calls": [{}]})),
            CannotFlatten::UseTools,
        ),
        (said(json!({"role": "tool", "content": "r"})), CannotFlatten::UseTools),
    ];
    for (body, expected) in cases {
        assert_eq!(flattened(body.clone()), Err(expected), "{body}");
    }
}

#[test]
fn a_text_is_put_back_into_the_shape_of_a_chat() {
    let response = json!({
        "id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "kv_transfer_params": null,
        "choices": [
            {"index": 0, "text": "Hello", "logprobs": null, "finish_reason": "length", "stop_reason": 3},
            {"index": 1, "text": null, "finish_reason": "stop"},
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    });
    assert_eq!(
        to_chat_response(response).unwrap(),
        json!({
            "id": "cmpl-1", "object": "chat.completion", "created": 1, "model": "m", "kv_transfer_params": null,
            "choices": [
                {
                    "index": 0, "logprobs": null, "finish_reason": "length", "stop_reason": 3,
                    "message": {"role": "assistant", "content": "Hello"},
                },
                {"index": 1, "finish_reason": "stop", "message": {"role": "assistant", "content": ""}},
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        })
    );
}

#[test]
fn what_is_no_text_completion_is_left_to_the_caller() {
    for response in [
        json!(null),
        json!({"error": {"message": "m"}}),
        json!({"choices": {}}),
        json!({"choices": ["a"]}),
        json!({"choices": [{"message": {}}]}),
        json!({"choices": [{"text": 5}]}),
    ] {
        assert_eq!(to_chat_response(response.clone()), None, "{response}");
        assert_eq!(
            ChunkConverter::new().to_chat_chunk(response.clone()),
            None,
            "{response}"
        );
    }
}

#[test]
fn the_first_chunk_of_each_choice_says_who_speaks() {
    let chunk = |index: u64, text: &str, finish: Value| {
        json!({
            "id": "1", "object": "text_completion",
            "choices": [{"index": index, "text": text, "finish_reason": finish}],
        })
    };
    let expected = |index: u64, delta: Value, finish: Value| {
        Some(json!({
            "id": "1", "object": "chat.completion.chunk",
            "choices": [{"index": index, "delta": delta, "finish_reason": finish}],
        }))
    };
    let mut converter = ChunkConverter::new();
    let cases = [
        (0, "A", json!(null), json!({"role": "assistant", "content": "A"})),
        (1, "B", json!(null), json!({"role": "assistant", "content": "B"})),
        (0, "C", json!(null), json!({"content": "C"})),
        (1, "", json!("stop"), json!({"content": ""})),
    ];
    for (index, text, finish, delta) in cases {
        assert_eq!(
            converter.to_chat_chunk(chunk(index, text, finish.clone())),
            expected(index, delta, finish)
        );
    }
    let usage = json!({"object": "text_completion", "choices": [], "usage": {"total_tokens": 3}});
    assert_eq!(
        converter.to_chat_chunk(usage),
        Some(json!({"object": "chat.completion.chunk", "choices": [], "usage": {"total_tokens": 3}}))
    );
}
