//! Programs that are not started again.

use anyhow::Result;
use serde_json::{Value, json};

use super::{IMAGE, PODS, with_a_kubelet};

fn pod(name: &str, restart_policy: &str, environment: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {"runs": "really"}, "annotations": {"kaito-tests/kubelet": "none"}},
        "spec": {
            "restartPolicy": restart_policy,
            "containers": [{"name": "echo", "image": IMAGE, "env": environment}],
        },
    })
}

#[tokio::test]
async fn a_pod_that_may_not_start_again_succeeds_or_fails_with_its_program() -> Result<()> {
    let Some((cluster, _kubelet)) = with_a_kubelet().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    let complaint = json!([{"name": "COMPLAINT", "value": "no data"}]);
    let done = json!([{"name": "DONE", "value": "yes"}]);
    for (name, policy, environment, phase, reason) in [
        ("fails", "Never", &complaint, "Failed", "Error"),
        ("succeeds", "Never", &done, "Succeeded", "Completed"),
        ("succeeds-at-last", "OnFailure", &done, "Succeeded", "Completed"),
    ] {
        admin.create(PODS, &pod(name, policy, environment)).await?;
        let path = format!("{PODS}/{name}");
        let ended = admin.wait_for(&path, |pod| pod["status"]["phase"] == phase).await?;
        let container = &ended["status"]["containerStatuses"][0];
        assert_eq!(container["state"]["terminated"]["reason"], reason, "{ended:#}");
        assert_eq!(container["restartCount"], 0);
    }
    admin.create(PODS, &pod("tries", "OnFailure", &complaint)).await?;
    let again = |pod: &Value| pod["status"]["containerStatuses"][0]["restartCount"].as_u64() >= Some(1);
    let tries = admin.wait_for(&format!("{PODS}/tries"), again).await?;
    assert_eq!(tries["status"]["phase"], "Running");
    Ok(())
}

#[tokio::test]
async fn a_job_of_a_program_that_ends_is_complete() -> Result<()> {
    let Some((cluster, _kubelet)) = with_a_kubelet().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    let mut template = pod("unused", "Never", &json!([{"name": "DONE", "value": "yes"}]));
    template["metadata"]["name"] = Value::Null;
    let template = json!({"metadata": template["metadata"], "spec": template["spec"]});
    let jobs = "/apis/batch/v1/namespaces/default/jobs";
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"}, "spec": {"template": template},
    });
    admin.create(jobs, &job).await?;
    let complete = |job: &Value| crate::cluster::is_true(job, "Complete");
    let job = admin.wait_for(&format!("{jobs}/once"), complete).await?;
    assert_eq!(job["status"]["succeeded"], 1);
    Ok(())
}
