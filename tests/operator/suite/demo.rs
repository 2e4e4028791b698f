//! The demonstration, each part on a cluster of its own.

use anyhow::{Context, Result};
use kaito_operator_tests::cluster::cluster_or_skip;
use kaito_operator_tests::demo::{Demo, Manifest};

async fn demo() -> Result<Option<Demo>> {
    match cluster_or_skip().await? {
        Some(cluster) => Ok(Some(Demo::start(cluster).await?)),
        None => Ok(None),
    }
}

async fn serve_and_clear(manifests: &[Manifest]) -> Result<()> {
    let Some(demo) = demo().await? else {
        return Ok(());
    };
    demo.serve(manifests).await.with_context(|| demo.log())?;
    demo.clear().await.with_context(|| demo.log())
}

#[tokio::test]
async fn an_engine_answers_with_the_model_of_a_workspace_that_was_there_before_it() -> Result<()> {
    serve_and_clear(&[Manifest::Workspace, Manifest::Engine]).await
}

#[tokio::test]
async fn an_engine_answers_with_the_model_of_a_workspace_that_came_after_it() -> Result<()> {
    serve_and_clear(&[Manifest::Engine, Manifest::Workspace]).await
}

#[tokio::test]
async fn one_manifest_is_enough_for_an_engine_and_its_model() -> Result<()> {
    serve_and_clear(&[Manifest::Single]).await
}

#[tokio::test]
async fn a_launch_that_fails_and_a_late_gpu_plugin_are_told_and_survived() -> Result<()> {
    let Some(demo) = demo().await? else {
        return Ok(());
    };
    demo.survive_faults_of_the_start().await.with_context(|| demo.log())
}

#[tokio::test]
async fn a_lost_node_a_crashing_model_and_a_replaced_workspace_leave_the_engine_alone() -> Result<()> {
    let Some(demo) = demo().await? else {
        return Ok(());
    };
    demo.survive_faults_while_serving().await.with_context(|| demo.log())
}
