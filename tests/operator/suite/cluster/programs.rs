//! kubectl, helm and Karpenter's CRDs.

use anyhow::Result;
use kaito_operator_tests::cluster::cluster_or_skip;
use serde_json::json;

#[tokio::test]
async fn the_crds_of_karpenter_are_served() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    cluster.install_crds(&cluster.crds_of_karpenter()?).await?;
    let claim = json!({
        "apiVersion": "karpenter.sh/v1", "kind": "NodeClaim",
        "metadata": {"name": "claim"},
        "spec": {
            "nodeClassRef": {"group": "karpenter.azure.com", "kind": "AKSNodeClass", "name": "gpu"},
            "requirements": [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}],
        },
    });
    cluster
        .admin()?
        .create("/apis/karpenter.sh/v1/nodeclaims", &claim)
        .await?;
    let listed = cluster.kubectl(&["get", "nodeclaims", "--output=name"]).await?;
    assert_eq!(listed, "nodeclaim.karpenter.sh/claim\n");
    Ok(())
}

#[tokio::test]
async fn helm_installs_a_chart() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let chart = cluster.directory().join("chart");
    std::fs::create_dir_all(chart.join("templates"))?;
    let metadata = "apiVersion: v2\nname: probe\nversion: 1.0.0\nkubeVersion: '>=1.30.0-0'\n";
    std::fs::write(chart.join("Chart.yaml"), metadata)?;
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-probe}\n";
    std::fs::write(chart.join("templates/config-map.yaml"), template)?;
    let chart = chart.display().to_string();
    let rendered = cluster.helm(&["template", "first", &chart]).await?;
    assert!(rendered.contains("first-probe"), "{rendered:?}");
    cluster.helm(&["install", "first", &chart]).await?;
    assert!(
        cluster
            .admin()?
            .exists("/api/v1/namespaces/default/configmaps/first-probe")
            .await?
    );
    Ok(())
}
