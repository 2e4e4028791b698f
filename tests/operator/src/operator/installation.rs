//! The charts' objects in a cluster.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{Chart, Invocation, Operator, OperatorOptions, webhooks};
use crate::cluster::{Cluster, User};

/// How long the API server may take to act on a change, on a machine that builds something at the same time.
const TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Charts that are installed in a cluster, but for their Deployments.
#[derive(Clone, Debug)]
pub struct Installation {
    invocations: Vec<(Chart, Invocation)>,
}

impl Installation {
    /// Applies what helm makes of the charts, each in the namespace of its README, and waits until the kinds are served.
    ///
    /// The webhook configurations are as the charts have them: until a controller with webhooks is ready, nothing of
    /// these kinds can be created or changed, nor read in a version that is not the stored one. Without webhooks,
    /// [`Installation::remove_webhooks`] is needed first.
    ///
    /// # Errors
    /// When helm or the API server refuse something.
    pub async fn of(cluster: &Cluster, charts: &[Chart]) -> Result<Self> {
        let mut invocations = Vec::new();
        for &chart in charts {
            let objects = chart.render(cluster.programs(), &[]).await?;
            let (deployments, objects) = apart(objects, "Deployment");
            let (crds, mut others) = apart(objects, "CustomResourceDefinition");
            let deployment = deployments.first().context("the chart has no Deployment")?;
            invocations.push((chart, Invocation::of(deployment)?));
            others.insert(
                0,
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": chart.release()}}),
            );
            let file = write(cluster, &format!("{}-crds.json", chart.name()), &crds)?;
            cluster.install_crds(&[file]).await?;
            let file = write(cluster, &format!("{}-objects.json", chart.name()), &others)?;
            let file = format!("--filename={}", file.display());
            cluster
                .kubectl(&["apply", "--server-side", "--field-manager=helm", &file])
                .await?;
        }
        Ok(Self { invocations })
    }

    /// How a chart's Deployment calls the controller.
    ///
    /// # Errors
    /// When the chart is not installed.
    pub fn invocation(&self, chart: Chart) -> Result<&Invocation> {
        let found = self.invocations.iter().find(|(installed, _)| *installed == chart);
        let (_, invocation) = found.with_context(|| format!("{chart:?} is not installed"))?;
        Ok(invocation)
    }

    /// The ServiceAccount of a chart's controller, to see what it may do, or what it has done.
    ///
    /// # Errors
    /// When the chart is not installed.
    pub fn user(&self, chart: Chart) -> Result<&User> {
        Ok(&self.invocation(chart)?.user)
    }

    /// Deletes the webhook configurations of a chart and makes its kinds ones whose versions differ in name only, for tests
    /// that run a controller without webhooks, or none. Waits until the API server acts on it.
    ///
    /// # Errors
    /// When the API server refuses, or does not act on it in time.
    pub async fn remove_webhooks(&self, cluster: &Cluster, chart: Chart) -> Result<()> {
        let admin = cluster.admin()?;
        for path in chart.webhook_paths() {
            admin.delete(&path).await?;
        }
        let conversion = json!({"spec": {"conversion": {"strategy": "None", "webhook": null}}});
        for path in chart.definition_paths() {
            admin.patch(&path, &conversion).await?;
        }
        let deadline = Instant::now() + TIMEOUT;
        while let Some(fault) = webhooks::fault(&admin, chart).await? {
            ensure!(Instant::now() < deadline, "after {TIMEOUT:?}, {fault}");
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Starts the controller of a chart and does not wait for it. Of what the Deployment says, only this is different:
    /// ports and addresses, the URL of the webhooks, KUBECONFIG, and leases that are short so that tests are.
    ///
    /// # Errors
    /// When the program is missing, or the chart is not installed.
    pub async fn start(&self, cluster: &Cluster, options: &OperatorOptions) -> Result<Operator> {
        Operator::start(cluster, self.invocation(options.chart)?, options).await
    }
}

/// The objects of a kind, and the others.
fn apart(objects: Vec<Value>, kind: &str) -> (Vec<Value>, Vec<Value>) {
    let is_one = |object: &Value| object.get("kind").and_then(Value::as_str) == Some(kind);
    objects.into_iter().partition(is_one)
}

fn write(cluster: &Cluster, name: &str, objects: &[Value]) -> Result<PathBuf> {
    let path = cluster.directory().join(name);
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    std::fs::write(&path, list.to_string())?;
    Ok(path)
}
