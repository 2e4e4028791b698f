//! What goes wrong on a cluster, and what the objects say meanwhile.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::objects::{PODS, STATEFUL_SETS, WORKSPACES, condition, items, message, name};
use super::{Demo, Manifest};
use crate::model_server;

const NO_CAPACITY: &str = "no Standard_NC24ads_A100_v4 is left in any zone";

impl Demo {
    /// A machine that cannot be had at first, and whose GPUs are late.
    ///
    /// # Errors
    /// When a step was not seen.
    pub async fn survive_faults_of_the_start(&self) -> Result<()> {
        self.karpenter.fail_launches(1, NO_CAPACITY);
        self.karpenter.hold_plugin();
        self.apply(&[Manifest::Workspace, Manifest::Engine]).await?;
        let told = |workspace: &Value| message(workspace, "ResourceReady").contains(NO_CAPACITY);
        self.see_workspace("the Workspace says that the cloud has no such machine left", told)
            .await?;
        let late = |workspace: &Value| condition(workspace, "ResourceReady").1 == "NodePluginsNotReady";
        self.see_workspace("the next launch succeeds; the GPU plugin is late", late)
            .await?;
        self.karpenter.release_plugin();
        self.see_ready().await?;
        self.index().await?;
        self.ask().await
    }

    /// A machine that is lost, a model that crashes, and a Workspace that is deleted and made again.
    ///
    /// # Errors
    /// When a step was not seen.
    pub async fn survive_faults_while_serving(&self) -> Result<()> {
        self.serve(&[Manifest::Engine, Manifest::Workspace]).await?;
        let engine_pod = self.engine_pod().await?;
        self.lose_the_machine().await?;
        self.crash_the_model().await?;
        self.replace_the_workspace().await?;
        let still = self.engine_pod().await?;
        ensure!(
            still == engine_pod,
            "the engine's pod was replaced: {engine_pod} by {still}"
        );
        self.tell("the engine's pod was the same all the time");
        Ok(())
    }

    async fn lose_the_machine(&self) -> Result<()> {
        let nodes = self.karpenter.nodes().await?;
        let [node] = &nodes[..] else {
            anyhow::bail!("not one machine but {nodes:?}");
        };
        self.karpenter.lose_node(node).await?;
        self.tell(&format!("machine {node} is lost"));
        let lost = |workspace: &Value| condition(workspace, "WorkspaceSucceeded").0 == "False";
        self.see_workspace("the Workspace is not ready", lost).await?;
        self.recover().await
    }

    async fn crash_the_model(&self) -> Result<()> {
        let crash = self.cluster.directory().join(model_server::CRASH);
        std::fs::write(&crash, "")?;
        let crashes = |workspace: &Value| condition(workspace, "InferenceReady").1 == "ContainerCrashLoopBackOff";
        self.see_workspace("the model crashes again and again, as the Workspace says", crashes)
            .await?;
        self.see_engine("InferenceReady", "False", "").await?;
        self.retrieve().await?;
        std::fs::remove_file(&crash)?;
        self.recover().await
    }

    async fn replace_the_workspace(&self) -> Result<()> {
        self.admin.delete(&format!("{WORKSPACES}/phi")).await?;
        for path in [WORKSPACES, STATEFUL_SETS] {
            self.admin.wait_for(path, |list| items(list).is_empty()).await?;
        }
        self.tell("the Workspace is deleted");
        self.see_engine("InferenceReady", "False", "\"phi\"").await?;
        self.retrieve().await?;
        self.apply(&[Manifest::Workspace]).await?;
        self.recover().await
    }

    /// Everything is as before, and answers.
    async fn recover(&self) -> Result<()> {
        self.see_workspace_ready().await?;
        self.see_engine("Ready", "True", "").await?;
        self.ask().await
    }

    async fn engine_pod(&self) -> Result<String> {
        let path = format!("{PODS}?labelSelector=kaito.sh/ragengine=docs");
        let pods = self.admin.get(&path).await?;
        let stays = |pod: &&Value| pod.pointer("/metadata/deletionTimestamp").is_none();
        let pod = items(&pods).iter().find(stays).context("the engine has no pod")?;
        Ok(name(pod).to_owned())
    }
}
