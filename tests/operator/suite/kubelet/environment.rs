//! What a program is given.

use anyhow::Result;
use serde_json::json;

use super::{DEPLOYMENTS, SECRETS, available, container_is, deployment, description, with_a_kubelet};
use crate::cluster::{CONFIG_MAPS, config_map};

#[tokio::test]
async fn a_program_gets_the_variables_and_arguments_of_its_container() -> Result<()> {
    let Some((cluster, kubelet)) = with_a_kubelet().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    let secret = json!({"metadata": {"name": "token"}, "stringData": {"key": "secret"}});
    admin.create(SECRETS, &secret).await?;
    admin
        .create(CONFIG_MAPS, &config_map("settings", &json!({"A": "1"})))
        .await?;
    let container = json!({
        "command": ["/bin/echo-server"], "args": ["--from=$(NAME)", "/scratch/x"],
        "envFrom": [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "missing", "optional": true}}],
        "env": [
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "token", "key": "key"}}},
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "BOTH", "value": "$(A)-$(KEY)"},
            {"name": "SCRATCH", "value": "/scratch/x"},
        ],
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    });
    let volumes = json!({"volumes": [{"name": "scratch", "emptyDir": {}}]});
    admin
        .create(DEPLOYMENTS, &deployment("echo", &container, &volumes))
        .await?;
    let played = available(&admin, &kubelet, "echo").await?;
    let description = description(&played).await?;
    let environment = &description["environment"];
    for (name, value) in [
        ("A", "1"),
        ("KEY", "secret"),
        ("NAME", &played.name),
        ("NODE", "node-1"),
        ("POD_IP", &played.ip.to_string()),
        ("BOTH", "1-secret"),
        ("LISTEN", &format!("{}:8080", played.address)),
    ] {
        assert_eq!(environment[name], value, "{name}");
    }
    let scratch = environment["SCRATCH"].as_str().unwrap_or_default();
    assert!(
        scratch.starts_with(&cluster.directory().display().to_string()),
        "{scratch}"
    );
    assert_eq!(
        description["arguments"],
        json!([format!("--from={}", played.name), scratch])
    );
    assert_eq!(
        environment["CARGO_MANIFEST_DIR"],
        json!(null),
        "nothing of the test's own"
    );
    Ok(())
}

#[tokio::test]
async fn a_missing_secret_keeps_a_program_waiting_until_it_is_there() -> Result<()> {
    let Some((cluster, kubelet)) = with_a_kubelet().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    let key = json!({"secretKeyRef": {"name": "late", "key": "key"}});
    let container = json!({"env": [{"name": "KEY", "valueFrom": key}]});
    admin
        .create(DEPLOYMENTS, &deployment("echo", &container, &json!({})))
        .await?;
    let waits_for = async |message: &str| {
        container_is(&admin, "echo", |container| {
            let waiting = &container["state"]["waiting"];
            waiting["reason"] == "CreateContainerConfigError" && waiting["message"] == message
        })
        .await
    };
    let pod = waits_for("secret \"late\" not found").await?;
    assert_eq!(pod["status"]["phase"], "Pending");
    let secret = json!({"metadata": {"name": "late"}, "stringData": {"other": "x"}});
    admin.create(SECRETS, &secret).await?;
    waits_for("couldn't find key key in Secret default/late").await?;
    let key = json!({"stringData": {"key": "found"}});
    admin.patch(&format!("{SECRETS}/late"), &key).await?;
    let played = available(&admin, &kubelet, "echo").await?;
    assert_eq!(description(&played).await?["environment"]["KEY"], "found");
    Ok(())
}
