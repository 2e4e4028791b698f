//! The model server that other tests stand on.

use anyhow::{Context, Result};
use kaito_tests::backend::{Backend, Gate, Reply, Script};
use kaito_tests::client::Client;
use reqwest::Response;
use serde_json::{Value, json};

fn question(text: &str) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": text}]})
}

fn streamed(mut request: Value) -> Value {
    request["stream"] = json!(true);
    request
}

async fn post(url: String, body: &Value) -> Result<Response> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::new().post(url).json(body).send().await?)
}

async fn chat(backend: &Backend, body: &Value) -> Result<Value> {
    Ok(post(backend.chat_url(), body).await?.json().await?)
}

/// The data of all events of a body.
fn events(body: &str) -> Vec<Value> {
    body.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter_map(|data| serde_json::from_str(data).ok())
        .collect()
}

fn contents(events: &[Value]) -> String {
    events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
        .collect()
}

#[tokio::test]
async fn it_echoes_lists_its_models_and_remembers_what_it_was_asked() -> Result<()> {
    let backend = Backend::start().await?;
    backend.serve_models(&[("tiny", Some(4096)), ("other", None)]);
    let client = Client::new(format!("http://{}", backend.address()));
    let models = client.get("/v1/models").await?.success()?;
    assert_eq!(models["data"][0]["max_model_len"], 4096);
    assert_eq!(models["data"][1].get("max_model_len"), None);

    let answer = client
        .post("/any/prefix/chat/completions", &question("hello there"))
        .await?
        .success()?;
    assert_eq!(answer["choices"][0]["message"]["content"], "You said: hello there");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(
        answer["usage"],
        json!({"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6})
    );
    let asked = backend.last_request()?;
    assert_eq!(asked.path, "/any/prefix/chat/completions");
    assert_eq!(asked.body, question("hello there"));
    assert_eq!(asked.bytes, question("hello there").to_string());
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert!(asked.finished() && !asked.cancelled());
    assert_eq!(backend.model_requests().len(), 1);
    assert_eq!(client.get("/elsewhere").await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn replies_are_given_in_order_and_the_last_one_again() -> Result<()> {
    let backend = Backend::replying([Reply::text("one"), Reply::text("two")]).await?;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(chat(&backend, &question("?")).await?["choices"][0]["message"]["content"].clone());
    }
    assert_eq!(seen, ["one", "two", "two"]);
    backend.push(Reply::text("three"));
    assert_eq!(
        chat(&backend, &question("?")).await?["choices"][0]["message"]["content"],
        "three"
    );
    backend.reply_by(|body| Reply::text(body["model"].as_str().unwrap_or_default()));
    assert_eq!(
        chat(&backend, &question("?")).await?["choices"][0]["message"]["content"],
        "m"
    );
    Ok(())
}

#[tokio::test]
async fn a_completion_has_the_fields_it_was_given_whole_and_streamed() -> Result<()> {
    let reply = Reply::choices(["a b", "c"])
        .reasoning("because")
        .finish_reason("length")
        .usage(7, 3)
        .field("system_fingerprint", "f");
    let backend = Backend::replying([reply]).await?;
    let whole = chat(&backend, &question("?")).await?;
    assert_eq!(whole["choices"][0]["message"]["reasoning_content"], "because");
    assert_eq!(whole["choices"][1]["message"]["content"], "c");
    assert_eq!(whole["choices"][1]["finish_reason"], "length");
    assert_eq!(whole["usage"]["total_tokens"], 10);
    assert_eq!(whole["system_fingerprint"], "f");

    let mut request = streamed(question("?"));
    request["stream_options"] = json!({"include_usage": true});
    let body = post(backend.chat_url(), &request).await?.text().await?;
    assert!(body.ends_with("data: [DONE]\n\n"), "{body}");
    let events = events(&body);
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(events[1]["choices"][0]["delta"]["reasoning_content"], "because");
    assert_eq!(contents(&events), "a bc");
    let last = events.last().context("no events")?;
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["prompt_tokens"], 7);
    Ok(())
}

#[tokio::test]
async fn tool_calls_come_whole_and_in_deltas() -> Result<()> {
    let arguments = json!({"city": "Orléans", "unit": "°C"});
    let backend = Backend::replying([Reply::tool_calls(&[("weather", arguments.clone())])]).await?;
    let whole = chat(&backend, &question("?")).await?;
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(whole["choices"][0]["message"]["content"], Value::Null);
    let call = &whole["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(call["function"]["name"], "weather");
    assert_eq!(call["function"]["arguments"], arguments.to_string());

    let body = post(backend.chat_url(), &streamed(question("?"))).await?.text().await?;
    let pieces: Vec<String> = events(&body)
        .iter()
        .filter_map(|event| {
            event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"]
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    assert!(pieces.len() > 2, "{pieces:?}");
    assert_eq!(pieces.concat(), arguments.to_string());
    Ok(())
}

#[tokio::test]
async fn text_completions_answer_the_prompt_whole_and_streamed() -> Result<()> {
    let backend = Backend::start().await?;
    let request = json!({"model": "m", "prompt": "once upon"});
    let whole: Value = post(backend.completions_url(), &request).await?.json().await?;
    assert_eq!(whole["object"], "text_completion");
    assert_eq!(whole["choices"][0]["text"], "You said: once upon");
    let body = post(backend.completions_url(), &streamed(request))
        .await?
        .text()
        .await?;
    let text: String = events(&body)
        .iter()
        .filter_map(|event| event["choices"][0]["text"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(text, "You said: once upon");
    Ok(())
}

#[tokio::test]
async fn a_gate_lets_as_many_chunks_through_as_are_released() -> Result<()> {
    let gate = Gate::closed();
    let backend = Backend::replying([Reply::text("a b c").gated(&gate)]).await?;
    let mut response = post(backend.chat_url(), &streamed(question("?"))).await?;
    for expected in ["assistant", "a ", "b "] {
        gate.release(1);
        let chunk = response.chunk().await?.context("the stream has ended")?;
        assert!(
            String::from_utf8_lossy(&chunk).contains(&format!(":\"{expected}\"")),
            "{chunk:?}"
        );
    }
    assert_eq!(backend.last_request()?.sent(), 3);
    assert_eq!(backend.counts().in_flight, 1);
    gate.open();
    assert!(response.text().await?.ends_with("[DONE]\n\n"));
    backend.idle().await?;
    assert_eq!(backend.counts().cancelled, 0);
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_before_and_during_the_answer() -> Result<()> {
    let backend = Backend::replying([Reply::hang()]).await?;
    let url = backend.chat_url();
    let waiting = tokio::spawn(async move { post(url, &question("?")).await });
    backend.wait_for_requests(1).await?;
    waiting.abort();
    backend.cancelled().await?;
    assert!(backend.requests()[0].cancelled());

    backend.reply([Reply::text("a b c").shaped(|script| script.hang_after(2))]);
    let mut response = post(backend.chat_url(), &streamed(question("?"))).await?;
    response.chunk().await?.context("the stream has ended")?;
    drop(response);
    let counts = backend.wait_until(|counts| counts.cancelled == 2).await?;
    assert_eq!((counts.received, counts.in_flight, counts.finished), (2, 0, 0));
    Ok(())
}

#[tokio::test]
async fn bytes_are_cut_where_the_test_says() -> Result<()> {
    let script = |script: Script| script.without_done().commented("still here").crlf().split_every(5);
    let gate = Gate::closed();
    let gated = gate.clone();
    let reply = Reply::text("Ünïcödé wörds").shaped(move |steps| script(steps).gated(&gated));
    let backend = Backend::replying([reply]).await?;
    let mut response = post(backend.chat_url(), &streamed(question("?"))).await?;
    let mut body = Vec::new();
    for _ in 0..4 {
        gate.release(1);
        let chunk = response.chunk().await?.context("the stream has ended")?;
        assert_eq!(chunk.len(), 5);
        body.extend_from_slice(&chunk);
    }
    gate.open();
    body.extend_from_slice(&response.bytes().await?);
    let body = String::from_utf8(body)?;
    assert!(body.starts_with(": still here\r\n\r\ndata: {"), "{body}");
    assert!(!body.contains("DONE") && !body.replace("\r\n", "").contains('\n'));
    assert_eq!(contents(&events(&body)), "Ünïcödé wörds");
    Ok(())
}

#[tokio::test]
async fn connections_drop_where_the_test_says() -> Result<()> {
    let backend = Backend::replying([
        Reply::hang_up(),
        Reply::text("a b c").shaped(|script| script.disconnect_after(2)),
        Reply::text("a b c").shaped(|script| script.split_every(20).disconnect_after(1)),
    ])
    .await?;
    assert!(post(backend.chat_url(), &question("?")).await.is_err());

    let mut response = post(backend.chat_url(), &streamed(question("?"))).await?;
    let mut received = String::new();
    let end = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => received.push_str(&String::from_utf8_lossy(&chunk)),
            end => break end,
        }
    };
    assert!(end.is_err(), "the body has an end: {received}");
    assert_eq!(contents(&events(&received)), "a ");

    let response = post(backend.chat_url(), &question("?")).await?;
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
    // The server left, not the client.
    assert_eq!(backend.counts().cancelled, 0);
    Ok(())
}

#[tokio::test]
async fn errors_headers_foreign_bodies_and_keys() -> Result<()> {
    let backend = Backend::replying([
        Reply::error(429, "slow down").header("Retry-After", "7"),
        Reply::bytes("text/html", "<html>").status(200),
        Reply::stream(
            Script::new()
                .event(&json!({"error": {"message": "x"}}))
                .raw("data: {bro"),
        ),
    ])
    .await?;
    let refused = post(backend.chat_url(), &question("?")).await?;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "7");
    assert_eq!(refused.json::<Value>().await?["error"]["message"], "slow down");
    assert_eq!(post(backend.chat_url(), &question("?")).await?.text().await?, "<html>");
    let broken = post(backend.chat_url(), &streamed(question("?"))).await?.text().await?;
    assert_eq!(broken, "data: {\"error\":{\"message\":\"x\"}}\n\ndata: {bro");

    backend.require_key("s3cret");
    assert_eq!(post(backend.chat_url(), &question("?")).await?.status(), 401);
    backend.reply_to_models(Reply::error(500, "no models today"));
    let models = Client::new(backend.base_url()).get("/models").await?;
    assert_eq!(models.status, 401);
    Ok(())
}

#[tokio::test]
async fn a_stopped_server_breaks_answers_off_and_frees_its_port() -> Result<()> {
    let backend = Backend::replying([Reply::text("a b c").shaped(|script| script.hang_after(2))]).await?;
    let address = backend.address().to_string();
    let response = post(backend.chat_url(), &streamed(question("?"))).await?;
    let url = backend.chat_url();
    backend.stop().await?;
    assert!(response.bytes().await.is_err());
    assert!(post(url.clone(), &question("?")).await.is_err());

    let again = Backend::start_on(&address).await?;
    assert_eq!(post(url, &question("?")).await?.status(), 200);
    assert_eq!(again.counts().received, 1);
    Ok(())
}
