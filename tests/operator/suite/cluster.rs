//! What the tests of the operator expect of the control plane that they run on.

mod api_server;
mod controllers;
mod faults;
mod programs;

use anyhow::Result;
use kaito_operator_tests::cluster::Cluster;
use serde_json::{Value, json};

pub(super) const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

pub(super) fn config_map(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

/// A cluster with controllers and one node that is ready, and is labelled as a GPU node would be.
pub(super) async fn with_a_node(cluster: &mut Cluster) -> Result<()> {
    cluster.start_controllers().await?;
    cluster.start_kwok().await?;
    let node = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": "node-1",
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {"apps": "rag"},
        },
    });
    let admin = cluster.admin()?;
    admin.create("/api/v1/nodes", &node).await?;
    admin
        .wait_for("/api/v1/nodes/node-1", |node| {
            is_true(node, "Ready") && node["spec"]["taints"].is_null()
        })
        .await?;
    Ok(())
}

/// Whether an object has a condition of this type that is true.
pub(super) fn is_true(object: &Value, condition: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.is_some_and(|conditions| {
        conditions
            .iter()
            .any(|found| found["type"] == condition && found["status"] == "True")
    })
}

pub(super) fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
    items
        .iter()
        .filter_map(|item| item["metadata"]["name"].as_str())
        .collect()
}
