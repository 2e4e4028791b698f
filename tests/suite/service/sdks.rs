//! The service driven by the SDKs that its users have.

use std::path::Path;

use anyhow::Result;
use kaito_tests::backend::{Backend, Reply, last_user_text};
use kaito_tests::installed::installed;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{Running, succeed, texts};

/// What the SDKs send as `api_key`.
const KEY: &str = "a-key-for-sdks-only";

/// What the scripts expect of a model.
fn answer(body: &Value) -> Reply {
    let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let content = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
    let last = messages.last().cloned().unwrap_or_default();
    if last["role"] == "tool" {
        return Reply::text(format!("The tool says: {}", content(&last)));
    }
    if last_user_text(body) == "be busy" {
        return Reply::error(429, "busy").header("Retry-After", "0");
    }
    if body["tools"].is_array() {
        return Reply::tool_calls(&[("get_weather", json!({"city": "Tarn"}))]);
    }
    let has_context = |message: &Value| content(message).contains("Use the context information below");
    if messages.iter().any(has_context) {
        return Reply::text("It was commissioned in 1987 [1].");
    }
    Reply::text(format!("You said: {}", last_user_text(body)))
}

async fn service_with_facts() -> Result<(Backend, Running)> {
    let backend = Backend::start().await?;
    backend.require_key("s3cret");
    backend.reply_by(answer);
    let running = Running::start_with(&[
        ("LLM_INFERENCE_URL", &backend.chat_url()),
        ("LLM_ACCESS_SECRET", "s3cret"),
        ("RAG_LLM_RETRIES", "0"),
        ("RAG_API_KEY", KEY),
    ])
    .await?;
    let facts = [
        "The reactor at Site 7 was commissioned in 1987 and uses helium.",
        "The weather station of Tarn stands on the roof of the town hall.",
        "The Quillon bridge is made of basalt and is 312 metres long.",
    ];
    running.client().index("facts", &texts(&facts)).await?;
    Ok((backend, running))
}

fn script(program: impl AsRef<std::ffi::OsStr>, name: &str, running: &Running) -> Command {
    let mut command = Command::new(program);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/service").join(name))
        .arg(format!("{}/v1", running.client().base()))
        .arg(KEY);
    command
}

/// What the backend must have seen after a script that called tools with and without an index.
fn assert_that_tools_went_along(backend: &Backend) {
    let requests = backend.requests();
    let with_tools = requests
        .iter()
        .filter(|request| request.body["tools"][0]["function"]["name"] == "get_weather");
    let of_ours: Vec<&str> = with_tools
        .clone()
        .filter_map(|request| {
            request.body["messages"]
                .as_array()?
                .iter()
                .find_map(|message| message["content"].as_str().filter(|text| text.contains("```")))
        })
        .collect();
    assert!(!of_ours.is_empty(), "no request has tools and passages");
    assert!(with_tools.count() > of_ours.len(), "no request has tools only");
    assert!(
        requests.iter().all(|request| request.body.get("index_name").is_none()),
        "our own members are not the backend's business"
    );
}

#[tokio::test]
async fn openais_python_sdk_chats_plainly_and_grounded_streams_calls_tools_and_sees_errors() -> Result<()> {
    let (backend, running) = service_with_facts().await?;
    let python = installed("sdk-venv/bin/python", "make test")?;
    succeed(script(python, "openai_sdk.py", &running)).await?;
    assert_that_tools_went_along(&backend);
    Ok(())
}

#[tokio::test]
async fn langchain_chats_plainly_and_grounded_streams_calls_tools_and_sees_errors() -> Result<()> {
    let (backend, running) = service_with_facts().await?;
    let python = installed("sdk-venv/bin/python", "make test")?;
    succeed(script(python, "langchain_sdk.py", &running)).await?;
    assert_that_tools_went_along(&backend);
    Ok(())
}

#[tokio::test]
async fn openais_node_sdk_chats_plainly_and_grounded_streams_calls_tools_and_sees_errors() -> Result<()> {
    let directory = match installed("node-sdk", "make test") {
        Ok(directory) => directory,
        // `make test` says so too, and why.
        Err(missing) if std::env::var_os("REQUIRE_NODE").is_none() => {
            eprintln!("SKIPPED, since REQUIRE_NODE is not set: {missing:#}");
            return Ok(());
        }
        Err(missing) => return Err(missing),
    };
    let (backend, running) = service_with_facts().await?;
    let mut command = script("node", "openai_sdk.mjs", &running);
    command.arg(directory);
    succeed(command).await?;
    assert_that_tools_went_along(&backend);
    Ok(())
}
