//! Adapters of a model that is served.

use anyhow::Result;
use serde_json::{Value, json};

use super::{STATEFUL_SETS, pod_spec, serving, stage};

fn with_adapter(adapter: &Value) -> Value {
    let mut served = serving("phi", "Standard_NC24ads_A100_v4", "phi-4-mini-instruct");
    served["inference"]["adapters"] = json!([adapter]);
    served
}

#[tokio::test]
async fn an_adapter_in_an_image_is_pulled_before_the_model_starts() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let source = json!({"name": "legal", "image": "example.org/legal:1", "imagePullSecrets": ["registry"]});
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "registry"},
        "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "{\"auths\": {}}"},
    });
    stage
        .admin
        .create("/api/v1/namespaces/default/secrets", &secret)
        .await?;
    stage.ready(&with_adapter(&json!({"source": source}))).await?;
    let set = stage.admin.get(&format!("{STATEFUL_SETS}/phi")).await?;
    let puller = &pod_spec(&set)["initContainers"][0];
    assert_eq!(puller["name"], "puller-legal");
    assert_eq!(puller["image"], "mcr.microsoft.com/aks/skopeo:1.14.4-6");
    assert_eq!(pod_spec(&set)["imagePullSecrets"], json!([{"name": "registry"}]));
    Ok(())
}

#[tokio::test]
async fn an_adapter_in_a_volume_is_mounted_and_nothing_is_pulled() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let source = json!({"name": "legal", "volumeSource": {"emptyDir": {}}});
    stage.ready(&with_adapter(&json!({"source": source}))).await?;
    let set = stage.admin.get(&format!("{STATEFUL_SETS}/phi")).await?;
    let pod = pod_spec(&set);
    assert!(!pod["initContainers"].to_string().contains("puller"), "{pod}");
    let mounts = pod["containers"][0]["volumeMounts"].to_string();
    assert!(mounts.contains("/mnt/adapter/legal"), "{mounts}");
    Ok(())
}
