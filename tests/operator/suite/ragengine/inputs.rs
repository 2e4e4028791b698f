//! Secrets and ConfigMaps that pods read.

use anyhow::Result;
use serde_json::{Value, json};

use super::{CONFIG_MAPS, DEPLOYMENTS, ENGINES, SECRETS, condition, is_ready, local, message, stage};

fn secret(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data})
}

fn digest(deployment: &Value, role: &str) -> String {
    let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
    annotations[format!("inputs.kaito.sh/{role}")]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn a_secret_is_named_when_it_is_missing_and_replaces_pods_when_it_changes_but_not_when_it_goes() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let mut spec = local();
    spec["inferenceService"] = json!({"url": "http://llm/v1", "accessSecret": "llm", "contextWindowSize": 512});
    stage.admin.create(ENGINES, &super::engine("docs", &spec)).await?;
    let path = format!("{ENGINES}/docs");
    let missing = |engine: &Value| {
        condition(engine, "InferenceReady") == ("False", "SecretNotFound")
            && condition(engine, "ServiceReady").0 == "True"
    };
    let engine = stage.admin.wait_for(&path, missing).await?;
    assert!(message(&engine, "InferenceReady").contains("\"llm\""));
    assert!(message(&engine, "Ready").contains("\"llm\""));

    stage
        .admin
        .create(SECRETS, &secret("llm", &json!({"OTHER": "x"})))
        .await?;
    let no_key = |engine: &Value| condition(engine, "InferenceReady").1 == "SecretKeyNotFound";
    let engine = stage.admin.wait_for(&path, no_key).await?;
    assert!(message(&engine, "InferenceReady").contains("LLM_ACCESS_SECRET"));

    let key = |value: &str| json!({"stringData": {"LLM_ACCESS_SECRET": value}});
    stage.admin.patch(&format!("{SECRETS}/llm"), &key("one")).await?;
    stage.admin.wait_for(&path, is_ready).await?;
    let deployment = format!("{DEPLOYMENTS}/docs");
    let first = digest(&stage.admin.get(&deployment).await?, "language-model");
    assert_eq!(first.len(), 64);

    stage
        .admin
        .patch(&format!("{SECRETS}/llm"), &json!({"metadata": {"labels": {"a": "b"}}}))
        .await?;
    stage.admin.patch(&format!("{SECRETS}/llm"), &key("two")).await?;
    let second = stage
        .admin
        .wait_for(&deployment, |found| digest(found, "language-model") != first)
        .await?;

    stage.admin.delete(&format!("{SECRETS}/llm")).await?;
    stage.admin.wait_for(&path, missing).await?;
    let after = stage.admin.get(&deployment).await?;
    assert_eq!(
        after["spec"]["template"], second["spec"]["template"],
        "pods go on with the key that they have"
    );
    Ok(())
}

#[tokio::test]
async fn the_default_guardrails_policy_is_copied_kept_current_and_removed_with_its_use() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let mut spec = local();
    spec["guardrails"] = json!({"enabled": true});
    stage.ready("docs", &spec).await?;
    let template = "/api/v1/namespaces/kaito-ragengine/configmaps/ragengine-guardrails-policy-template";
    let copy = format!("{CONFIG_MAPS}/docs-guardrails-policy");
    let original = stage.admin.get(template).await?["data"].clone();
    let deployment = stage.admin.get(&format!("{DEPLOYMENTS}/docs")).await?;
    assert_eq!(stage.admin.get(&copy).await?["data"], original);
    let before = digest(&deployment, "guardrails");

    let changed = json!({"data": {"guardrails.yaml": "blockMessage: changed\nscanners: []\n"}});
    stage.admin.patch(template, &changed).await?;
    stage
        .admin
        .wait_for(&copy, |found| found["data"] == changed["data"])
        .await?;
    stage
        .admin
        .wait_for(&format!("{DEPLOYMENTS}/docs"), |found| {
            digest(found, "guardrails") != before
        })
        .await?;

    // A policy of the user's own in its place.
    let own = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "own"},
                     "data": {"guardrails.yaml": "scanners: []\n"}});
    stage.admin.create(CONFIG_MAPS, &own).await?;
    let named = json!({"spec": {"guardrails": {"configMapRef": {"name": "own"}}}});
    stage.admin.patch(&format!("{ENGINES}/docs"), &named).await?;
    let uses_own = |found: &Value| {
        let volumes = found["spec"]["template"]["spec"]["volumes"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        volumes.iter().any(|volume| volume["configMap"]["name"] == "own")
    };
    stage.admin.wait_for(&format!("{DEPLOYMENTS}/docs"), uses_own).await?;
    let listed = |list: &Value| {
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items
            .iter()
            .any(|item| item["metadata"]["name"] == "docs-guardrails-policy")
    };
    stage.admin.wait_for(CONFIG_MAPS, |list| !listed(list)).await?;

    stage.admin.delete(&format!("{CONFIG_MAPS}/own")).await?;
    let missing = |engine: &Value| condition(engine, "ServiceReady") == ("False", "ConfigMapNotFound");
    let engine = stage.admin.wait_for(&format!("{ENGINES}/docs"), missing).await?;
    assert!(message(&engine, "ServiceReady").contains("\"own\""));
    assert!(
        stage.admin.exists(template).await?,
        "the installation's own is never deleted"
    );
    Ok(())
}
