//! What KAITO's own operator left behind is taken over, and what is not an engine's is not touched.

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    CONTROLLER, DEPLOYMENTS, ENGINES, SERVICES, cluster_with_charts, condition, container, engine, is_ready, local,
    message, stage,
};
use kaito_operator_tests::cluster::User;
use kaito_operator_tests::operator::{Chart, OperatorOptions};

/// The Deployment that KAITO's operator makes of an engine.
fn kaitos_deployment(name: &str, uid: &Value) -> Value {
    let hook = |verb: &str| json!({"exec": {"command": ["python3", "/app/ragengine/lifecycle/hooks.py", verb]}});
    let probe = |delay: i32| json!({"httpGet": {"path": "/health", "port": 5000}, "initialDelaySeconds": delay, "periodSeconds": 10});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": name, "annotations": {"ragengine.kaito.io/revision": "1"},
            "ownerReferences": [{"apiVersion": "kaito.sh/v1beta1", "kind": "RAGEngine", "name": name, "uid": uid,
                                 "controller": true, "blockOwnerDeletion": true}],
        },
        "spec": {
            "replicas": 1,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "selector": {"matchLabels": {"kaito.sh/ragengine": name}},
            "template": {
                "metadata": {"labels": {"kaito.sh/ragengine": name}},
                "spec": {
                    "terminationGracePeriodSeconds": 60,
                    "containers": [{
                        "name": name, "image": "mcr.microsoft.com/aks/kaito/kaito-rag-service:0.12.0",
                        "command": ["/bin/sh", "-c", "python3 main.py"],
                        "ports": [{"containerPort": 5000}],
                        "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}},
                        "env": [
                            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                            {"name": "ACCESS_SECRET", "value": "hf"},
                            {"name": "EMBEDDING_TYPE", "value": "local"},
                        ],
                        "livenessProbe": probe(600), "readinessProbe": probe(30),
                        "lifecycle": {"postStart": hook("poststart"), "preStop": hook("prestop")},
                        "volumeMounts": [{"name": "dshm", "mountPath": "/dev/shm"}],
                    }],
                    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
                    "volumes": [{"name": "dshm", "emptyDir": {"medium": "Memory"}}],
                },
            },
        },
    })
}

#[tokio::test]
async fn a_deployment_and_a_service_of_kaitos_operator_become_ours_without_its_hooks_and_command() -> Result<()> {
    let Some((cluster, installation)) = cluster_with_charts().await? else {
        return Ok(());
    };
    installation.remove_webhooks(&cluster, Chart::Ragengine).await?;
    let admin = cluster.admin()?;
    let kaito = cluster.api(&User::Admin, "kaito-ragengine/v0.12.0").await?;
    let uid = admin.create(ENGINES, &engine("docs", &local())).await?["metadata"]["uid"].clone();
    kaito.create(DEPLOYMENTS, &kaitos_deployment("docs", &uid)).await?;
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "docs", "ownerReferences": kaitos_deployment("docs", &uid)["metadata"]["ownerReferences"]},
        "spec": {"selector": {"kaito.sh/ragengine": "docs"}, "publishNotReadyAddresses": true,
                 "ports": [{"name": "http", "port": 80, "targetPort": 5000}]},
    });
    let before = kaito.create(SERVICES, &service).await?;
    // Somebody has scaled it by hand with another tool, which is theirs.
    let noted = json!({"metadata": {"annotations": {"theirs": "kept"}}});
    admin.patch(&format!("{DEPLOYMENTS}/docs"), &noted).await?;

    let options = OperatorOptions::of(Chart::Ragengine).without_webhooks();
    let mut operator = installation.start(&cluster, &options).await?;
    operator.wait_ready().await?;
    let path = format!("{DEPLOYMENTS}/docs");
    let ours = |found: &Value| found["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "kaito-controller";
    let found = admin.wait_for(&path, ours).await?;
    let one = container(&found);
    assert_eq!(one["command"], Value::Null);
    assert_eq!(one["lifecycle"], json!({"preStop": {"sleep": {"seconds": 5}}}));
    assert_eq!(one["livenessProbe"]["initialDelaySeconds"], Value::Null);
    let variables: Vec<_> = one["env"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| one["name"].clone())
        .collect();
    assert!(
        !variables.contains(&json!("POD_NAME")) && !variables.contains(&json!("ACCESS_SECRET")),
        "{variables:?}"
    );
    let volumes = found["spec"]["template"]["spec"]["volumes"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    assert!(volumes.iter().all(|volume| volume["name"] != "dshm"), "{volumes:?}");
    assert_eq!(found["spec"]["template"]["spec"]["tolerations"], Value::Null);
    assert_eq!(found["spec"]["strategy"], json!({"type": "Recreate"}));
    assert_eq!(found["metadata"]["annotations"]["theirs"], "kept");
    let service = admin.wait_for(&format!("{SERVICES}/docs"), ours).await?;
    assert_ne!(service["spec"]["publishNotReadyAddresses"], true);
    assert_eq!(
        service["spec"]["clusterIP"], before["spec"]["clusterIP"],
        "it stays the same Service"
    );
    admin.wait_for(&format!("{ENGINES}/docs"), is_ready).await?;
    assert!(cluster.requests(CONTROLLER)?.iter().any(|request| request.is_write()));
    Ok(())
}

#[tokio::test]
async fn a_deployment_that_is_somebody_elses_is_not_touched_and_the_condition_says_so() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let mut theirs = kaitos_deployment("docs", &json!("none"));
    theirs["metadata"]["ownerReferences"] = json!([]);
    let made = stage.admin.create(DEPLOYMENTS, &theirs).await?;
    stage.admin.create(ENGINES, &engine("docs", &local())).await?;
    let taken = |engine: &Value| condition(engine, "ServiceReady") == ("False", "NameTaken");
    let engine = stage.admin.wait_for(&format!("{ENGINES}/docs"), taken).await?;
    assert!(message(&engine, "ServiceReady").contains("give the resource another name"));
    let found = stage.admin.get(&format!("{DEPLOYMENTS}/docs")).await?;
    assert_eq!(found["spec"], made["spec"]);
    stage.admin.delete(&format!("{DEPLOYMENTS}/docs")).await?;
    stage.admin.wait_for(&format!("{ENGINES}/docs"), is_ready).await?;
    Ok(())
}
