//! The real service in the pods: a small stand-in for the kubelet runs it with the environment that the controller
//! built, and a proxy leads to it as Services would.

use anyhow::{Context, Result};
use kaito_operator_tests::beside::beside;
use kaito_operator_tests::cluster::{Api, Cluster};
use kaito_operator_tests::kubelet::{Kubelet, Options};
use kaito_operator_tests::operator::{Chart, Operator, OperatorOptions};
use kaito_operator_tests::service_proxy::ServiceProxy;
use serde_json::{Value, json};

use super::{ENGINES, SECRETS, cluster_with_charts, condition, engine, is_ready, message};

/// The model that `make setup` installs.
const MODEL: &str = "sentence-transformers/all-MiniLM-L6-v2";
const IMAGE: &str = "example.org/rag-service:test";

/// A cluster in which pods of engines run. What stops first comes first.
struct Theatre {
    operator: Operator,
    client: reqwest::Client,
    _services: ServiceProxy,
    kubelet: Kubelet,
    admin: Api,
    cluster: Cluster,
}

async fn theatre() -> Result<Option<Theatre>> {
    let Some((cluster, installation)) = cluster_with_charts().await? else {
        return Ok(None);
    };
    let cache = std::env::var("KAITO_RS_CACHE").ok();
    let cache = cache.or_else(|| Some(format!("{}/.cache/kaito-rs", std::env::home_dir()?.display())));
    let options = Options::new("kaito.sh/ragengine")
        .program(IMAGE, beside("rag-service")?)
        .variable("KAITO_RS_CACHE", &cache.context("no home directory")?);
    let kubelet = Kubelet::start(&cluster, options).await?;
    let services = ServiceProxy::start(&cluster, &kubelet).await?;
    let options = OperatorOptions::of(Chart::Ragengine)
        .with("http_proxy", &services.url())
        .with("KAITO_INDEX_STATUS_INTERVAL", "1s");
    let mut operator = installation.start(&cluster, &options).await?;
    operator.wait_ready().await?;
    Ok(Some(Theatre {
        operator,
        client: services.client()?,
        _services: services,
        kubelet,
        admin: cluster.admin()?,
        cluster,
    }))
}

/// An engine whose pods are left to the test's kubelet.
fn played(name: &str, mut spec: Value) -> Value {
    spec["image"] = json!(IMAGE);
    spec["podTemplate"] = json!({"annotations": {"kaito-tests/kubelet": "none"}});
    if spec["embedding"].is_null() {
        spec["embedding"] = json!({"local": {"modelID": MODEL}});
    }
    engine(name, &spec)
}

impl Theatre {
    async fn ready(&self, name: &str, spec: Value) -> Result<Value> {
        self.admin.create(ENGINES, &played(name, spec)).await?;
        let ready = self.admin.wait_for(&format!("{ENGINES}/{name}"), is_ready).await;
        ready.with_context(|| format!("the pods of {name} say:\n{}", self.logs(name)))
    }

    fn logs(&self, name: &str) -> String {
        let pods = self.kubelet.pods();
        let logs = pods.iter().filter(|pod| pod.name.starts_with(name));
        logs.map(|pod| self.kubelet.log(&pod.namespace, &pod.name, name))
            .collect()
    }

    async fn post(&self, engine: &Value, path: &str, key: Option<&str>, body: &Value) -> Result<(u16, Value)> {
        let url = engine["status"]["url"].as_str().context("no status.url")?;
        let mut request = self.client.post(format!("{url}{path}")).json(body);
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let answer = request.send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Indexes two documents and finds the right one.
    async fn index_and_retrieve(&self, engine: &Value, key: Option<&str>) -> Result<()> {
        let documents = json!({"index_name": "pets", "documents": [
            {"text": "Cats purr when they are content."}, {"text": "The stock market fell today."},
        ]});
        let (status, answer) = self.post(engine, "/index", key, &documents).await?;
        assert_eq!(status, 200, "{answer}");
        let question = json!({"index_name": "pets", "query": "what do happy cats do", "max_node_count": 1});
        let (status, answer) = self.post(engine, "/retrieve", key, &question).await?;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["results"][0]["text"], "Cats purr when they are content.");
        Ok(())
    }
}

fn secret(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data})
}

#[tokio::test]
async fn the_service_answers_behind_the_url_of_the_status_and_the_status_tells_of_its_indexes() -> Result<()> {
    let Some(theatre) = theatre().await? else {
        return Ok(());
    };
    let engine = theatre.ready("docs", json!({})).await?;
    theatre.index_and_retrieve(&engine, None).await?;
    let told = json!({"count": 1, "nodes": 2});
    theatre
        .admin
        .wait_for(&format!("{ENGINES}/docs"), |engine| engine["status"]["indexes"] == told)
        .await?;
    assert!(theatre.operator.log().contains("objects are being reconciled"));
    Ok(())
}

/// What the builder writes means what it should: six engines, each with other variables, all run the real service.
#[tokio::test]
async fn each_environment_that_is_built_starts_a_service_that_indexes_and_retrieves() -> Result<()> {
    let Some(theatre) = theatre().await? else {
        return Ok(());
    };
    let key = "a-key-of-sixteen-or-more";
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "tests"},
                       "provisioner": kaito_operator_tests::kubelet::PROVISIONER});
    theatre
        .admin
        .create("/apis/storage.k8s.io/v1/storageclasses", &class)
        .await?;
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": {
        "storageClassName": "tests", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    theatre
        .admin
        .create("/api/v1/namespaces/default/persistentvolumeclaims", &claim)
        .await?;
    theatre
        .admin
        .create(SECRETS, &secret("llm", &json!({"LLM_ACCESS_SECRET": "token"})))
        .await?;
    theatre
        .admin
        .create(SECRETS, &secret("hf", &json!({"HF_TOKEN": "token"})))
        .await?;
    theatre
        .admin
        .create(SECRETS, &secret("keys", &json!({"tests": key})))
        .await?;
    let volume = json!({"storage": {"persistentVolume": {"persistentVolumeClaim": "data", "mountPath": "/mnt/own"}}});
    for (name, spec, key) in [
        ("plain", json!({}), None),
        ("volume", volume, None),
        (
            "chat",
            json!({"inferenceService": {"url": "http://llm/v1/chat/completions", "accessSecret": "llm",
                                             "contextWindowSize": 4096}}),
            None,
        ),
        ("guarded", json!({"guardrails": {"enabled": true}}), None),
        (
            "tuned",
            json!({"retrieval": {"fusion": "Weighted", "denseWeight": 0.7, "maxTopK": 5, "similarityThreshold": 1.5},
                         "embedding": {"local": {"modelID": MODEL, "modelAccessSecret": "hf"}}}),
            None,
        ),
        (
            "closed",
            json!({"auth": {"secretRef": {"name": "keys"}}, "guardrails": {"enabled": false}}),
            Some(key),
        ),
    ] {
        let engine = theatre.ready(name, spec).await?;
        theatre
            .index_and_retrieve(&engine, key)
            .await
            .with_context(|| theatre.logs(name))?;
        let question = json!({"index_name": "pets", "query": "cats", "max_node_count": 6});
        let (status, answer) = theatre.post(&engine, "/retrieve", key, &question).await?;
        match name {
            "tuned" => assert_eq!(status, 422, "maxTopK is 5: {answer}"),
            _ => assert_eq!(status, 200, "{answer}"),
        }
        if name == "closed" {
            let (status, _) = theatre.post(&engine, "/retrieve", None, &question).await?;
            assert_eq!(status, 401);
        }
        if name == "guarded" {
            let url = engine["status"]["url"].as_str().context("no status.url")?;
            let ready: Value = theatre.client.get(format!("{url}/ready")).send().await?.json().await?;
            assert!(
                ready["guardrails"]["scanners"]
                    .as_u64()
                    .is_some_and(|scanners| scanners > 0),
                "{ready}"
            );
        }
    }

    // Indexes on a volume outlive the pod.
    let engine = theatre.admin.get(&format!("{ENGINES}/volume")).await?;
    let pod = theatre
        .kubelet
        .pods()
        .into_iter()
        .find(|pod| pod.name.starts_with("volume"))
        .context("no pod")?;
    theatre
        .admin
        .delete(&format!("/api/v1/namespaces/default/pods/{}", pod.name))
        .await?;
    let replaced = |list: &Value| {
        let pods = list["items"].as_array().cloned().unwrap_or_default();
        matches!(pods.as_slice(), [one] if one["metadata"]["name"] != pod.name.as_str())
    };
    let pods = "/api/v1/namespaces/default/pods?labelSelector=kaito.sh/ragengine=volume";
    theatre.admin.wait_for(pods, replaced).await?;
    theatre.admin.wait_for(&format!("{ENGINES}/volume"), is_ready).await?;
    let question = json!({"index_name": "pets", "query": "what do happy cats do", "max_node_count": 1});
    let (status, answer) = theatre.post(&engine, "/retrieve", None, &question).await?;
    assert_eq!(
        (status, &answer["results"][0]["text"]),
        (200, &json!("Cats purr when they are content."))
    );
    Ok(())
}

#[tokio::test]
async fn what_the_service_says_when_it_refuses_to_start_is_what_the_condition_says() -> Result<()> {
    let Some(theatre) = theatre().await? else {
        return Ok(());
    };
    let database = json!({"storage": {"vectorDB": {"engine": "qdrant", "url": "http://qdrant:6333"}}});
    theatre.admin.create(ENGINES, &played("docs", database)).await?;
    let path = format!("{ENGINES}/docs");
    let refused = |engine: &Value| message(engine, "ServiceReady").contains("qdrant is not supported yet");
    let engine = theatre.admin.wait_for(&path, refused).await?;
    assert_eq!(condition(&engine, "ServiceReady").0, "False");
    theatre.admin.patch(&path, &json!({"spec": {"storage": null}})).await?;
    theatre.admin.wait_for(&path, is_ready).await?;
    assert!(
        theatre
            .cluster
            .requests("kaito-controller/")?
            .iter()
            .all(|request| request.response_status.code != 403)
    );
    Ok(())
}
