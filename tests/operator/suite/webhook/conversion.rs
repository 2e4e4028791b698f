//! Objects that are written in one version and read in the other.

use anyhow::Result;
use kaito_operator_tests::cluster::cluster_or_skip;
use serde_json::{Value, json};

use super::{CONFIGURATION, CONFIGURATIONS, ENGINES, OLD_ENGINES, asked_by_the_api_server, configuration, engine};
use super::{free_address, install, refusal, settings, start};

/// What identifies an object in any version.
fn identity(object: &Value) -> Value {
    let metadata = &object["metadata"];
    json!([
        metadata["uid"],
        metadata["name"],
        metadata["namespace"],
        metadata["creationTimestamp"],
        metadata["labels"]
    ])
}

#[tokio::test]
async fn an_object_is_read_in_both_versions_without_loss() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let admin = install(&cluster).await?;
    let running = start(&cluster, settings(free_address()?)?, "webhooks").await?;
    admin.create(CONFIGURATIONS, &configuration("ragengine")).await?;
    asked_by_the_api_server(&admin).await?;

    // Written in the old version, with all that only it can say.
    let mut old = engine("v1alpha1", "old");
    old["metadata"]["labels"] = json!({"team": "search"});
    old["spec"]["storage"] = json!({"persistentVolumeClaim": "indexes", "mountPath": "/mnt/data"});
    old["spec"]["queryServiceName"] = json!("query");
    old["spec"]["inferenceService"] = json!({"url": "http://llm/v1/completions", "contextWindowSize": 512});
    let made = admin.create(OLD_ENGINES, &old).await?;
    assert_eq!(made["spec"]["storage"], old["spec"]["storage"]);
    let stored = admin.get(&format!("{ENGINES}/old")).await?;
    assert_eq!(stored["apiVersion"], "kaito.sh/v1beta1");
    assert_eq!(
        stored["spec"]["storage"]["persistentVolume"],
        json!({"persistentVolumeClaim": "indexes", "mountPath": "/mnt/data"})
    );
    assert!(stored["spec"]["queryServiceName"].is_null());
    assert_eq!(identity(&stored), identity(&made));
    let back = admin.get(&format!("{OLD_ENGINES}/old")).await?;
    assert_eq!(back["spec"], made["spec"]);
    assert_eq!(back["metadata"]["annotations"], Value::Null);

    // Written in the new version, with what only it can say, and changed by someone who sees the old one.
    let mut new = engine("v1beta1", "new");
    new["spec"]["replicas"] = json!(1);
    new["spec"]["serviceType"] = json!("ClusterIP");
    new["spec"]["storage"] = json!({"vectorDB": {"engine": "qdrant", "url": "http://qdrant:6333"}});
    let new = admin.create(ENGINES, &new).await?;
    let mut shown = admin.get(&format!("{OLD_ENGINES}/new")).await?;
    assert!(shown["spec"]["replicas"].is_null());
    assert_eq!(identity(&shown), identity(&new));
    shown["metadata"]["labels"] = json!({"team": "search"});
    shown["spec"]["inferenceService"] = json!({"url": "http://llm/v1/completions", "contextWindowSize": 512});
    admin.replace(&format!("{OLD_ENGINES}/new"), &shown).await?;
    let changed = admin.get(&format!("{ENGINES}/new")).await?;
    assert_eq!(changed["metadata"]["labels"]["team"], "search");
    assert_eq!(changed["spec"]["inferenceService"], shown["spec"]["inferenceService"]);
    for kept in ["replicas", "serviceType", "storage", "embedding"] {
        assert_eq!(changed["spec"][kept], new["spec"][kept], "{kept}");
    }

    // Lists are converted as a whole.
    for collection in [ENGINES, OLD_ENGINES] {
        let list = admin.get(collection).await?;
        assert_eq!(list["items"].as_array().map(Vec::len), Some(2), "{collection}");
    }
    running.stop().await;
    Ok(())
}

#[tokio::test]
async fn without_the_webhooks_nothing_is_let_in() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let admin = install(&cluster).await?;
    let running = start(&cluster, settings(free_address()?)?, "webhooks").await?;
    admin.create(CONFIGURATIONS, &configuration("ragengine")).await?;
    asked_by_the_api_server(&admin).await?;
    admin.create(ENGINES, &engine("v1beta1", "before")).await?;
    running.stop().await;
    let said = refusal(&admin, ENGINES, &engine("v1beta1", "one")).await;
    assert!(said.contains("failed calling webhook"), "{said}");
    // What is stored can be read in the version that it is stored in.
    admin.get(&format!("{ENGINES}/before")).await?;
    let said = admin
        .get(&format!("{OLD_ENGINES}/before"))
        .await
        .err()
        .map(|error| error.to_string());
    let said = said.unwrap_or_default();
    assert!(said.contains("conversion webhook"), "{said}");
    // It is the webhook that keeps it out.
    admin.delete(CONFIGURATION).await?;
    super::eventually("engines are let in", async || {
        Ok(admin.create(ENGINES, &engine("v1beta1", "one")).await.is_ok())
    })
    .await
}
