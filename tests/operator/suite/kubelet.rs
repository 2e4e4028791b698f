//! What the tests of the operator expect of the kubelet that they play.

mod endings;
mod environment;
mod lifecycle;
mod models;
mod restarts;
mod volumes;

use std::path::Path;

use anyhow::{Context, Result};
use kaito_operator_tests::cluster::{Api, Cluster, cluster_or_skip};
use kaito_operator_tests::kubelet::{Kubelet, Options, PlayedPod};
use serde_json::{Value, json};

use super::cluster::with_a_node;

pub(super) const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
pub(super) const PODS: &str = "/api/v1/namespaces/default/pods";
pub(super) const SERVICES: &str = "/api/v1/namespaces/default/services";
const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const IMAGE: &str = "example.org/echo:1";

/// A cluster with a node and a kubelet that runs the echo server for pods with the label `runs: really`.
pub(super) async fn with_a_kubelet() -> Result<Option<(Cluster, Kubelet)>> {
    let Some(mut cluster) = cluster_or_skip().await? else {
        return Ok(None);
    };
    with_a_node(&mut cluster).await?;
    let options = Options::new("runs=really")
        .program(IMAGE, env!("CARGO_BIN_EXE_echo-server"))
        .variable("LISTEN", "0.0.0.0:8080");
    let kubelet = Kubelet::start(&cluster, options).await?;
    Ok(Some((cluster, kubelet)))
}

/// One replica of the echo server, ready when it says so. The container and the pod's specification are merged into
/// what is common to all.
pub(super) fn deployment(name: &str, container: &Value, spec: &Value) -> Value {
    let mut common = json!({
        "name": "echo", "image": IMAGE, "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
    });
    merge(&mut common, container);
    let mut pod = json!({"containers": [common], "terminationGracePeriodSeconds": 20});
    merge(&mut pod, spec);
    let labels = json!({"app": name, "runs": "really"});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels}, "strategy": {"type": "Recreate"},
            "template": {
                "metadata": {"labels": labels, "annotations": {"kaito-tests/kubelet": "none"}},
                "spec": pod,
            },
        },
    })
}

fn merge(into: &mut Value, from: &Value) {
    let (Some(into), Some(from)) = (into.as_object_mut(), from.as_object()) else {
        return;
    };
    into.extend(from.clone());
}

/// A Service with port 80 for a Deployment of this name.
pub(super) fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"name": "web", "port": 80, "targetPort": "http"}]},
    })
}

/// Waits until a Deployment is available and returns its pod.
pub(super) async fn available(admin: &Api, kubelet: &Kubelet, name: &str) -> Result<PlayedPod> {
    let is_available = |found: &Value| {
        found["status"]["observedGeneration"] == found["metadata"]["generation"]
            && found["status"]["availableReplicas"] == 1
    };
    admin.wait_for(&format!("{DEPLOYMENTS}/{name}"), is_available).await?;
    only_pod(kubelet)
}

fn only_pod(kubelet: &Kubelet) -> Result<PlayedPod> {
    kubelet.pods().pop().context("the kubelet plays no pod")
}

/// Waits until the only container of a Deployment's pod has a status of a kind, and returns the pod.
async fn container_is(admin: &Api, app: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
    let pods = format!("{PODS}?labelSelector=app={app}");
    let found = admin
        .wait_for(&pods, |pods| is_so(&pods["items"][0]["status"]["containerStatuses"][0]))
        .await?;
    Ok(found["items"][0].clone())
}

fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

/// Where a path of a pod's echo server is.
fn url(pod: &PlayedPod, path: &str) -> String {
    format!("http://{}:8080{path}", pod.address)
}

async fn description(pod: &PlayedPod) -> Result<Value> {
    Ok(client()?.get(url(pod, "/")).send().await?.json().await?)
}

fn is_running(process: u32) -> bool {
    Path::new("/proc").join(process.to_string()).exists()
}
