//! The controller of RAGEngine at work: the real program with the rights of its chart, on a real control plane.

mod adoption;
mod deletion;
mod drift;
mod edits;
mod examples;
mod faults;
mod inputs;
mod leaders;
mod machines;
mod scale;
mod service;
mod workspace;

use anyhow::Result;
use kaito_operator_tests::cluster::{Api, Cluster, cluster_or_skip};
use kaito_operator_tests::operator::{Chart, Installation, Operator, OperatorOptions};
use serde_json::{Value, json};

use crate::cluster::with_a_node;

const ENGINES: &str = "/apis/kaito.sh/v1beta1/namespaces/default/ragengines";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const SERVICES: &str = "/api/v1/namespaces/default/services";
const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const SECRETS: &str = "/api/v1/namespaces/default/secrets";
/// User agent of the controller.
const CONTROLLER: &str = "kaito-controller/";

/// A cluster with nodes that kwok plays, and the controller at work in it. What stops first comes first.
struct Stage {
    operator: Operator,
    installation: Installation,
    admin: Api,
    cluster: Cluster,
}

/// A stage, or `None` where no cluster can be had.
async fn stage() -> Result<Option<Stage>> {
    stage_with(OperatorOptions::of(Chart::Ragengine)).await
}

async fn stage_with(options: OperatorOptions) -> Result<Option<Stage>> {
    let Some((cluster, installation)) = cluster_with_charts().await? else {
        return Ok(None);
    };
    let mut operator = installation.start(&cluster, &options).await?;
    operator.wait_ready().await?;
    Ok(Some(Stage {
        operator,
        installation,
        admin: cluster.admin()?,
        cluster,
    }))
}

/// A cluster with one node, Karpenter's definitions, and both charts but no controller.
async fn cluster_with_charts() -> Result<Option<(Cluster, Installation)>> {
    let Some(mut cluster) = cluster_or_skip().await? else {
        return Ok(None);
    };
    with_a_node(&mut cluster).await?;
    cluster.install_crds(&cluster.crds_of_karpenter()?).await?;
    let installation = Installation::of(&cluster, &Chart::ALL).await?;
    // Nobody serves the Workspaces' webhooks here.
    installation.remove_webhooks(&cluster, Chart::Workspace).await?;
    Ok(Some((cluster, installation)))
}

/// An engine of namespace default.
fn engine(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "kaito.sh/v1beta1", "kind": "RAGEngine",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    })
}

/// The smallest spec.
fn local() -> Value {
    json!({"embedding": {"local": {"modelID": "BAAI/bge-small-en-v1.5"}}})
}

/// What a condition says: status and reason.
fn condition<'a>(object: &'a Value, type_: &str) -> (&'a str, &'a str) {
    let all = object["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    let found = all.iter().find(|condition| condition["type"] == type_);
    found.map_or(("", ""), |found| {
        (
            found["status"].as_str().unwrap_or_default(),
            found["reason"].as_str().unwrap_or_default(),
        )
    })
}

fn message<'a>(object: &'a Value, type_: &str) -> &'a str {
    let all = object["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    let found = all.iter().find(|condition| condition["type"] == type_);
    found.and_then(|found| found["message"].as_str()).unwrap_or_default()
}

fn is_ready(engine: &Value) -> bool {
    condition(engine, "Ready").0 == "True"
}

impl Stage {
    /// Creates an engine and waits until it is ready.
    async fn ready(&self, name: &str, spec: &Value) -> Result<Value> {
        self.admin.create(ENGINES, &engine(name, spec)).await?;
        self.admin.wait_for(&format!("{ENGINES}/{name}"), is_ready).await
    }

    /// Writes of the controller so far.
    fn writes(&self) -> Result<Vec<kaito_operator_tests::cluster::Request>> {
        let all = self.cluster.requests(CONTROLLER)?;
        Ok(all.into_iter().filter(|request| request.is_write()).collect())
    }
}

/// The first container of a Deployment's pods.
fn container(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["spec"]["containers"][0]
}

/// The value of an environment variable of a Deployment's pods, or the Secret it is from.
fn variable(deployment: &Value, name: &str) -> Option<String> {
    let all = container(deployment)["env"].as_array()?;
    let found = all.iter().find(|variable| variable["name"] == name)?;
    let secret = &found["valueFrom"]["secretKeyRef"];
    match found["value"].as_str() {
        Some(value) => Some(value.to_owned()),
        None => Some(format!("{}/{}", secret["name"].as_str()?, secret["key"].as_str()?)),
    }
}
