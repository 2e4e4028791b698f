//! Models that are not in the catalogue, and a hub that knows one of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use kaito_operator_tests::operator::{Chart, OperatorOptions};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::{SERVICES, STATEFUL_SETS, WORKSPACES, command, pod_spec, serving, stage_with};
use crate::cluster::CONFIG_MAPS;

const MACHINE: &str = "Standard_NC24ads_A100_v4";

/// Two machines of the type hold these 61 GiB, one does not.
async fn answer(State(asked): State<Arc<AtomicUsize>>, request: Request) -> Response {
    asked.fetch_add(1, Ordering::Relaxed);
    match request.uri().path() {
        "/Somebody/Tuned-32B/resolve/main/config.json" => json!({
            "architectures": ["Qwen2ForCausalLM"], "num_hidden_layers": 64, "num_attention_heads": 40,
            "num_key_value_heads": 8, "hidden_size": 5120, "max_position_embeddings": 32768, "torch_dtype": "bfloat16",
        })
        .to_string()
        .into_response(),
        "/api/models/Somebody/Tuned-32B/tree/main" => json!([
            {"type": "file", "path": "model.safetensors", "size": 65_527_000_000_u64},
            {"type": "file", "path": "README.md", "size": 10},
        ])
        .to_string()
        .into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

#[tokio::test]
async fn a_model_that_only_the_hub_knows_is_asked_for_once_and_served() -> Result<()> {
    let asked = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = Router::new().fallback(answer).with_state(Arc::clone(&asked));
    let hub = AbortOnDropHandle::new(tokio::spawn(async move { axum::serve(listener, router).await }));
    let options = OperatorOptions::of(Chart::Workspace).with("HF_ENDPOINT", &url);
    let Some(stage) = stage_with(&options).await? else {
        return Ok(());
    };
    let admin = &stage.admin;

    let ready = stage.ready(&serving("tuned", MACHINE, "Somebody/Tuned-32B")).await?;
    assert_eq!(ready["status"]["targetNodeCount"], 2);
    let set = admin.get(&format!("{STATEFUL_SETS}/tuned")).await?;
    let words = command(&pod_spec(&set)["containers"][0]);
    assert!(words.contains("--model=somebody/tuned-32b"), "{words}");
    assert!(words.contains("--served-model-name=tuned-32b"), "{words}");
    let facts = admin.get(&format!("{CONFIG_MAPS}/tuned-model-facts")).await?;
    assert_eq!(facts["data"]["gated"], "false");
    assert_eq!(facts["metadata"]["ownerReferences"][0]["uid"], ready["metadata"]["uid"]);
    assert_eq!(asked.load(Ordering::Relaxed), 2, "its configuration and its files");

    let unknown = admin
        .create(WORKSPACES, &serving("none", MACHINE, "nobody/none"))
        .await?;
    let path = format!(
        "{WORKSPACES}/{}",
        unknown["metadata"]["name"].as_str().unwrap_or_default()
    );
    let is_told = |workspace: &Value| {
        let conditions = workspace["status"]["conditions"].as_array().into_iter().flatten();
        let mut messages = conditions.filter_map(|condition| condition["message"].as_str());
        messages.any(|message| message.contains("has no model of this name"))
    };
    admin.wait_for(&path, is_told).await?;

    // What runs does not depend on the hub.
    drop(hub);
    let outside = json!({"metadata": {"annotations": {"kaito.sh/enablelb": "true"}}});
    admin.patch(&format!("{WORKSPACES}/tuned"), &outside).await?;
    let is_outside = |service: &Value| service["spec"]["type"] == "LoadBalancer";
    admin.wait_for(&format!("{SERVICES}/tuned"), is_outside).await?;
    Ok(())
}
