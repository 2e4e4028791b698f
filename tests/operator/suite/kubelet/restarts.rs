//! Programs that end, or are not there.

use anyhow::Result;
use serde_json::json;

use super::{DEPLOYMENTS, container_is, deployment, with_a_kubelet};

#[tokio::test]
async fn a_program_that_ends_again_and_again_says_why() -> Result<()> {
    let Some((cluster, _kubelet)) = with_a_kubelet().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    let container = json!({
        "env": [{"name": "COMPLAINT", "value": "the index is broken"}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    });
    admin
        .create(DEPLOYMENTS, &deployment("echo", &container, &json!({})))
        .await?;
    let pod = container_is(&admin, "echo", |container| {
        container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
            && container["restartCount"].as_i64().is_some_and(|count| count >= 1)
    })
    .await?;
    let last = &pod["status"]["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!(last["exitCode"], 3);
    assert_eq!(last["reason"], "Error");
    assert_eq!(last["message"], "starting\nthe index is broken\n");
    assert_eq!(pod["status"]["phase"], "Running", "as a kubelet says of such a pod");
    Ok(())
}

#[tokio::test]
async fn an_image_without_program_is_not_pulled_and_an_init_container_without_one_has_succeeded() -> Result<()> {
    let Some((cluster, _kubelet)) = with_a_kubelet().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    let image = json!({"image": "example.org/unknown:1"});
    let init = json!({"initContainers": [{"name": "first", "image": "example.org/unknown:2"}]});
    admin.create(DEPLOYMENTS, &deployment("echo", &image, &init)).await?;
    let pod = container_is(&admin, "echo", |container| {
        container["state"]["waiting"]["reason"] == "ImagePullBackOff"
    })
    .await?;
    let init = &pod["status"]["initContainerStatuses"][0];
    assert_eq!(init["state"]["terminated"]["reason"], "Completed");
    Ok(())
}
