//! Claims, and files of ConfigMaps and Secrets.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use kaito_operator_tests::kubelet::PROVISIONER;
use serde_json::{Value, json};

use super::{DEPLOYMENTS, PODS, SECRETS, available, client, deployment, url, with_a_kubelet};
use crate::cluster::{CONFIG_MAPS, config_map};

const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";
const CLASSES: &str = "/apis/storage.k8s.io/v1/storageclasses";

#[tokio::test]
async fn what_is_written_to_a_claim_is_there_for_the_next_pod() -> Result<()> {
    let Some((cluster, kubelet)) = with_a_kubelet().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    let class = json!({
        "metadata": {"name": "tests"}, "provisioner": PROVISIONER, "volumeBindingMode": "WaitForFirstConsumer",
    });
    admin.create(CLASSES, &class).await?;
    let container = json!({
        "env": [{"name": "DATA", "value": "/mnt/data"}],
        "volumeMounts": [{"name": "data", "mountPath": "/mnt/data"}],
    });
    let volumes = json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]});
    admin
        .create(DEPLOYMENTS, &deployment("echo", &container, &volumes))
        .await?;
    // The scheduler's own words.
    let waits = |pods: &Value| {
        let condition = &pods["items"][0]["status"]["conditions"][0];
        let message = condition["message"].as_str().unwrap_or_default();
        message.contains("persistentvolumeclaim \"data\" not found")
    };
    admin.wait_for(PODS, waits).await?;
    let claim = json!({
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "tests",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    });
    admin.create(CLAIMS, &claim).await?;
    let first = available(&admin, &kubelet, "echo").await?;
    let file = url(&first, "/files/DATA/kept");
    client()?.put(file).body("for ever").send().await?.error_for_status()?;
    admin.delete(&format!("{PODS}/{}", first.name)).await?;
    let pods = admin
        .wait_for(PODS, |pods| {
            let pod = &pods["items"][0];
            pod["metadata"]["uid"] != json!(first.uid) && pod["status"]["containerStatuses"][0]["ready"] == true
        })
        .await?;
    let second = available(&admin, &kubelet, "echo").await?;
    assert_eq!(pods["items"][0]["metadata"]["uid"], json!(second.uid));
    assert_ne!(second.address, first.address);
    let kept = client()?.get(url(&second, "/files/DATA/kept")).send().await?;
    assert_eq!(kept.error_for_status()?.text().await?, "for ever");
    Ok(())
}

#[tokio::test]
async fn the_files_of_a_config_map_follow_it_and_a_missing_secret_is_told() -> Result<()> {
    let Some((cluster, kubelet)) = with_a_kubelet().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    let map = config_map("policy", &json!({"policy.yaml": "one", "other": "x"}));
    admin.create(CONFIG_MAPS, &map).await?;
    let container = json!({
        "env": [{"name": "POLICY", "value": "/etc/ragengine/guardrails"}, {"name": "KEYS", "value": "/etc/keys"}],
        "volumeMounts": [
            {"name": "policy", "mountPath": "/etc/ragengine/guardrails"},
            {"name": "keys", "mountPath": "/etc/keys"},
        ],
    });
    let items = json!([{"key": "policy.yaml", "path": "active.yaml"}]);
    let volumes = json!({"volumes": [
        {"name": "policy", "configMap": {"name": "policy", "items": items}},
        {"name": "keys", "secret": {"secretName": "keys"}},
    ]});
    admin
        .create(DEPLOYMENTS, &deployment("echo", &container, &volumes))
        .await?;
    let events = "/apis/events.k8s.io/v1/namespaces/default/events?fieldSelector=reason=FailedMount";
    let told = admin.wait_for(events, |events| !events["items"][0].is_null()).await?;
    let expected = "MountVolume.SetUp failed for volume \"keys\" : secret \"keys\" not found";
    assert_eq!(told["items"][0]["note"], expected);
    let secret = json!({"metadata": {"name": "keys"}, "stringData": {"key": "secret"}});
    admin.create(SECRETS, &secret).await?;
    let pod = available(&admin, &kubelet, "echo").await?;
    let read = async |path: &str| -> Result<String> {
        Ok(client()?
            .get(url(&pod, path))
            .send()
            .await?
            .error_for_status()?
            .text()
            .await?)
    };
    assert_eq!(read("/files/KEYS/key").await?, "secret");
    assert_eq!(read("/files/POLICY/active.yaml").await?, "one");
    assert!(read("/files/POLICY/other").await.is_err());
    let changed = json!({"data": {"policy.yaml": "two"}});
    admin.patch(&format!("{CONFIG_MAPS}/policy"), &changed).await?;
    let started = Instant::now();
    while read("/files/POLICY/active.yaml").await? != "two" {
        ensure!(started.elapsed() < Duration::from_secs(30), "the file does not follow");
    }
    Ok(())
}
