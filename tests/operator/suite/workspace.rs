//! The controller of Workspace at work: the real program with the rights of its chart, on a real control plane, with
//! machines from a Karpenter that the tests play.

mod adapters;
mod catalogue;
mod hub;
mod inference;
mod scale;
mod tuning;

use anyhow::Result;
use kaito_operator_tests::cluster::{Api, Cluster, cluster_or_skip};
use kaito_operator_tests::karpenter::{self, Karpenter};
use kaito_operator_tests::nodes::PlayedBy;
use kaito_operator_tests::operator::{Chart, Installation, Operator, OperatorOptions};
use serde_json::{Value, json};

use crate::cluster::is_true;

pub(crate) const WORKSPACES: &str = "/apis/kaito.sh/v1beta1/namespaces/default/workspaces";
const STATEFUL_SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";
const SERVICES: &str = "/api/v1/namespaces/default/services";
const NODE_CLAIMS: &str = "/apis/karpenter.sh/v1/nodeclaims";
/// User agent of the controller.
const CONTROLLER: &str = "kaito-controller/";

/// A cluster whose machines Karpenter makes and kwok plays, and the controller at work in it. What stops first comes
/// first.
pub(crate) struct Stage {
    pub(crate) operator: Operator,
    _karpenter: Karpenter,
    pub(crate) admin: Api,
    cluster: Cluster,
}

/// A stage, or `None` where no cluster can be had.
pub(crate) async fn stage() -> Result<Option<Stage>> {
    stage_with(&OperatorOptions::of(Chart::Workspace)).await
}

/// A stage whose controller is started so.
async fn stage_with(options: &OperatorOptions) -> Result<Option<Stage>> {
    let Some(mut cluster) = cluster_or_skip().await? else {
        return Ok(None);
    };
    cluster.start_controllers().await?;
    cluster.start_kwok().await?;
    cluster.install_crds(&cluster.crds_of_karpenter()?).await?;
    let karpenter = Karpenter::start(&cluster, karpenter::Options::new(PlayedBy::Kwok)).await?;
    let installation = Installation::of(&cluster, &[Chart::Workspace]).await?;
    let mut operator = installation.start(&cluster, options).await?;
    operator.wait_ready().await?;
    Ok(Some(Stage {
        operator,
        _karpenter: karpenter,
        admin: cluster.admin()?,
        cluster,
    }))
}

/// A Workspace on machines of a type. Nothing answers in its pods, so that there is no benchmark.
fn workspace(name: &str, instance_type: &str) -> Value {
    json!({
        "apiVersion": "kaito.sh/v1beta1", "kind": "Workspace",
        "metadata": {
            "name": name, "namespace": "default", "annotations": {"kaito.sh/disable-benchmark": "true"},
        },
        "resource": {"instanceType": instance_type, "labelSelector": {"matchLabels": {"apps": name}}},
    })
}

/// One that serves a model.
fn serving(name: &str, instance_type: &str, preset: &str) -> Value {
    let mut workspace = workspace(name, instance_type);
    workspace["inference"] = json!({"preset": {"name": preset}});
    workspace
}

fn is_ready(workspace: &Value) -> bool {
    is_true(workspace, "WorkspaceSucceeded")
}

fn items(list: &Value) -> &[Value] {
    list["items"].as_array().map_or(&[], Vec::as_slice)
}

/// The words of a container's command, as one text.
fn command(container: &Value) -> String {
    let words = container["command"].as_array().map_or(&[][..], Vec::as_slice);
    let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
    words.join(" ")
}

/// The specification of a StatefulSet's pods.
fn pod_spec(stateful_set: &Value) -> &Value {
    &stateful_set["spec"]["template"]["spec"]
}

impl Stage {
    /// Creates a Workspace and waits until it is ready.
    async fn ready(&self, workspace: &Value) -> Result<Value> {
        let made = self.admin.create(WORKSPACES, workspace).await?;
        let name = made["metadata"]["name"].as_str().unwrap_or_default();
        self.admin.wait_for(&format!("{WORKSPACES}/{name}"), is_ready).await
    }
}
