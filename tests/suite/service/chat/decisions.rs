//! Which chats are answered from an index, which are passed through, and which are refused.

use anyhow::Result;
use kaito_tests::backend::Backend;
use serde_json::{Value, json};

use super::{Running, question, texts, with, with_facts};

const NO_MODEL: &str = "InferenceService not configured. This RAGEngine instance only supports document retrieve via \
                        /retrieve API. To use chat completions, configure an InferenceService in the RAGEngine spec.";

#[tokio::test]
async fn without_a_model_a_chat_is_refused_after_its_body_was_read() -> Result<()> {
    let running = Running::start().await?;
    let answer = running.client().chat(&json!({})).await?;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["detail"]),
        (503, &json!(NO_MODEL))
    );
    let list = running.client().chat(&json!([1])).await?;
    assert_eq!(list.status, 422);
    assert_eq!(
        list.body["detail"],
        json!([{"type": "dict_type", "loc": ["body"], "msg": "Input should be a valid dictionary", "input": [1]}])
    );
    assert_eq!(running.client().get("/v1/models").await?.status, 503);
    Ok(())
}

#[tokio::test]
async fn a_chat_without_an_index_reaches_the_backend_as_it_came() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[]).await?;
    let bodies = [
        json!({"model": "m", "messages": [{"role": "user", "content": "hello"}]}),
        json!({"model": "m", "index_name": "", "messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}),
        json!({"model": "m", "index_name": null, "messages": [], "n": 3, "stop": ["a"], "seed": 7, "guided_json": {"a": 1}}),
        json!({"model": "m", "tools": [{"type": "function", "function": {"name": "f"}}], "messages": [{"role": "wizard"}]}),
        json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}]}),
    ];
    for mut body in bodies {
        let answer = running.client().chat(&body).await?.success()?;
        assert_eq!(
            (&answer["source_nodes"], &answer["grounded"]),
            (&Value::Null, &json!(false))
        );
        if let Some(body) = body.as_object_mut() {
            body.shift_remove("index_name");
        }
        assert_eq!(backend.last_request()?.body, body);
    }
    Ok(())
}

#[tokio::test]
async fn a_conversation_that_is_not_all_text_is_passed_through_whole() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[]).await?;
    let image = json!({"type": "image_url", "image_url": {"url": "data:,"}});
    let conversations = [
        json!([{"role": "user", "content": [{"type": "text", "text": "what is this"}, image]}]),
        json!([{"role": "user", "content": "q"}, {"role": "tool", "content": "4", "tool_call_id": "c"}]),
        json!([{"role": "system", "content": [image]}, {"role": "user", "content": "q"}]),
    ];
    for messages in conversations {
        let body = json!({"model": "m", "index_name": "facts", "messages": messages, "context_token_ratio": 0.5});
        let answer = running.client().chat(&body).await?.success()?;
        assert_eq!(
            (&answer["source_nodes"], &answer["grounded"]),
            (&Value::Null, &json!(false))
        );
        assert_eq!(
            backend.last_request()?.body,
            json!({"model": "m", "messages": messages})
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_nothing_sensible_can_be_done_with_is_refused_in_kaitos_words() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[("LLM_CONTEXT_WINDOW", "300")]).await?;
    let chat = |messages: Value| json!({"model": "m", "index_name": "facts", "messages": messages});
    let user = json!({"role": "user", "content": "Where is vault 12?"});
    let cases = [
        (
            with(question("q"), json!({"index_name": "none"})),
            404,
            "No such index: 'none' exists.",
        ),
        (
            with(question("q"), json!({"index_name": "none", "context_token_ratio": 0.9})),
            404,
            "No such index: 'none' exists.",
        ),
        (
            with(question("q"), json!({"index_name": null, "context_token_ratio": 5})),
            400,
            "Invalid context_token_ratio: 5. Must be between 0.2 and 0.8.",
        ),
        (
            with(question("q"), json!({"context_token_ratio": 0.9})),
            400,
            "Invalid context_token_ratio: 0.9. Must be between 0.2 and 0.8.",
        ),
        (
            with(question("q"), json!({"context_token_ratio": "0.5"})),
            400,
            "Invalid context_token_ratio: \"0.5\". Must be between 0.2 and 0.8.",
        ),
        (
            chat(json!([{"content": "q"}])),
            400,
            "Invalid request format: messages must contain 'role'.",
        ),
        (
            chat(json!([{"role": "system"}, user])),
            400,
            "Invalid request format: messages must contain 'content' for role 'system'.",
        ),
        (
            chat(json!([{"role": "user", "content": ""}])),
            400,
            "Invalid request format: user messages must contain 'content'.",
        ),
        (
            chat(json!(["q"])),
            400,
            "Invalid request format: messages must be objects.",
        ),
        (
            chat(json!([])),
            400,
            "There must be a user prompt since the latest assistant message.",
        ),
        (
            chat(json!([user, {"role": "assistant", "content": "There."}])),
            400,
            "There must be a user prompt since the latest assistant message.",
        ),
        (
            question(&"word ".repeat(400)),
            400,
            "Prompt length exceeds context window.",
        ),
    ];
    for (body, status, detail) in cases {
        let answer = running.client().chat(&body).await?;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["detail"]),
            (status, &json!(detail)),
            "{body}"
        );
        assert_eq!(answer.content_type, "application/problem+json");
        // Where OpenAI's SDKs look for the message.
        assert_eq!(answer.body["error"]["message"], json!(detail));
    }
    for (field, value) in [
        ("max_node_count", json!(0)),
        ("max_node_count", json!(301)),
        ("metadata_filter", json!("x")),
        ("include_sources", json!("yes")),
        ("index_name", json!(5)),
    ] {
        let answer = running
            .client()
            .chat(&with(question("q"), json!({field: value})))
            .await?;
        assert_eq!(answer.status, 422, "{field}");
        assert_eq!(answer.body["detail"][0]["loc"], json!(["body", field]));
    }
    let filter = with(question("q"), json!({"metadata_filter": {"a": {"$near": 1}}}));
    assert_eq!(running.client().chat(&filter).await?.status, 400);
    let threshold = with(question("q"), json!({"similarity_threshold": -1}));
    assert_eq!(running.client().chat(&threshold).await?.status, 400);
    assert_eq!(backend.counts().received, 0, "the backend was not bothered");
    Ok(())
}

#[tokio::test]
async fn what_kaito_refuses_with_an_index_works() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[]).await?;
    let tools = json!([{"type": "function", "function": {"name": "clock", "parameters": {}}}]);
    let accepted = [
        json!({"tools": tools, "tool_choice": "auto"}),
        json!({"functions": [{"name": "f"}]}),
        json!({"n": 2}),
        json!({"stop": ["x"], "seed": 3, "response_format": {"type": "text"}, "temperature": 0.3, "guided_json": {}}),
    ];
    for more in accepted {
        let answer = running
            .client()
            .chat(&with(question("Where is vault 12?"), more.clone()))
            .await?
            .success()?;
        assert_eq!(answer["grounded"], json!(true), "{more}");
        let sent = backend.last_request()?.body;
        for (key, value) in more.as_object().into_iter().flatten() {
            assert_eq!(&sent[key], value, "{key} was not forwarded");
        }
    }
    Ok(())
}

#[tokio::test]
async fn nothing_found_means_an_answer_that_says_so() -> Result<()> {
    let backend = Backend::start().await?;
    let running = with_facts(&backend, &[]).await?;
    running.client().index("typed", &texts(&["Only this."])).await?;
    let nothing = [
        with(question("Where is vault 12?"), json!({"metadata_filter": {"year": 1}})),
        with(question("xyzzy plugh"), json!({"similarity_threshold": 0.01})),
        with(question("Where is vault 12?"), json!({"context_token_ratio": 0})),
    ];
    for body in nothing {
        let answer = running.client().chat(&body).await?.success()?;
        assert_eq!(
            (&answer["source_nodes"], &answer["grounded"]),
            (&Value::Null, &json!(false)),
            "{body}"
        );
        let sent = backend.last_request()?.body;
        assert_eq!(sent, json!({"model": "test-model", "messages": body["messages"]}));
    }
    Ok(())
}
