//! What the tests of the operator expect of the Karpenter that they play.

use anyhow::{Context, Result};
use kaito_operator_tests::cluster::{Api, Cluster, cluster_or_skip};
use kaito_operator_tests::karpenter::{Karpenter, Options};
use kaito_operator_tests::nodes::PlayedBy;
use serde_json::{Value, json};

use crate::cluster::{is_true, names};

const CLAIMS: &str = "/apis/karpenter.sh/v1/nodeclaims";
const POOLS: &str = "/apis/karpenter.sh/v1/nodepools";
const NODES: &str = "/api/v1/nodes";

async fn with_karpenter() -> Result<Option<(Cluster, Karpenter)>> {
    let Some(mut cluster) = cluster_or_skip().await? else {
        return Ok(None);
    };
    cluster.start_controllers().await?;
    cluster.start_kwok().await?;
    cluster.install_crds(&cluster.crds_of_karpenter()?).await?;
    let karpenter = Karpenter::start(&cluster, Options::new(PlayedBy::Kwok)).await?;
    Ok(Some((cluster, karpenter)))
}

fn spec(instance_type: &str) -> Value {
    json!({
        "nodeClassRef": {"group": "kaito.sh", "kind": "KaitoNodeClass", "name": "default"},
        "taints": [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}],
        "requirements": [
            {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": [instance_type]},
        ],
    })
}

fn claim(name: &str) -> Value {
    json!({
        "apiVersion": "karpenter.sh/v1", "kind": "NodeClaim",
        "metadata": {"name": name, "labels": {"karpenter.sh/nodepool": "kaito", "apps": name}},
        "spec": spec("Standard_NC48ads_A100_v4"),
    })
}

/// The node of a NodeClaim, once the claim is ready.
async fn node_of(admin: &Api, name: &str) -> Result<Value> {
    let ready = admin
        .wait_for(&format!("{CLAIMS}/{name}"), |claim| is_true(claim, "Ready"))
        .await?;
    let node = ready["status"]["nodeName"].as_str().context("no nodeName")?;
    admin.get(&format!("{NODES}/{node}")).await
}

fn gpus(node: &Value) -> &Value {
    &node["status"]["capacity"]["nvidia.com/gpu"]
}

#[tokio::test]
async fn a_claim_becomes_a_node_with_gpus_and_a_deleted_one_takes_its_node_along() -> Result<()> {
    let Some((cluster, karpenter)) = with_karpenter().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    karpenter.hold_plugin();
    admin.create(CLAIMS, &claim("phi")).await?;
    let node = node_of(&admin, "phi").await?;
    let name = node["metadata"]["name"].as_str().context("no name")?;
    assert!(is_true(&node, "Ready"));
    let labels = &node["metadata"]["labels"];
    assert_eq!(labels["apps"], "phi");
    assert_eq!(labels["node.kubernetes.io/instance-type"], "Standard_NC48ads_A100_v4");
    assert_eq!(node["spec"]["taints"][0]["key"], "sku");
    assert_eq!(*gpus(&node), Value::Null);

    let path = format!("{NODES}/{name}");
    let marked = json!({"metadata": {"labels": {"accelerator": "nvidia"}}});
    let node = admin.patch(&path, &marked).await?;
    assert_eq!(*gpus(&node), Value::Null, "the plugin is held");
    karpenter.release_plugin();
    admin.wait_for(&path, |node| *gpus(node) == "2").await?;
    assert_eq!(karpenter.nodes().await?, [name]);

    admin.delete(&format!("{CLAIMS}/phi")).await?;
    admin.wait_for(CLAIMS, |claims| names(claims).is_empty()).await?;
    assert!(!admin.exists(&path).await?);
    Ok(())
}

#[tokio::test]
async fn a_launch_fails_when_told_to_and_its_claim_is_deleted() -> Result<()> {
    let Some((cluster, karpenter)) = with_karpenter().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    karpenter.fail_launches(1, "no capacity for this type");
    admin.create(CLAIMS, &claim("phi")).await?;
    let failed = admin
        .wait_for(&format!("{CLAIMS}/phi"), |claim| {
            claim["status"]["conditions"][0]["message"] == "no capacity for this type"
        })
        .await?;
    assert!(!is_true(&failed, "Launched"));
    admin.wait_for(CLAIMS, |claims| names(claims).is_empty()).await?;
    admin.create(CLAIMS, &claim("phi")).await?;
    node_of(&admin, "phi").await?;
    Ok(())
}

#[tokio::test]
async fn a_lost_node_vanishes_with_its_pods_and_its_claim() -> Result<()> {
    let Some((cluster, karpenter)) = with_karpenter().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    admin.create(CLAIMS, &claim("phi")).await?;
    let node = node_of(&admin, "phi").await?;
    let node = node["metadata"]["name"].as_str().context("no name")?;
    let pods = "/api/v1/namespaces/default/pods";
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "model"},
        "spec": {"nodeName": node, "containers": [{"name": "model", "image": "example.org/model"}]},
    });
    admin.create(pods, &pod).await?;
    admin
        .wait_for(&format!("{pods}/model"), |pod| is_true(pod, "Ready"))
        .await?;
    karpenter.lose_node(node).await?;
    admin.wait_for(pods, |pods| names(pods).is_empty()).await?;
    assert!(karpenter.nodes().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_pool_of_a_fixed_size_has_as_many_claims() -> Result<()> {
    let Some((cluster, karpenter)) = with_karpenter().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    let pool = json!({
        "apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "default-phi"},
        "spec": {
            "replicas": 2,
            "template": {"metadata": {"labels": {"apps": "phi"}}, "spec": spec("Standard_NV36ads_A10_v5")},
        },
    });
    admin.create(POOLS, &pool).await?;
    let ready = |count: usize| {
        move |claims: &Value| {
            let items = claims["items"].as_array().map_or(&[][..], Vec::as_slice);
            items.len() == count && items.iter().all(|claim| is_true(claim, "Ready"))
        }
    };
    let claims = admin.wait_for(CLAIMS, ready(2)).await?;
    assert_eq!(
        claims["items"][0]["metadata"]["labels"]["karpenter.sh/nodepool"],
        "default-phi"
    );
    assert_eq!(karpenter.nodes().await?.len(), 2);
    admin
        .patch(&format!("{POOLS}/default-phi"), &json!({"spec": {"replicas": 1}}))
        .await?;
    admin.wait_for(CLAIMS, ready(1)).await?;
    admin.delete(&format!("{POOLS}/default-phi")).await?;
    admin.wait_for(CLAIMS, |claims| names(claims).is_empty()).await?;
    admin.wait_for(NODES, |nodes| names(nodes).is_empty()).await?;
    Ok(())
}
