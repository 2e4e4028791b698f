//! The controller of InferenceSets at work, beside that of Workspaces: the real program with the rights of its chart, on a
//! real control plane, with machines from a Karpenter that the tests play.

use anyhow::Result;
use kaito_operator_tests::cluster::Api;
use serde_json::{Value, json};

use crate::workspace::{WORKSPACES, stage};

const SETS: &str = "/apis/kaito.sh/v1beta1/namespaces/default/inferencesets";
const SET: &str = "/apis/kaito.sh/v1beta1/namespaces/default/inferencesets/phi";

fn set() -> Value {
    json!({
        "apiVersion": "kaito.sh/v1beta1", "kind": "InferenceSet", "metadata": {"name": "phi"},
        "spec": {
            "replicas": 2,
            "labelSelector": {"matchLabels": {"apps": "phi"}},
            "template": {
                "metadata": {"labels": {"team": "search"}, "annotations": {
                    "kaito.sh/performance-mode": "throughput", "kaito.sh/disable-benchmark": "true",
                }},
                "resource": {"instanceType": "Standard_NC24ads_A100_v4"},
                "inference": {"preset": {"name": "phi-4"}},
            },
        },
    })
}

fn items(list: &Value) -> Vec<&Value> {
    list["items"]
        .as_array()
        .map(|items| items.iter().collect())
        .unwrap_or_default()
}

/// The Workspaces that are not being deleted, when there are `count` and each is as `is_right` says.
async fn workspaces(admin: &Api, count: usize, is_right: impl Fn(&Value) -> bool) -> Result<Vec<Value>> {
    let list = admin
        .wait_for(WORKSPACES, |list| {
            let items = items(list);
            items.len() == count && items.iter().all(|item| is_right(item))
        })
        .await?;
    Ok(items(&list).into_iter().cloned().collect())
}

fn is_ready(set: &Value) -> bool {
    let conditions = set["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let is_current = set["status"]["observedGeneration"] == set["metadata"]["generation"];
    let is_ready = |condition: &Value| condition["type"] == "InferenceSetReady" && condition["status"] == "True";
    is_current && conditions.iter().any(is_ready)
}

fn is_updated(set: &Value) -> bool {
    is_ready(set) && set["status"]["updatedReplicas"] == 3
}

fn uid(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_set_makes_changes_replaces_and_deletes_its_workspaces() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let admin = &stage.admin;
    admin.create(SETS, &set()).await?;
    let made = workspaces(admin, 2, |_| true).await?;
    for workspace in &made {
        assert_eq!(
            workspace["metadata"]["labels"]["inferenceset.kaito.sh/created-by"],
            "phi"
        );
        assert_eq!(workspace["metadata"]["labels"]["team"], "search");
        assert_eq!(workspace["inference"]["preset"]["name"], "phi-4");
        assert_eq!(workspace["metadata"]["ownerReferences"][0]["controller"], true);
    }
    let ready = admin.wait_for(SET, is_ready).await?;
    let status = &ready["status"];
    assert_eq!(
        (
            &status["replicas"],
            &status["readyReplicas"],
            &status["updatedReplicas"]
        ),
        (&json!(2), &json!(2), &json!(2))
    );
    assert_eq!(status["selector"], "inferenceset.kaito.sh/created-by=phi");
    assert_eq!(
        ready["metadata"]["finalizers"],
        json!(["inferenceset.finalizer.kaito.sh"])
    );
    assert_eq!(ready["metadata"]["annotations"]["inferenceset.kaito.io/revision"], "1");
    for line in [
        r#"kaito_inferenceset_count{phase="succeeded"} 1"#,
        r#"kaito_inferenceset_count{phase="error"} 0"#,
        r#"kaito_workspace_count{phase="succeeded"} 2"#,
        r#"kaito_workspace_preset_count{preset_name="phi-4"} 2"#,
    ] {
        stage.operator.wait_for_metric(line).await?;
    }

    let service = admin.get("/api/v1/namespaces/default/services/phi").await?;
    assert_eq!(
        service["spec"]["selector"],
        json!({"inferenceset.kaito.sh/created-by": "phi", "apps.kubernetes.io/pod-index": "0"})
    );
    assert_eq!(service["spec"]["ports"][0]["targetPort"], 5000);

    // What an autoscaler does.
    let scale = admin
        .patch(&format!("{SET}/scale"), &json!({"spec": {"replicas": 3}}))
        .await?;
    assert_eq!(scale["status"]["selector"], "inferenceset.kaito.sh/created-by=phi");
    workspaces(admin, 3, |_| true).await?;
    admin.wait_for(SET, is_ready).await?;

    // Options are changed one Workspace after the other, and an annotation that is taken out goes.
    let options = json!({"spec": {"template": {
        "metadata": {"annotations": {"kaito.sh/performance-mode": null}}, "inference": {"adapters": [{"source": {"name": "a", "image": "reg/a:1"}}]},
    }}});
    admin.patch(SET, &options).await?;
    let is_changed = |workspace: &Value| workspace["inference"]["adapters"][0]["source"]["name"] == "a";
    let kept: Vec<_> = workspaces(admin, 3, |_| true).await?.iter().map(uid).collect();
    let is_told = |workspace: &Value| {
        is_changed(workspace) && workspace["metadata"]["annotations"]["kaito.sh/performance-mode"].is_null()
    };
    let changed = workspaces(admin, 3, is_told).await?;
    assert!(
        changed.iter().all(|workspace| kept.contains(&uid(workspace))),
        "they are changed and not replaced"
    );
    admin.wait_for(SET, is_updated).await?;

    // Another model takes other Workspaces.
    let model = json!({"spec": {"template": {"inference": {"preset": {"name": "phi-4-mini-instruct"}}}}});
    admin.patch(SET, &model).await?;
    let is_new = |workspace: &Value| workspace["inference"]["preset"]["name"] == "phi-4-mini-instruct";
    let replaced = workspaces(admin, 3, is_new).await?;
    assert!(replaced.iter().all(|workspace| !kept.contains(&uid(workspace))));
    admin.wait_for(SET, is_updated).await?;

    // One that somebody deletes is made again, and all go with the set.
    let victim = &workspaces(admin, 3, is_new).await?[0];
    let path = format!(
        "{WORKSPACES}/{}",
        victim["metadata"]["name"].as_str().unwrap_or_default()
    );
    admin.delete(&path).await?;
    workspaces(admin, 3, |workspace| {
        workspace["metadata"]["uid"] != victim["metadata"]["uid"]
    })
    .await?;
    admin.delete(SET).await?;
    workspaces(admin, 0, |_| true).await?;
    admin.wait_for(SETS, |list| items(list).is_empty()).await?;
    Ok(())
}
