//! Nothing is left of an engine that is deleted.

use anyhow::Result;
use serde_json::{Value, json};

use super::{CONFIG_MAPS, DEPLOYMENTS, ENGINES, SERVICES, engine, local, stage};

const NODE_CLAIMS: &str = "/apis/karpenter.sh/v1/nodeclaims";

fn gpu() -> Value {
    let mut spec = local();
    spec["compute"] = json!({
        "instanceType": "Standard_NV36ads_A10_v5", "labelSelector": {"matchLabels": {"apps": "gpu"}},
    });
    spec
}

#[tokio::test]
async fn a_deleted_engine_takes_everything_along() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let mut spec = gpu();
    spec["guardrails"] = json!({"enabled": true});
    spec["networkPolicy"] = json!({});
    stage.admin.create(ENGINES, &engine("docs", &spec)).await?;
    stage
        .admin
        .wait_for(NODE_CLAIMS, |list| {
            list["items"].as_array().is_some_and(|all| all.len() == 1)
        })
        .await?;
    stage.admin.wait_for(&format!("{DEPLOYMENTS}/docs"), |_| true).await?;

    stage.admin.delete(&format!("{ENGINES}/docs")).await?;
    let ours = |list: &Value| {
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items.iter().any(|item| {
            item["metadata"]["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("docs"))
        })
    };
    for path in [
        ENGINES,
        DEPLOYMENTS,
        SERVICES,
        CONFIG_MAPS,
        "/apis/apps/v1/namespaces/default/controllerrevisions",
        "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies",
        "/api/v1/namespaces/default/pods",
    ] {
        stage.admin.wait_for(path, |list| !ours(list)).await?;
    }
    stage
        .admin
        .wait_for(NODE_CLAIMS, |list| list["items"] == json!([]))
        .await?;
    Ok(())
}

#[tokio::test]
async fn an_engine_with_a_machine_can_be_deleted_when_karpenter_is_gone() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    stage.admin.create(ENGINES, &engine("docs", &gpu())).await?;
    stage
        .admin
        .wait_for(NODE_CLAIMS, |list| {
            list["items"].as_array().is_some_and(|all| all.len() == 1)
        })
        .await?;
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    stage
        .admin
        .delete(&format!("{definitions}/nodeclaims.karpenter.sh"))
        .await?;
    let unserved = |engine: &Value| super::condition(engine, "ResourceReady").1 == "NodeClaimsNotServed";
    stage.admin.wait_for(&format!("{ENGINES}/docs"), unserved).await?;
    stage.admin.delete(&format!("{ENGINES}/docs")).await?;
    stage.admin.wait_for(ENGINES, |list| list["items"] == json!([])).await?;
    Ok(())
}
