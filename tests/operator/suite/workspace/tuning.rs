//! Tuning: a Job from the input to the output, and another one when the specification changes.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::{Value, json};

use super::{Stage, WORKSPACES, is_ready, stage, workspace};

const JOBS: &str = "/apis/batch/v1/namespaces/default/jobs";
const REVISIONS: &str = "/apis/apps/v1/namespaces/default/controllerrevisions";

fn tuned(input: &Value, output: &Value) -> Value {
    let mut tuned = workspace("tune", "Standard_NC24ads_A100_v4");
    tuned["tuning"] = json!({
        "preset": {"name": "phi-4-mini-instruct"}, "method": "lora", "input": input, "output": output,
    });
    tuned
}

fn revision(object: &Value) -> &Value {
    &object["metadata"]["annotations"]["workspace.kaito.io/revision"]
}

async fn is_tuned_and_again_when_changed(stage: &Stage, tuned: &Value, change: &Value) -> Result<()> {
    let done = stage.ready(tuned).await?;
    assert_eq!(*revision(&done), "1");
    let job = stage.admin.get(&format!("{JOBS}/tune")).await?;
    assert_eq!((revision(&job), &job["status"]["succeeded"]), (&json!("1"), &json!(1)));
    let path = format!("{WORKSPACES}/tune");
    stage.admin.patch(&path, &json!({"tuning": change})).await?;
    let again = |job: &Value| *revision(job) == "2" && job["status"]["succeeded"] == 1;
    let second = stage.admin.wait_for(&format!("{JOBS}/tune"), again).await?;
    assert_ne!(second["metadata"]["uid"], job["metadata"]["uid"]);
    let done = |workspace: &Value| *revision(workspace) == "2" && is_ready(workspace);
    stage.admin.wait_for(&path, done).await?;
    let revisions = stage.admin.get(REVISIONS).await?;
    let numbers = super::items(&revisions)
        .iter()
        .filter_map(|one| one["revision"].as_i64());
    assert_eq!(numbers.collect::<BTreeSet<_>>(), BTreeSet::from([1, 2]));
    Ok(())
}

#[tokio::test]
async fn tuning_from_an_image_to_an_image_is_done_again_when_the_images_change() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "registry"},
        "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "{\"auths\": {}}"},
    });
    stage
        .admin
        .create("/api/v1/namespaces/default/secrets", &secret)
        .await?;
    let output = |tag: u8| json!({"image": format!("example.org/out:{tag}"), "imagePushSecret": "registry"});
    let tuned = tuned(&json!({"image": "example.org/data:1"}), &output(1));
    let change = json!({"input": {"image": "example.org/data:2"}, "output": output(2)});
    is_tuned_and_again_when_changed(&stage, &tuned, &change).await
}

#[tokio::test]
async fn tuning_from_a_volume_to_a_volume_is_done_again_when_the_volume_changes() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let volume = |path: &str| json!({"volumeSource": {"hostPath": {"path": path}}});
    let tuned = tuned(&volume("/data/in"), &volume("/data/out"));
    let change = json!({"output": volume("/data/other")});
    is_tuned_and_again_when_changed(&stage, &tuned, &change).await
}
