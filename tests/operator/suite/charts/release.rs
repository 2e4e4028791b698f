//! A release in a cluster: what an upgrade leaves alone, and what stays when it is uninstalled.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kaito_operator_tests::cluster::{Cluster, User, cluster_or_skip};
use kaito_operator_tests::operator::Chart;
use serde_json::json;

const CHART: Chart = Chart::Ragengine;
const SECRET: &str = "/api/v1/namespaces/kaito-ragengine/secrets/ragengine-webhook-cert";
const POLICY: &str = "/api/v1/namespaces/kaito-ragengine/configmaps/ragengine-guardrails-policy-template";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/kaito-ragengine/deployments/kaito-ragengine";
const CONFIGURATION: &str =
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/validation.ragengine.kaito.sh";
const DEFINITION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ragengines.kaito.sh";
const ENGINES: &str = "/apis/kaito.sh/v1beta1/namespaces/default/ragengines";

async fn helm(cluster: &Cluster, command: &str, arguments: &[&str]) -> Result<String> {
    let directory = CHART.directory().display().to_string();
    let mut all = vec![command, CHART.release(), &directory, "--namespace", CHART.release()];
    all.extend(arguments);
    cluster.helm(&all).await
}

#[tokio::test]
async fn an_upgrade_leaves_alone_what_the_controller_wrote() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let notes = helm(&cluster, "install", &["--create-namespace"]).await?;
    assert!(notes.contains("rollout status deployment/kaito-ragengine"), "{notes}");

    let authority = std::fs::read(cluster.directory().join("authority.crt"))?;
    let authority = STANDARD.encode(authority);
    let controller = User::service_account("kaito-ragengine", "kaito-ragengine-sa");
    let controller = cluster.api(&controller, "controller").await?;
    for (path, object) in [
        (
            SECRET,
            json!({"apiVersion": "v1", "kind": "Secret", "data": {"ca-cert.pem": authority}}),
        ),
        (
            CONFIGURATION,
            json!({
                "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
                "webhooks": [{"name": "validation.ragengine.kaito.sh", "clientConfig": {"caBundle": authority}}],
            }),
        ),
    ] {
        controller.apply(path, "controller", &object).await?.object()?;
    }
    let client = json!({"webhook": {"clientConfig": {"caBundle": authority}}});
    controller
        .patch(DEFINITION, &json!({"spec": {"conversion": client}}))
        .await?;

    let changes = ["--set=replicaCount=2,commonLabels.team=search,webhook.port=8443"];
    helm(&cluster, "upgrade", &changes).await?;
    let admin = cluster.admin()?;
    assert_eq!(admin.get(DEPLOYMENT).await?["spec"]["replicas"], 2);
    let secret = admin.get(SECRET).await?;
    assert_eq!(secret["metadata"]["labels"]["team"], "search");
    assert_eq!(secret["data"]["ca-cert.pem"], authority.as_str());
    let admission = &admin.get(CONFIGURATION).await?["webhooks"][0]["clientConfig"];
    let conversion = &admin.get(DEFINITION).await?["spec"]["conversion"]["webhook"]["clientConfig"];
    for client in [admission, conversion] {
        assert_eq!(client["caBundle"], authority.as_str());
        assert_eq!(client["service"]["port"], 8443);
    }
    Ok(())
}

#[tokio::test]
async fn engines_stay_when_a_release_is_uninstalled_and_the_next_one_takes_them_over() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    helm(&cluster, "install", &["--create-namespace"]).await?;
    admin.wait_for(ENGINES, |_| true).await?;
    cluster
        .helm(&["uninstall", CHART.release(), "--namespace", CHART.release()])
        .await?;
    for gone in [SECRET, POLICY, DEPLOYMENT, CONFIGURATION] {
        assert!(!admin.exists(gone).await?, "{gone}");
    }
    let engine = format!("{ENGINES}/example");
    admin.create(ENGINES, &CHART.example("v1beta1")).await?;
    helm(&cluster, "install", &[]).await?;
    assert!(admin.exists(POLICY).await?);
    assert!(admin.exists(&engine).await?);
    Ok(())
}
