//! The API server with controllers, scheduler and kwok.

use anyhow::Result;
use kaito_operator_tests::cluster::cluster_or_skip;
use serde_json::{Value, json};

use super::{is_true, names, with_a_node};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const REPLICA_SETS: &str = "/apis/apps/v1/namespaces/default/replicasets";
const PODS: &str = "/api/v1/namespaces/default/pods";

fn deployment(name: &str, annotations: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": annotations},
                "spec": {
                    "nodeSelector": {"apps": "rag"},
                    "containers": [{"name": "service", "image": "example.org/service:1"}],
                },
            },
        },
    })
}

#[tokio::test]
async fn a_deployment_becomes_available_and_takes_its_pods_along_when_deleted() -> Result<()> {
    let Some(mut cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    with_a_node(&mut cluster).await?;
    let admin = cluster.admin()?;
    admin.create(DEPLOYMENTS, &deployment("service", &json!({}))).await?;
    let path = format!("{DEPLOYMENTS}/service");
    admin
        .wait_for(&path, |found| {
            found["status"]["availableReplicas"] == 2 && is_true(found, "Available")
        })
        .await?;
    assert_eq!(names(&admin.get(REPLICA_SETS).await?).len(), 1);
    let pods = admin.get(PODS).await?;
    assert_eq!(names(&pods).len(), 2);
    assert_eq!(
        pods["items"][0]["spec"]["nodeName"], "node-1",
        "the scheduler has placed it"
    );
    assert!(is_true(&pods["items"][0], "Ready"));

    let none_are_left = |list: &Value| names(list).is_empty();
    admin.delete(&path).await?;
    admin.wait_for(PODS, none_are_left).await?;
    admin.wait_for(REPLICA_SETS, none_are_left).await?;
    Ok(())
}

#[tokio::test]
async fn a_pod_can_be_left_to_the_test() -> Result<()> {
    let Some(mut cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    with_a_node(&mut cluster).await?;
    let admin = cluster.admin()?;
    let annotations = json!({"kaito-tests/kubelet": "none"});
    admin.create(DEPLOYMENTS, &deployment("waiting", &annotations)).await?;
    admin.create(DEPLOYMENTS, &deployment("played", &json!({}))).await?;
    let scheduled = |pods: &Value| {
        let pods = pods["items"].as_array().cloned().unwrap_or_default();
        pods.len() == 2 && pods.iter().all(|pod| pod["spec"]["nodeName"] == "node-1")
    };
    let waiting = format!("{PODS}?labelSelector=app=waiting");
    let pods = admin.wait_for(&waiting, scheduled).await?;
    admin
        .wait_for(&format!("{DEPLOYMENTS}/played"), |found| is_true(found, "Available"))
        .await?;
    assert!(admin.get(&waiting).await?["items"].as_array().is_some_and(|pods| {
        pods.iter()
            .all(|pod| pod["status"]["phase"] == "Pending" && pod["status"]["containerStatuses"].is_null())
    }));

    let name = names(&pods)[0].to_owned();
    let reason = json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}});
    let container = json!({
        "name": "service", "image": "example.org/service:1", "imageID": "",
        "ready": false, "restartCount": 0, "state": reason,
    });
    let status = json!({"status": {"containerStatuses": [container]}});
    let pod = admin.patch(&format!("{PODS}/{name}/status"), &status).await?;
    assert_eq!(pod["status"]["containerStatuses"][0]["state"], reason);
    Ok(())
}
