//! What is broken by hand is mended, and what others add is left alone.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::{CONFIG_MAPS, DEPLOYMENTS, SERVICES, Stage, container, local, stage, variable};

async fn heals(stage: &Stage, path: &str, damage: Value, whole: impl FnMut(&Value) -> bool) -> Result<Duration> {
    stage.admin.patch(path, &damage).await?;
    let started = Instant::now();
    stage.admin.wait_for(path, whole).await?;
    Ok(started.elapsed())
}

#[tokio::test]
async fn each_object_that_is_damaged_or_deleted_is_mended_and_what_others_add_stays() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let mut spec = local();
    spec["guardrails"] = json!({"enabled": true});
    spec["networkPolicy"] = json!({});
    stage.ready("docs", &spec).await?;
    let deployment = format!("{DEPLOYMENTS}/docs");
    let service = format!("{SERVICES}/docs");
    let policy = format!("{CONFIG_MAPS}/docs-guardrails-policy");
    let network = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies/docs".to_owned();
    let image = container(&stage.admin.get(&deployment).await?)["image"].clone();
    let rules = stage.admin.get(&policy).await?["data"].clone();

    // Somebody else's: a label, an annotation, a container beside ours, a variable in ours.
    let name = "docs";
    let added = json!({
        "metadata": {"labels": {"theirs": "kept"}, "annotations": {"theirs": "kept"}},
        "spec": {"template": {"spec": {"containers": [
            {"name": name, "env": [{"name": "THEIRS", "value": "kept"}]},
            {"name": "sidecar", "image": "example.org/sidecar:1"},
        ]}}},
    });
    let mut whole = added.clone();
    whole["apiVersion"] = json!("apps/v1");
    whole["kind"] = json!("Deployment");
    stage.admin.apply(&deployment, "somebody", &whole).await?.object()?;

    let mut slowest = Duration::ZERO;
    for (path, damage) in [
        (&deployment, json!({"spec": {"replicas": 0}})),
        (
            &deployment,
            json!({"metadata": {"labels": {"app.kubernetes.io/instance": "wrong"}}}),
        ),
        (
            &deployment,
            json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}),
        ),
        (
            &deployment,
            json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "somebody"}}}),
        ),
        (&service, json!({"spec": {"selector": {"kaito.sh/ragengine": "other"}}})),
        (&service, json!({"spec": {"publishNotReadyAddresses": true}})),
        (&policy, json!({"data": {"guardrails.yaml": "scanners: []"}})),
        (&network, json!({"spec": {"ingress": []}})),
    ] {
        let took = heals(&stage, path, damage, |object| match object["kind"].as_str() {
            Some("Deployment") => {
                object["spec"]["replicas"] == 1
                    && object["metadata"]["labels"]["app.kubernetes.io/instance"] == "docs"
                    && object["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "kaito-controller"
                    && object["spec"]["strategy"] == json!({"type": "Recreate"})
            }
            Some("Service") => {
                object["spec"]["selector"] == json!({"kaito.sh/ragengine": "docs"})
                    && object["spec"]["publishNotReadyAddresses"] != true
            }
            Some("ConfigMap") => object["data"] == rules,
            _ => object["spec"]["ingress"] != json!([]),
        })
        .await?;
        slowest = slowest.max(took);
    }
    println!("the slowest repair took {slowest:?}");

    let kept = stage.admin.get(&deployment).await?;
    assert_eq!(kept["metadata"]["labels"]["theirs"], "kept");
    assert_eq!(kept["metadata"]["annotations"]["theirs"], "kept");
    assert_eq!(variable(&kept, "THEIRS").as_deref(), Some("kept"));
    assert_eq!(container(&kept)["image"], image);
    assert_eq!(kept["spec"]["template"]["spec"]["containers"][1]["name"], "sidecar");

    for path in [&deployment, &service, &policy, &network] {
        let uid = stage.admin.get(path).await?["metadata"]["uid"].clone();
        stage.admin.delete(path).await?;
        stage
            .admin
            .wait_for(path, |object| object["metadata"]["uid"] != uid)
            .await?;
    }
    Ok(())
}
