use serde_json::json;

use super::*;

fn planned(messages: &Value) -> Result<ChatPlan, ReadMessages> {
    plan(Some(messages))
}

fn conversation_of(messages: &Value) -> Conversation {
    match planned(messages) {
        Ok(ChatPlan::Augment(conversation)) => conversation,
        other => panic!("{other:?}"),
    }
}

fn refusal(messages: &Value) -> String {
    planned(messages).unwrap_err().to_string()
}

/// The messages of the history as they go to the backend.
fn history(conversation: &Conversation) -> Vec<Value> {
    conversation
        .history
        .iter()
        .map(|said| Value::Object(said.message.clone()))
        .collect()
}

#[test]
fn messages_of_the_wrong_shape_are_refused() {
    let no_question = "There must be a user prompt since the latest assistant message.";
    let no_list = "Invalid request format: messages must be a list.";
    let no_object = "Invalid request format: messages must be objects.";
    assert_eq!(plan(None).unwrap_err().to_string(), no_question);
    let cases = [
        (json!(null), no_question),
        (json!([]), no_question),
        (json!({}), no_list),
        (json!("hello"), no_list),
        (json!(5), no_list),
        (json!(["hello"]), no_object),
        (json!([null]), no_object),
        (json!([[{"role": "user", "content": "a"}]]), no_object),
    ];
    for (messages, expected) in cases {
        assert_eq!(refusal(&messages), expected, "{messages}");
    }
}

#[test]
fn a_message_without_a_role_is_refused() {
    for role in [json!(null), json!(""), json!(0), json!(false), json!([]), json!({})] {
        let messages = json!([{"role": role, "content": "a"}]);
        assert_eq!(
            refusal(&messages),
            "Invalid request format: messages must contain 'role'.",
            "{messages}"
        );
    }
    assert_eq!(
        refusal(&json!([{"content": "a"}])),
        "Invalid request format: messages must contain 'role'."
    );
}

#[test]
fn a_message_without_content_is_refused_unless_it_is_the_assistants() {
    for role in ["user", "system", "developer", "tool", "stranger"] {
        let expected = format!("Invalid request format: messages must contain 'content' for role '{role}'.");
        for message in [json!({"role": role}), json!({"role": role, "content": null})] {
            assert_eq!(refusal(&json!([message])), expected, "{message}");
        }
    }
    assert_eq!(
        refusal(&json!([{"role": ["user"]}])),
        "Invalid request format: messages must contain 'content' for role '['user']'."
    );
    for message in [
        json!({"role": "assistant"}),
        json!({"role": "assistant", "content": null}),
    ] {
        let conversation = conversation_of(&json!([message, {"role": "user", "content": "a"}]));
        assert_eq!(conversation.history, [], "{message}");
    }
}

#[test]
fn a_chat_with_a_foreign_role_is_passed_through() {
    for role in [
        json!("tool"),
        json!("function"),
        json!("User"),
        json!(5),
        json!(["user"]),
    ] {
        let messages = json!([{"role": "user", "content": "a"}, {"role": role, "content": "b"}]);
        assert_eq!(
            planned(&messages),
            Ok(ChatPlan::PassThrough(Reason::ForeignRole)),
            "{messages}"
        );
    }
}

#[test]
fn an_empty_message_of_the_user_is_refused() {
    for content in [json!(""), json!([]), json!({}), json!(0), json!(false)] {
        assert_eq!(
            refusal(&json!([{"role": "user", "content": content}])),
            "Invalid request format: user messages must contain 'content'.",
            "{content}"
        );
    }
}

#[test]
fn a_chat_with_anything_but_text_is_passed_through_whoever_says_it() {
    let contents = [
        json!([{"type": "image_url", "image_url": {"url": "u"}}]),
        json!([{"type": "text", "text": "a"}, {"type": "input_audio", "input_audio": {}}]),
        json!([{"type": "file", "file": {}}]),
        json!([{"text": "a part in a list has to have a type"}]),
        json!({"type": "image_url", "image_url": {"url": "u"}}),
    ];
    for role in ["user", "system", "developer", "assistant"] {
        for content in &contents {
            let messages = json!([{"role": role, "content": content}, {"role": "user", "content": "a"}]);
            assert_eq!(
                planned(&messages),
                Ok(ChatPlan::PassThrough(Reason::NotText)),
                "{messages}"
            );
        }
    }
    let users_refusal = json!([{"role": "user", "content": [{"type": "refusal", "refusal": "no"}]}]);
    assert_eq!(planned(&users_refusal), Ok(ChatPlan::PassThrough(Reason::NotText)));
}

#[test]
fn content_of_no_known_form_is_refused() {
    for role in ["user", "system", "assistant"] {
        for content in [json!(5), json!(true), json!([5]), json!([{"type": "text"}])] {
            assert_eq!(
                refusal(&json!([{"role": role, "content": content}])),
                format!("Invalid request format: 'content' for role '{role}' must be text or a list of content parts."),
                "{content}"
            );
        }
    }
}

#[test]
fn the_first_message_that_decides_decides() {
    let image = json!({"role": "user", "content": [{"type": "image_url"}]});
    let tool = json!({"role": "tool", "content": "a"});
    let nameless = json!({"content": "a"});
    assert_eq!(
        planned(&json!([image, tool, nameless])),
        Ok(ChatPlan::PassThrough(Reason::NotText))
    );
    assert_eq!(
        planned(&json!([tool, image, nameless])),
        Ok(ChatPlan::PassThrough(Reason::ForeignRole))
    );
    assert_eq!(planned(&json!([nameless, image])), Err(ReadMessages::OmitRole));
    // Nothing is asked, but that is seen last.
    assert_eq!(
        planned(&json!([{"role": "system", "content": "a"}, tool])),
        Ok(ChatPlan::PassThrough(Reason::ForeignRole))
    );
}

#[test]
fn text_is_read_in_every_form_and_from_every_role() {
    let forms = [
        (json!("a\nb"), "a\nb"),
        (json!(["a", "b"]), "a\nb"),
        (
            json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
            "a\nb",
        ),
        (json!([{"type": "text", "text": "a"}, "b"]), "a\nb"),
        (json!({"type": "text", "text": "a\nb"}), "a\nb"),
        (json!({"text": "a\nb"}), "a\nb"),
    ];
    for (content, text) in &forms {
        let asked = conversation_of(&json!([{"role": "user", "content": content}]));
        assert_eq!(asked.question, *text, "{content}");
        for role in ["user", "system", "developer", "assistant"] {
            let messages = json!([
                {"role": role, "content": content},
                {"role": "assistant", "content": "x"},
                {"role": "user", "content": "q"},
            ]);
            assert_eq!(conversation_of(&messages).history[0].text, *text, "{messages}");
        }
    }
    let refused = json!([
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "user", "content": "q"},
    ]);
    assert_eq!(conversation_of(&refused).history[0].text, "no");
}

#[test]
fn messages_stay_as_they_came_unless_backends_would_not_know_their_form() {
    let kept = [
        json!({"role": "assistant", "content": "a", "name": "n", "reasoning_content": "r"}),
        json!({"role": "system", "content": [{"type": "text", "text": "a", "cache_control": {}}]}),
    ];
    for message in kept {
        let conversation = conversation_of(&json!([message, {"role": "user", "content": "q"}]));
        assert_eq!(history(&conversation), [message]);
    }
    let flattened = [json!(["a", {"type": "text", "text": "b"}]), json!({"text": "a\nb"})];
    for content in flattened {
        let conversation = conversation_of(&json!([
            {"role": "system", "content": content, "name": "n"},
            {"role": "user", "content": "q"},
        ]));
        assert_eq!(
            history(&conversation),
            [json!({"role": "system", "content": "a\nb", "name": "n"})]
        );
    }
}

#[test]
fn the_question_is_what_the_user_said_since_the_last_answer() {
    let messages = json!([
        {"role": "system", "content": "s1"},
        {"role": "user", "content": "u1"},
        {"role": "assistant", "content": "a1"},
        {"role": "user", "content": "u2"},
        {"role": "system", "content": "s2"},
        {"role": "user", "content": "u3"},
        {"role": "developer", "content": "d1"},
    ]);
    let conversation = conversation_of(&messages);
    assert_eq!(conversation.question, "u2\n\nu3");
    let said: Vec<&str> = conversation.history.iter().map(|said| said.text.as_str()).collect();
    assert_eq!(said, ["s1", "u1", "a1", "s2", "d1"]);
}

#[test]
fn without_a_question_after_the_last_answer_the_chat_is_refused() {
    let asked = json!({"role": "user", "content": "u"});
    for messages in [
        json!([{"role": "system", "content": "s"}]),
        json!([asked, {"role": "assistant", "content": "a"}]),
        json!([asked, {"role": "assistant", "content": null}]),
        json!([asked, {"role": "assistant", "content": "a"}, {"role": "system", "content": "s"}]),
        json!([{"role": "user", "content": " \n"}]),
        json!([{"role": "user", "content": [{"type": "text", "text": ""}]}]),
    ] {
        assert_eq!(planned(&messages), Err(ReadMessages::OmitQuestion), "{messages}");
    }
}

#[test]
fn messages_that_say_nothing_are_left_out_unless_they_call_tools() {
    let calling = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "1"}]});
    let calling_formerly = json!({"role": "assistant", "function_call": {"name": "f"}});
    let messages = json!([
        {"role": "system", "content": ""},
        {"role": "assistant", "content": []},
        {"role": "assistant", "content": null, "tool_calls": []},
        calling,
        calling_formerly,
        {"role": "user", "content": "q"},
    ]);
    assert_eq!(history(&conversation_of(&messages)), [calling, calling_formerly]);
}

#[test]
fn history_and_question_are_counted_with_what_surrounds_each_message() {
    let counter = ChatTokenCounter::o200k();
    let conversation = conversation_of(&json!([
        {"role": "system", "content": "hello world"},
        {"role": "assistant", "content": "hello", "tool_calls": [{"id": "1"}]},
        {"role": "user", "content": "hello world"},
    ]));
    let calls = counter.count(r#"[{"id":"1"}]"#);
    assert_eq!(
        conversation.history_tokens(&counter, 1000).unwrap(),
        2 + 1 + calls + 2 * MESSAGE_OVERHEAD_TOKENS
    );
    assert_eq!(
        conversation.question_tokens(&counter, 1000),
        Some(2 + MESSAGE_OVERHEAD_TOKENS)
    );
}
