//! GPU machines: asked for once, waited for without blocking, replaced when they are lost. The test plays Karpenter.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{DEPLOYMENTS, ENGINES, Stage, condition, container, engine, is_ready, local, message, stage};

const NODE_CLAIMS: &str = "/apis/karpenter.sh/v1/nodeclaims";
const NODES: &str = "/api/v1/nodes";
const INSTANCE_TYPE: &str = "Standard_NV36ads_A10_v5";

fn gpu(apps: &str) -> Value {
    let mut spec = local();
    spec["compute"] = json!({"instanceType": INSTANCE_TYPE, "labelSelector": {"matchLabels": {"apps": apps}}});
    spec
}

/// The name of the only NodeClaim, once there is one that `is_new`.
async fn claim(stage: &Stage, is_new: impl Fn(&Value) -> bool) -> Result<String> {
    let one = |list: &Value| matches!(list["items"].as_array().map(Vec::as_slice), Some([claim]) if is_new(claim));
    let list = stage.admin.wait_for(NODE_CLAIMS, one).await?;
    list["items"][0]["metadata"]["name"]
        .as_str()
        .map(ToOwned::to_owned)
        .context("a name")
}

fn node(name: &str, apps: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {"apps": apps, "node.kubernetes.io/instance-type": INSTANCE_TYPE, "karpenter.sh/nodepool": "kaito"},
        },
        "spec": {"taints": [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}]},
    })
}

async fn fail_to_launch(stage: &Stage, claim: &str, words: &str) -> Result<()> {
    let now = "2026-01-01T00:00:00Z";
    let status = json!({"status": {"conditions": [{
        "type": "Launched", "status": "False", "reason": "LaunchFailed", "message": words, "lastTransitionTime": now,
    }]}});
    stage
        .admin
        .patch(&format!("{NODE_CLAIMS}/{claim}/status"), &status)
        .await?;
    Ok(())
}

async fn give_gpus(stage: &Stage, node: &str) -> Result<()> {
    let gpus = json!({"status": {"capacity": {"nvidia.com/gpu": "1"}, "allocatable": {"nvidia.com/gpu": "1"}}});
    stage.admin.patch(&format!("{NODES}/{node}/status"), &gpus).await?;
    Ok(())
}

#[tokio::test]
async fn a_machine_is_claimed_once_its_trouble_is_told_and_a_lost_one_is_replaced() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let path = format!("{ENGINES}/docs");
    stage.admin.create(ENGINES, &engine("docs", &gpu("gpu"))).await?;
    let first = claim(&stage, |_| true).await?;
    let created = stage
        .admin
        .wait_for(&path, |engine| condition(engine, "NodeClaimReady").0 == "False")
        .await?;
    assert_eq!(condition(&created, "ResourceReady").0, "False");
    assert_eq!(
        created["metadata"]["finalizers"],
        json!(["ragengine.finalizer.kaito.sh"])
    );
    // The pods are made at once; the scheduler lets them wait for the machine.
    let deployment = stage.admin.wait_for(&format!("{DEPLOYMENTS}/docs"), |_| true).await?;
    assert_eq!(
        container(&deployment)["resources"]["limits"],
        json!({"nvidia.com/gpu": "1"})
    );

    fail_to_launch(&stage, &first, "no capacity for this type in any zone").await?;
    let failed = stage
        .admin
        .wait_for(&path, |engine| condition(engine, "ResourceReady").1 == "LaunchFailed")
        .await?;
    assert!(message(&failed, "ResourceReady").contains("no capacity for this type in any zone"));
    assert!(message(&failed, "Ready").contains("no capacity"));

    // Karpenter deletes a claim that it cannot launch; the words stay until the next attempt, which waits a little.
    let uid = stage.admin.get(&format!("{NODE_CLAIMS}/{first}")).await?["metadata"]["uid"].clone();
    stage.admin.delete(&format!("{NODE_CLAIMS}/{first}")).await?;
    let second = claim(&stage, |claim| claim["metadata"]["uid"] != uid).await?;
    assert_eq!(second, first, "the name follows from the engine");
    stage.admin.create(NODES, &node("gpu-1", "gpu")).await?;

    let waiting = stage
        .admin
        .wait_for(&path, |engine| {
            condition(engine, "ResourceReady").1 == "GpuPluginPending"
        })
        .await?;
    assert_eq!(waiting["status"]["workerNodes"], json!(["gpu-1"]));
    let marked = |node: &Value| node["metadata"]["labels"]["accelerator"] == "nvidia";
    stage.admin.wait_for(&format!("{NODES}/gpu-1"), marked).await?;
    give_gpus(&stage, "gpu-1").await?;
    stage.admin.wait_for(&path, is_ready).await?;
    let events = stage
        .cluster
        .kubectl(&["get", "events", "--output=jsonpath={.items[*].reason}"])
        .await?;
    assert!(
        events.contains("GpuNotUsed") && events.contains("LaunchFailed"),
        "{events}"
    );
    assert_eq!(events.matches("GpuNotUsed").count(), 1, "{events}");

    // The machine is lost, and its claim with it.
    stage.admin.delete(&format!("{NODE_CLAIMS}/{second}")).await?;
    stage.admin.delete(&format!("{NODES}/gpu-1")).await?;
    stage
        .admin
        .wait_for(&path, |engine| condition(engine, "ResourceReady").0 != "True")
        .await?;
    claim(&stage, |claim| claim["metadata"]["uid"] != uid).await?;
    Ok(())
}

#[tokio::test]
async fn a_node_that_is_there_already_is_used_and_nothing_is_claimed() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    stage.admin.create(NODES, &node("own", "mine")).await?;
    give_gpus(&stage, "own").await?;
    let engine = stage.ready("docs", &gpu("mine")).await?;
    assert_eq!(engine["status"]["workerNodes"], json!(["own"]));
    assert_eq!(condition(&engine, "NodeClaimReady").0, "True");
    assert_eq!(stage.admin.get(NODE_CLAIMS).await?["items"], json!([]));
    Ok(())
}
