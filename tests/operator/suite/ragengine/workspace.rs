//! An engine whose model is served by a Workspace.

use anyhow::Result;
use serde_json::{Value, json};

use super::{DEPLOYMENTS, ENGINES, condition, engine, is_ready, local, message, stage, variable};

const WORKSPACES: &str = "/apis/kaito.sh/v1beta1/namespaces/default/workspaces";

fn workspace(name: &str, preset: &str) -> Value {
    json!({
        "apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": name},
        "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": name}}},
        "inference": {"preset": {"name": preset}},
    })
}

fn inference(status: &str, reason: &str, words: &str) -> Value {
    json!({"status": {"conditions": [{
        "type": "InferenceReady", "status": status, "reason": reason, "message": words,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]}})
}

#[tokio::test]
async fn an_engine_follows_its_workspace_and_readiness_alone_replaces_no_pod() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let (path, deployment) = (format!("{ENGINES}/docs"), format!("{DEPLOYMENTS}/docs"));
    let mut spec = local();
    spec["inferenceService"] = json!({"workspaceRef": {"name": "phi"}});
    stage.admin.create(ENGINES, &engine("docs", &spec)).await?;
    let reason = |wanted: &'static str| move |engine: &Value| condition(engine, "InferenceReady").1 == wanted;
    let engine = stage.admin.wait_for(&path, reason("WorkspaceNotFound")).await?;
    assert!(message(&engine, "InferenceReady").contains("\"phi\""));
    // It retrieves all the same.
    stage
        .admin
        .wait_for(&path, |engine| condition(engine, "ServiceReady").0 == "True")
        .await?;

    stage
        .admin
        .create(WORKSPACES, &workspace("phi", "phi-4-mini-instruct"))
        .await?;
    let engine = stage.admin.wait_for(&path, reason("WorkspaceNotReady")).await?;
    assert_eq!(
        engine["status"]["inference"],
        json!({
            "url": "http://phi.default.svc/v1/chat/completions", "model": "phi-4-mini-instruct", "contextWindow": 131_072,
        })
    );
    let pods = stage
        .admin
        .wait_for(&deployment, |found| variable(found, "LLM_CONTEXT_WINDOW").is_some())
        .await?;
    assert_eq!(variable(&pods, "LLM_CONTEXT_WINDOW").as_deref(), Some("131072"));

    let status = format!("{WORKSPACES}/phi/status");
    for (truth, why) in [
        ("False", "WorkspaceInferenceStatusPending"),
        ("True", "Success"),
        ("False", "NodeLost"),
    ] {
        stage
            .admin
            .patch(&status, &inference(truth, why, "words of the workspace"))
            .await?;
        let engine = stage.admin.wait_for(&path, |engine| {
            condition(engine, "InferenceReady").0 == truth
                && (truth == "True" || message(engine, "InferenceReady").contains(why))
        });
        assert_eq!(is_ready(&engine.await?), truth == "True");
    }
    stage.admin.delete(&format!("{WORKSPACES}/phi")).await?;
    stage.admin.wait_for(&path, reason("WorkspaceNotFound")).await?;
    stage
        .admin
        .create(WORKSPACES, &workspace("phi", "phi-4-mini-instruct"))
        .await?;
    stage.admin.wait_for(&path, reason("WorkspaceNotReady")).await?;
    let after = stage.admin.get(&deployment).await?;
    assert_eq!(
        after["spec"]["template"], pods["spec"]["template"],
        "neither readiness nor absence replaces pods"
    );
    assert_eq!(after["metadata"]["generation"], pods["metadata"]["generation"]);

    // Another model has another window.
    stage.admin.delete(&format!("{WORKSPACES}/phi")).await?;
    stage
        .admin
        .create(WORKSPACES, &workspace("phi", "phi-3-mini-4k-instruct"))
        .await?;
    stage
        .admin
        .wait_for(&deployment, |found| {
            variable(found, "LLM_CONTEXT_WINDOW").as_deref() == Some("4096")
        })
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_workspace_of_another_namespace_has_to_allow_it() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    stage.cluster.kubectl(&["create", "namespace", "models"]).await?;
    let theirs = "/apis/kaito.sh/v1beta1/namespaces/models/workspaces";
    stage
        .admin
        .create(theirs, &workspace("phi", "phi-4-mini-instruct"))
        .await?;
    stage
        .admin
        .patch(&format!("{theirs}/phi/status"), &inference("True", "Success", "ready"))
        .await?;
    let mut spec = local();
    spec["inferenceService"] = json!({"workspaceRef": {"name": "phi", "namespace": "models"}});
    stage.admin.create(ENGINES, &engine("docs", &spec)).await?;
    let (path, deployment) = (format!("{ENGINES}/docs"), format!("{DEPLOYMENTS}/docs"));
    let forbidden = |engine: &Value| condition(engine, "InferenceReady").1 == "WorkspaceNotAllowed";
    stage.admin.wait_for(&path, forbidden).await?;
    assert_eq!(
        variable(&stage.admin.get(&deployment).await?, "LLM_INFERENCE_URL"),
        None
    );

    let allow = |list: &str| json!({"metadata": {"annotations": {"kaito.sh/allow-ragengine-namespaces": list}}});
    stage
        .admin
        .patch(&format!("{theirs}/phi"), &allow("other, default"))
        .await?;
    stage.admin.wait_for(&path, is_ready).await?;
    let url = variable(&stage.admin.get(&deployment).await?, "LLM_INFERENCE_URL");
    assert_eq!(url.as_deref(), Some("http://phi.models.svc/v1/chat/completions"));

    stage.admin.patch(&format!("{theirs}/phi"), &allow("other")).await?;
    stage.admin.wait_for(&path, forbidden).await?;
    stage
        .admin
        .wait_for(&deployment, |found| variable(found, "LLM_INFERENCE_URL").is_none())
        .await?;
    Ok(())
}
