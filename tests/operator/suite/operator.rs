//! What the tests of the operator expect of the harness that installs and runs it.

use anyhow::Result;
use kaito_operator_tests::cluster::{User, cluster_or_skip};
use kaito_operator_tests::operator::{Chart, Installation, OperatorOptions};

#[tokio::test]
async fn an_installation_has_everything_of_the_charts_but_their_deployments() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let installation = Installation::of(&cluster, &Chart::ALL).await?;
    let admin = cluster.admin()?;
    for path in [
        "/apis/kaito.sh/v1alpha1/ragengines",
        "/apis/kaito.sh/v1beta1/ragengines",
        "/apis/kaito.sh/v1alpha1/workspaces",
        "/apis/kaito.sh/v1beta1/workspaces",
        "/api/v1/namespaces/kaito-ragengine/configmaps/ragengine-guardrails-policy-template",
        "/api/v1/namespaces/kaito-workspace/secrets/workspace-webhook-cert",
        "/api/v1/namespaces/kaito-workspace/services/kaito-workspace-svc",
    ] {
        assert!(admin.exists(path).await?, "{path}");
    }
    let deployments = admin.get("/apis/apps/v1/deployments").await?;
    assert_eq!(deployments["items"], serde_json::json!([]));
    assert_eq!(
        *installation.user(Chart::Workspace)?,
        User::service_account("kaito-workspace", "kaito-workspace-sa")
    );
    let invocation = installation.invocation(Chart::Ragengine)?;
    assert_eq!(invocation.environment["SYSTEM_NAMESPACE"], "kaito-ragengine");
    assert_eq!(invocation.arguments[0], "--controllers=ragengine");
    Ok(())
}

#[tokio::test]
async fn without_their_webhooks_every_example_is_let_in() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let installation = Installation::of(&cluster, &Chart::ALL).await?;
    let admin = cluster.admin()?;
    for chart in Chart::ALL {
        let collection = |version| {
            let resource = chart.resource();
            format!("/apis/kaito.sh/{version}/namespaces/default/{resource}?dryRun=All")
        };
        let refused = admin
            .try_create(&collection("v1beta1"), &chart.example("v1beta1"))
            .await?;
        assert!(refused.status.is_server_error(), "{refused:?}");
        assert!(refused.message().contains("failed calling webhook"), "{refused:?}");

        installation.remove_webhooks(&cluster, chart).await?;
        for version in ["v1alpha1", "v1beta1"] {
            let example = chart.example(version);
            admin.create(&collection(version), &example).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_controller_that_ends_at_once_says_why() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let installation = Installation::of(&cluster, &[Chart::Ragengine]).await?;
    let options = OperatorOptions::of(Chart::Ragengine).with_argument("--no-such-option");
    let mut operator = installation.start(&cluster, &options).await?;
    let error = operator.wait_ready().await.unwrap_err().to_string();
    assert!(error.contains("ended with exit status: 2"), "{error}");
    assert!(error.contains("unexpected argument '--no-such-option'"), "{error}");
    assert!(operator.log().contains("--no-such-option"));
    assert_eq!(operator.terminate().await?.code(), Some(2));
    Ok(())
}

#[tokio::test]
async fn the_controller_runs_with_the_rights_of_its_chart_and_stops_when_asked() -> Result<()> {
    let Some(mut cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    cluster.start_controllers().await?;
    cluster.install_crds(&cluster.crds_of_karpenter()?).await?;
    let installation = Installation::of(&cluster, &Chart::ALL).await?;
    let admin = cluster.admin()?;
    for chart in Chart::ALL {
        let options = OperatorOptions::of(chart);
        let mut killed = installation.start(&cluster, &options).await?;
        killed.wait_ready().await?;
        killed.kill();
        assert!(killed.check().is_err());
        // Another one takes over, at another address.
        let mut operator = installation.start(&cluster, &options).await?;
        operator.wait_ready().await?;
        let metrics = reqwest::get(operator.metrics_url())
            .await?
            .error_for_status()?
            .text()
            .await?;
        assert!(metrics.contains("# EOF"), "{metrics}");
        assert!(operator.cpu_seconds()? > 0.0);
        assert!(operator.resident_bytes()? > 1_000_000);
        let collection = format!("/apis/kaito.sh/v1alpha1/namespaces/default/{}", chart.resource());
        admin.create(&collection, &chart.example("v1alpha1")).await?;
        assert!(operator.terminate().await?.success(), "{}", operator.log());
    }
    let forbidden: Vec<_> = cluster
        .requests("")?
        .into_iter()
        .filter(|request| request.response_status.code == 403)
        .collect();
    assert!(forbidden.is_empty(), "{forbidden:#?}");
    Ok(())
}
