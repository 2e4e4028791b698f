//! From a Deployment to its programs, and their end.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    DEPLOYMENTS, PODS, SERVICES, available, client, container_is, deployment, description, is_running, service, url,
    with_a_kubelet,
};
use crate::cluster::{is_true, names};

#[tokio::test]
async fn a_deployment_becomes_available_and_its_deletion_ends_its_program() -> Result<()> {
    let Some((cluster, kubelet)) = with_a_kubelet().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    admin.create(SERVICES, &service("echo")).await?;
    let lifecycle = json!({"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}});
    admin
        .create(DEPLOYMENTS, &deployment("echo", &lifecycle, &json!({})))
        .await?;
    let played = available(&admin, &kubelet, "echo").await?;
    let pod = admin.get(&format!("{PODS}/{}", played.name)).await?;
    let status = &pod["status"];
    assert_eq!(status["phase"], "Running");
    assert_eq!(status["podIP"], played.ip.to_string());
    assert_eq!(kubelet.address_of(played.ip), Some(played.address));
    for condition in ["PodScheduled", "Initialized", "ContainersReady", "Ready"] {
        assert!(is_true(&pod, condition), "{condition}: {status}");
    }
    let process = description(&played).await?["process"].clone();
    assert_eq!(
        played.processes.iter().map(|id| json!(id)).collect::<Vec<_>>(),
        [process]
    );
    let slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
    let ready = |slices: &Value| {
        let endpoint = &slices["items"][0]["endpoints"][0];
        endpoint["addresses"][0] == json!(played.ip.to_string()) && endpoint["conditions"]["ready"] == true
    };
    admin.wait_for(slices, ready).await?;

    let [process] = played.processes[..] else {
        anyhow::bail!("{played:?} has not one process");
    };
    admin.delete(&format!("{DEPLOYMENTS}/echo")).await?;
    admin.wait_for(PODS, |pods| names(pods).is_empty()).await?;
    assert!(!is_running(process));
    let log = kubelet.log("default", &played.name, "echo");
    assert!(log.ends_with("asked to end\n"), "{log:?}");
    Ok(())
}

#[tokio::test]
async fn a_program_that_does_not_end_is_killed_after_its_grace_period() -> Result<()> {
    let Some((cluster, kubelet)) = with_a_kubelet().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    let container = json!({"env": [{"name": "STUBBORN", "value": "yes"}]});
    let grace = json!({"terminationGracePeriodSeconds": 2});
    admin
        .create(DEPLOYMENTS, &deployment("echo", &container, &grace))
        .await?;
    let played = available(&admin, &kubelet, "echo").await?;
    let deleted = Instant::now();
    admin.delete(&format!("{DEPLOYMENTS}/echo")).await?;
    admin.wait_for(PODS, |pods| names(pods).is_empty()).await?;
    assert!(deleted.elapsed() >= Duration::from_secs(2));
    assert!(!played.processes.iter().copied().any(is_running));
    let log = kubelet.log("default", &played.name, "echo");
    assert!(log.ends_with("asked to end\n"), "{log:?}");
    Ok(())
}

#[tokio::test]
async fn readiness_is_followed_and_a_program_that_is_not_alive_starts_again() -> Result<()> {
    let Some((cluster, kubelet)) = with_a_kubelet().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    let container = json!({
        "env": [{"name": "DATA", "value": "/data"}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "startupProbe": {"httpGet": {"path": "/ready", "port": 8080}},
        "livenessProbe": {"httpGet": {"path": "/alive", "port": 8080}, "failureThreshold": 1},
    });
    let volumes = json!({"volumes": [{"name": "data", "emptyDir": {}}]});
    admin
        .create(DEPLOYMENTS, &deployment("echo", &container, &volumes))
        .await?;
    let played = available(&admin, &kubelet, "echo").await?;
    let put = async |name: &str| -> Result<()> {
        let file = url(&played, &format!("/files/DATA/{name}"));
        client()?.put(file).send().await?.error_for_status()?;
        Ok(())
    };
    put("unready").await?;
    let pod = container_is(&admin, "echo", |container| container["ready"] == false).await?;
    assert!(!is_true(&pod, "Ready"));
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
    put("dead").await?;
    let restarted = container_is(&admin, "echo", |container| container["restartCount"] == 1).await?;
    let last = &restarted["status"]["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!(last["exitCode"], 0, "it was asked to end: {last}");
    Ok(())
}

#[tokio::test]
async fn a_dropped_kubelet_leaves_no_program() -> Result<()> {
    let Some((cluster, kubelet)) = with_a_kubelet().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    admin
        .create(DEPLOYMENTS, &deployment("echo", &json!({}), &json!({})))
        .await?;
    let played = available(&admin, &kubelet, "echo").await?;
    drop(kubelet);
    let dropped = Instant::now();
    while client()?.get(url(&played, "/")).send().await.is_ok() {
        assert!(dropped.elapsed() < Duration::from_secs(10), "it still answers");
    }
    Ok(())
}
