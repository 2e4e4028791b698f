//! From manifests to a grounded answer: a Workspace and a RAGEngine on a cluster whose machines are played.
//!
//! The control plane, the charts, the controllers and `rag-service` are real. Karpenter, the kubelet and the model are
//! stood in for: [`crate::karpenter`], [`crate::kubelet`], [`crate::model_server`]. Each step is told with the time at
//! which it was seen, and one that is not seen is an error.

mod conversation;
mod faults;
mod objects;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::beside::beside;
use crate::cluster::{Api, Cluster};
use crate::karpenter::{self, Karpenter};
use crate::kubelet::{self, Kubelet};
use crate::nodes::{NewNode, PlayedBy};
use crate::operator::{Chart, Installation, Operator, OperatorOptions};
use crate::service_proxy::ServiceProxy;
use crate::{installed, model_server};
use objects::{ENGINES, NODE_CLAIMS, WORKSPACES, condition, items, message, name};

const ENGINE_IMAGE: &str = "ghcr.io/kaito-rs/rag-service";
const MODEL_IMAGE: &str = "mcr.microsoft.com/aks/kaito/kaito-base";
/// What a cloud and a device plugin take, so that there is something to wait for.
const LAUNCH_DELAY: Duration = Duration::from_millis(500);

/// A manifest of the demonstration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// A Workspace.
    Workspace,
    /// A RAGEngine that refers to it.
    Engine,
    /// Both in one.
    Single,
}

impl Manifest {
    fn file(self) -> PathBuf {
        let name = match self {
            Self::Workspace => "workspace.yaml",
            Self::Engine => "ragengine.yaml",
            Self::Single => "single.yaml",
        };
        Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/demo").join(name)
    }
}

/// A cluster with everything in it but the manifests. What stops first comes first.
pub struct Demo {
    operators: Vec<Operator>,
    client: reqwest::Client,
    _services: ServiceProxy,
    karpenter: Karpenter,
    kubelet: Kubelet,
    admin: Api,
    cluster: Cluster,
    started: Instant,
}

/// Runs the demonstration: in both orders, from one manifest, and with faults if they are wanted.
///
/// # Errors
/// When a step was not seen.
pub async fn run(with_faults: bool) -> Result<()> {
    let demo = Demo::start(Cluster::start().await?).await?;
    for manifests in [
        &[Manifest::Workspace, Manifest::Engine][..],
        &[Manifest::Engine, Manifest::Workspace],
        &[Manifest::Single],
    ] {
        demo.serve(manifests).await?;
        demo.clear().await?;
    }
    if with_faults {
        demo.survive_faults_of_the_start().await?;
        demo.clear().await?;
        demo.survive_faults_while_serving().await?;
    }
    demo.tell("everything was seen to work");
    Ok(())
}

impl Demo {
    /// Installs the charts and starts what they need.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start(mut cluster: Cluster) -> Result<Self> {
        let started = Instant::now();
        cluster.start_controllers().await?;
        cluster.install_crds(&cluster.crds_of_karpenter()?).await?;
        let admin = cluster.admin()?;
        let kubelet = Kubelet::start(&cluster, pods(&cluster)?).await?;
        let played_by = PlayedBy::Kubelet(kubelet.address());
        let node = NewNode::new("node-1", played_by).object()?;
        admin.create("/api/v1/nodes", &serde_json::to_value(node)?).await?;
        let services = ServiceProxy::start(&cluster, &kubelet).await?;
        kubelet.set_variable("http_proxy", &services.url());
        let machines = karpenter::Options::new(played_by)
            .launch_delay(LAUNCH_DELAY)
            .plugin_delay(LAUNCH_DELAY);
        let karpenter = Karpenter::start(&cluster, machines).await?;
        let installation = Installation::of(&cluster, &Chart::ALL).await?;
        let mut operators = Vec::new();
        for chart in Chart::ALL {
            let options = OperatorOptions::of(chart)
                .with("http_proxy", &services.url())
                .with("KAITO_INDEX_STATUS_INTERVAL", "1s");
            operators.push(installation.start(&cluster, &options).await?);
        }
        for operator in &mut operators {
            operator.wait_ready().await?;
        }
        let demo = Self {
            operators,
            client: services.client()?,
            _services: services,
            karpenter,
            kubelet,
            admin,
            cluster,
            started,
        };
        demo.tell("the charts are installed, and the webhooks answer");
        Ok(demo)
    }

    /// Applies manifests one after the other, and goes on until a chat has been answered from documents.
    ///
    /// # Errors
    /// When a step was not seen.
    pub async fn serve(&self, manifests: &[Manifest]) -> Result<()> {
        self.apply(manifests).await?;
        self.see_ready().await?;
        self.index().await?;
        self.ask().await
    }

    /// Deletes everything that was applied, and waits until what came of it has gone.
    ///
    /// # Errors
    /// When something stays.
    pub async fn clear(&self) -> Result<()> {
        self.cluster
            .kubectl(&["delete", "ragengines,workspaces", "--all", "--wait=false"])
            .await?;
        for path in [ENGINES, WORKSPACES, NODE_CLAIMS, objects::STATEFUL_SETS, objects::PODS] {
            self.admin.wait_for(path, |list| items(list).is_empty()).await?;
        }
        self.tell("all of it is deleted: pods, NodeClaims and machines have gone");
        Ok(())
    }

    /// The log of a controller, for whoever wants to know why a step was not seen.
    pub fn log(&self) -> String {
        self.operators.iter().map(Operator::log).collect()
    }

    async fn apply(&self, manifests: &[Manifest]) -> Result<()> {
        for manifest in manifests {
            let file = format!("--filename={}", manifest.file().display());
            let said = self.cluster.kubectl(&["apply", &file]).await?;
            self.tell(said.trim());
        }
        Ok(())
    }

    /// Waits for each step up to an engine that is ready.
    async fn see_ready(&self) -> Result<()> {
        let claims = self
            .admin
            .wait_for(NODE_CLAIMS, |claims| !items(claims).is_empty())
            .await?;
        self.tell(&format!("NodeClaim {} asks for a machine", first(&claims)?));
        let workspace = self.see_workspace_ready().await?;
        let throughput = workspace.pointer("/status/performance/metrics/peakTokensPerMinute/value");
        let throughput = throughput
            .and_then(Value::as_str)
            .context("the Workspace does not say how fast it is")?;
        self.tell(&format!("its benchmark says {throughput} tokens a minute"));
        let path = format!("{ENGINES}/docs");
        let engine = self
            .admin
            .wait_for(&path, |engine| condition(engine, "Ready").0 == "True")
            .await?;
        let url = engine.pointer("/status/inference/url").and_then(Value::as_str);
        self.tell(&format!(
            "RAGEngine docs is ready, with the model at {}",
            url.unwrap_or("?")
        ));
        Ok(())
    }

    async fn see_workspace_ready(&self) -> Result<Value> {
        for (type_, words) in [
            ("ResourceReady", "the machine is there, with its GPUs"),
            ("InferenceReady", "the model is served"),
            ("WorkspaceSucceeded", "Workspace is ready"),
        ] {
            self.see_workspace(words, |workspace| condition(workspace, type_).0 == "True")
                .await?;
        }
        let list = self.admin.get(WORKSPACES).await?;
        items(&list).first().cloned().context("the Workspace has gone")
    }

    /// Waits until the only Workspace is so, and tells it.
    async fn see_workspace(&self, words: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        let only = |list: &Value| matches!(items(list), [workspace] if is_so(workspace));
        let list = self.admin.wait_for(WORKSPACES, only).await;
        let list = list.with_context(|| format!("it was not seen that {words}"))?;
        self.tell(words);
        items(&list).first().cloned().context("the Workspace has gone")
    }

    /// Waits until a condition of the engine has a status and a message with these words, and tells it.
    async fn see_engine(&self, type_: &str, status: &str, words: &str) -> Result<()> {
        let is_so = |engine: &Value| condition(engine, type_).0 == status && message(engine, type_).contains(words);
        let engine = self.admin.wait_for(&format!("{ENGINES}/docs"), is_so).await?;
        self.tell(&format!(
            "RAGEngine docs: {type_} is {status}: {}",
            message(&engine, type_)
        ));
        Ok(())
    }

    fn tell(&self, words: &str) {
        println!("{:7.1} s  {words}", self.started.elapsed().as_secs_f64());
    }
}

fn first(list: &Value) -> Result<&str> {
    items(list).first().map(name).context("the list is empty")
}

/// Which programs run in pods.
fn pods(cluster: &Cluster) -> Result<kubelet::Options> {
    let server = beside("model-server")?;
    // Where `make setup` put the embedding model.
    let cache = installed::installed("", "make setup")?;
    Ok(kubelet::Options::new("")
        .program(ENGINE_IMAGE, beside("rag-service")?)
        .variable("KAITO_RS_CACHE", &cache.display().to_string())
        .program(MODEL_IMAGE, server.clone())
        .exec(model_server::BENCHMARK, server)
        .variable(model_server::ADDRESS, "0.0.0.0:5000")
        .variable(model_server::FAULTS, &cluster.directory().display().to_string()))
}
