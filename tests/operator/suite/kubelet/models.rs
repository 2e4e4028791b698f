//! A model server in a pod as KAITO makes them: its command, its probes, its log, its Service.

use anyhow::{Context, Result};
use kaito_operator_tests::cluster::{Api, Cluster, cluster_or_skip};
use kaito_operator_tests::kubelet::{Kubelet, Options};
use kaito_operator_tests::model_server;
use kaito_operator_tests::nodes::{NewNode, PlayedBy};
use kaito_operator_tests::service_proxy::ServiceProxy;
use serde_json::{Value, json};

use super::{PODS, SERVICES};

const STATEFUL_SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";
const IMAGE: &str = "example.org/kaito-base";

async fn with_a_model_kubelet() -> Result<Option<(Cluster, Kubelet)>> {
    let Some(mut cluster) = cluster_or_skip().await? else {
        return Ok(None);
    };
    cluster.start_controllers().await?;
    let server = env!("CARGO_BIN_EXE_model-server");
    let faults = cluster.directory().display().to_string();
    let options = Options::new("kaito.sh/workspace")
        .program(IMAGE, server)
        .exec(model_server::BENCHMARK, server)
        .variable(model_server::ADDRESS, "0.0.0.0:5000")
        .variable(model_server::FAULTS, &faults);
    let kubelet = Kubelet::start(&cluster, options).await?;
    let node = NewNode::new("gpu-1", PlayedBy::Kubelet(kubelet.address())).object()?;
    let node = serde_json::to_value(node)?;
    cluster.admin()?.create("/api/v1/nodes", &node).await?;
    Ok(Some((cluster, kubelet)))
}

fn stateful_set() -> Value {
    let labels = json!({"kaito.sh/workspace": "phi"});
    let script = "python3 /workspace/vllm/inference_api.py --max-model-len=4096 --served-model-name=phi-4-mini";
    let benchmark = "python3 /workspace/vllm/benchmark_entrypoint.py";
    let health = json!({"httpGet": {"path": "/health", "port": 5000}});
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "phi"},
        "spec": {
            "serviceName": "phi-headless", "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {
                "initContainers": [{"name": "puller", "image": "example.org/skopeo:1"}],
                "containers": [{
                    "name": "phi", "image": format!("{IMAGE}:0.5.0"), "command": ["/bin/sh", "-c", script],
                    "env": [{"name": "POD_INDEX", "valueFrom": {"fieldRef": {
                        "fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}}}],
                    "startupProbe": {"exec": {"command": benchmark.split(' ').collect::<Vec<_>>()},
                                     "timeoutSeconds": 600, "failureThreshold": 180},
                    "livenessProbe": health, "readinessProbe": health,
                }],
            }},
        },
    })
}

fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "phi"},
        "spec": {
            "selector": {"kaito.sh/workspace": "phi", "statefulset.kubernetes.io/pod-name": "phi-0"},
            "publishNotReadyAddresses": true, "ports": [{"name": "http", "port": 80, "targetPort": 5000}],
        },
    })
}

async fn ready(admin: &Api) -> Result<()> {
    let is_ready = |found: &Value| found["status"]["readyReplicas"] == 1;
    admin.wait_for(&format!("{STATEFUL_SETS}/phi"), is_ready).await?;
    Ok(())
}

#[tokio::test]
async fn a_model_is_served_through_its_service_and_its_log_has_the_benchmark() -> Result<()> {
    let Some((cluster, kubelet)) = with_a_model_kubelet().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    admin.create(SERVICES, &service()).await?;
    admin.create(STATEFUL_SETS, &stateful_set()).await?;
    ready(&admin).await?;
    let services = ServiceProxy::start(&cluster, &kubelet).await?;
    let client = services.client()?;
    let models: Value = client
        .get("http://phi.default.svc/v1/models")
        .send()
        .await?
        .json()
        .await?;
    assert_eq!(models["data"][0]["id"], "phi-4-mini");
    assert_eq!(models["data"][0]["max_model_len"], 4096);
    let question = json!({"model": "phi-4-mini", "messages": [
        {"role": "system", "content": "[1] a\n```\nCats purr.\n```"}, {"role": "user", "content": "cats?"},
    ]});
    let chat = "http://phi.default.svc/v1/chat/completions";
    let answer: Value = client.post(chat).json(&question).send().await?.json().await?;
    assert_eq!(answer["choices"][0]["message"]["content"], "Cats purr. [1]");
    let log = cluster.kubectl(&["logs", "phi-0", "--tail=2"]).await?;
    let lines: Vec<&str> = log.lines().collect();
    let [config, result] = lines[..] else {
        anyhow::bail!("not two lines: {log:?}");
    };
    assert!(config.starts_with("KAITO_BENCHMARK_CONFIG "), "{log}");
    assert!(result.starts_with("KAITO_BENCHMARK_RESULT "), "{log}");
    Ok(())
}

#[tokio::test]
async fn a_model_server_crashes_as_long_as_it_is_told_to() -> Result<()> {
    let Some((cluster, _kubelet)) = with_a_model_kubelet().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    admin.create(STATEFUL_SETS, &stateful_set()).await?;
    ready(&admin).await?;
    let crash = cluster.directory().join(model_server::CRASH);
    std::fs::write(&crash, "").context("cannot write")?;
    let crashes = |pod: &Value| {
        let container = &pod["status"]["containerStatuses"][0];
        container["state"]["waiting"]["reason"] == "CrashLoopBackOff" && container["restartCount"].as_u64() >= Some(2)
    };
    let pod = admin.wait_for(&format!("{PODS}/phi-0"), crashes).await?;
    let last = &pod["status"]["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!(last["exitCode"], 1, "{last}");
    std::fs::remove_file(&crash)?;
    ready(&admin).await
}
