//! A cluster to try things in by hand: a control plane, a node and machines on demand that kwok plays, and the operator
//! run from source.

use std::time::Duration;

use anyhow::Result;
use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};

use crate::cluster::{Cluster, User};
use crate::karpenter::{self, Karpenter};
use crate::nodes::{NewNode, PlayedBy};
use crate::operator::{Chart, Installation, Operator, OperatorOptions};

const NODE: &str = "node-1";
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Runs it until Ctrl-C.
///
/// # Errors
/// When something does not start, or a controller ends by itself.
pub async fn run() -> Result<()> {
    println!("Starting a Kubernetes control plane and the operator.");
    let mut terminated = signal(SignalKind::terminate())?;
    // While things start, too: what has started is stopped.
    tokio::select! {
        stopped = ctrl_c() => Ok(stopped?),
        _ = terminated.recv() => Ok(()),
        ended = serve() => ended,
    }
}

/// Starts everything, and returns when a controller has ended.
async fn serve() -> Result<()> {
    let mut cluster = Cluster::start().await?;
    cluster.start_controllers().await?;
    cluster.start_kwok().await?;
    add_node(&cluster).await?;
    cluster.install_crds(&cluster.crds_of_karpenter()?).await?;
    let _karpenter = Karpenter::start(&cluster, karpenter::Options::new(PlayedBy::Kwok)).await?;
    let installation = Installation::of(&cluster, &Chart::ALL).await?;
    let mut operators = Vec::new();
    for chart in Chart::ALL {
        let options = OperatorOptions::of(chart).with("KAITO_LOG_FORMAT", "text");
        let mut operator = installation.start(&cluster, &options).await?;
        operator.wait_ready().await?;
        operators.push(operator);
    }
    println!("{}", introduction(&cluster, &operators).await?);
    loop {
        for operator in &mut operators {
            operator.check()?;
        }
        tokio::time::sleep(CHECK_INTERVAL).await;
    }
}

async fn add_node(cluster: &Cluster) -> Result<()> {
    let node = NewNode::new(NODE, PlayedBy::Kwok).object()?;
    let node = serde_json::to_value(node)?;
    cluster.admin()?.create("/api/v1/nodes", &node).await?;
    Ok(())
}

async fn introduction(cluster: &Cluster, operators: &[Operator]) -> Result<String> {
    let kubeconfig = cluster.kubeconfig(&User::Admin).await?;
    let example = serde_yaml_ng::to_string(&Chart::Ragengine.example("v1beta1"))?;
    let logs: Vec<String> = operators
        .iter()
        .map(|operator| format!("tail -f {}", operator.log_file().display()))
        .collect();
    Ok(format!(
        "
Ready. {NODE} is played by kwok, and so are the machines that NodeClaims ask for: pods are ready at once, and nothing runs
in them. So a Workspace needs the annotation kaito.sh/disable-benchmark=true to become ready; `make demo-cluster` runs the
programs.

export KUBECONFIG={kubeconfig}
export PATH=$PATH:{programs}    # has kubectl and helm

Things to try:

kubectl apply -f - <<END
{example}END
kubectl get ragengines,workspaces,deployments,services,pods,nodes
kubectl explain ragengine.spec
kubectl get ragengine example --output=yaml
kubectl delete ragengine example
{logs}

Ctrl-C stops everything and deletes it.",
        kubeconfig = kubeconfig.display(),
        programs = cluster.programs().display(),
        logs = logs.join("\n"),
    ))
}
