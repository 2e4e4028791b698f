//! KAITO's example manifests apply unchanged, and what is made of them is recorded in full.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::{ENGINES, Stage, condition, is_ready, stage};

/// What differs from run to run, or says nothing.
const VOLATILE: [&str; 9] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "managedFields",
    "clusterIP",
    "clusterIPs",
    "kaito.sh/applied",
    "status",
];

fn manifest(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests").join(name);
    path.display().to_string()
}

fn steady(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !VOLATILE.contains(&name.as_str()));
            members.values_mut().for_each(steady);
        }
        Value::Array(items) => items.iter_mut().for_each(steady),
        _ => {}
    }
}

/// The objects of an engine, as they are in the cluster.
async fn objects(stage: &Stage, name: &str) -> Result<String> {
    let mut text = String::new();
    for path in [
        format!("/apis/apps/v1/namespaces/default/deployments/{name}"),
        format!("/api/v1/namespaces/default/services/{name}"),
        format!("/api/v1/namespaces/default/configmaps/{name}-guardrails-policy"),
    ] {
        if stage.admin.exists(&path).await? {
            let mut object = stage.admin.get(&path).await?;
            steady(&mut object);
            object.sort_all_objects();
            text.push_str("---\n");
            text.push_str(&serde_yaml_ng::to_string(&object)?);
        }
    }
    Ok(text)
}

#[tokio::test]
async fn kaitos_examples_apply_unchanged_and_make_what_is_recorded() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    for name in ["cpu.yaml", "qdrant.yaml", "v1alpha1.yaml", "gpu-volume.yaml"] {
        stage.cluster.kubectl(&["apply", "--filename", &manifest(name)]).await?;
    }
    // kwok's pods run whatever is in them, so an engine without a machine and a volume to wait for is ready.
    stage.admin.wait_for(&format!("{ENGINES}/rag-cpu"), is_ready).await?;
    let claims = "/apis/karpenter.sh/v1/nodeclaims";
    let found = stage
        .admin
        .wait_for(claims, |list| {
            list["items"].as_array().is_some_and(|all| all.len() == 1)
        })
        .await?;
    let old = stage
        .admin
        .wait_for(&format!("{ENGINES}/rag-old"), |engine| {
            condition(engine, "ServiceReady").1 == "PersistentVolumeClaimNotFound"
        })
        .await?;
    assert_eq!(condition(&old, "Ephemeral").0, "False");
    for name in ["rag-cpu", "rag-qdrant", "rag-old", "rag-gpu"] {
        let path = format!("/apis/apps/v1/namespaces/default/deployments/{name}");
        stage.admin.wait_for(&path, |_| true).await?;
        insta::assert_snapshot!(format!("objects_of_{name}"), objects(&stage, name).await?);
    }
    let mut claim = found["items"][0].clone();
    let name = claim["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    assert!(name.starts_with("ws") && name.len() == 11, "{name}");
    steady(&mut claim);
    claim["metadata"]["name"] = "ws".into();
    claim.sort_all_objects();
    insta::assert_snapshot!("node_claim_of_rag-gpu", serde_yaml_ng::to_string(&claim)?);

    let table = stage.cluster.kubectl(&["get", "rag"]).await?;
    let header: Vec<_> = table.lines().next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(header, ["NAME", "INSTANCE", "RESOURCEREADY", "SERVICEREADY", "AGE"]);
    assert!(
        table
            .lines()
            .any(|line| line.starts_with("rag-cpu") && line.contains("True")),
        "{table}"
    );
    Ok(())
}
