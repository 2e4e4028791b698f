//! The API server fails in every way that it can, and nothing is made twice or left behind.

use std::time::Duration;

use anyhow::Result;
use kaito_operator_tests::fault_proxy::{FaultProxy, Matcher, Reply, Times};
use kaito_operator_tests::operator::{Chart, OperatorOptions};
use serde_json::{Value, json};

use super::{
    CONTROLLER, DEPLOYMENTS, ENGINES, SERVICES, cluster_with_charts, condition, container, engine, is_ready, local,
    stage,
};

fn count(list: &Value) -> usize {
    list["items"].as_array().map_or(0, Vec::len)
}

fn all_ready(wanted: usize) -> impl FnMut(&Value) -> bool {
    move |list| count(list) == wanted && list["items"].as_array().is_some_and(|all| all.iter().all(is_ready))
}

#[tokio::test]
async fn a_killed_api_server_interrupts_and_nothing_is_lost_or_made_twice() -> Result<()> {
    let Some(mut stage) = stage().await? else {
        return Ok(());
    };
    for number in 0..5 {
        stage
            .admin
            .create(ENGINES, &engine(&format!("docs-{number}"), &local()))
            .await?;
    }
    // In the middle of it all.
    stage.admin.wait_for(DEPLOYMENTS, |list| count(list) >= 1).await?;
    stage.cluster.stop_api_server()?;
    stage.cluster.start_api_server().await?;
    stage.admin.wait_for(ENGINES, all_ready(5)).await?;
    // What is done while it was away, as far as the controller can see, is done after it is back.
    stage.cluster.stop_api_server()?;
    stage.cluster.start_api_server().await?;
    stage.admin.delete(&format!("{SERVICES}/docs-0")).await?;
    stage
        .admin
        .patch(
            &format!("{ENGINES}/docs-1"),
            &json!({"spec": {"image": "example.org/new:1"}}),
        )
        .await?;
    stage.admin.wait_for(&format!("{SERVICES}/docs-0"), |_| true).await?;
    let changed = |deployment: &Value| container(deployment)["image"] == "example.org/new:1";
    stage.admin.wait_for(&format!("{DEPLOYMENTS}/docs-1"), changed).await?;
    assert_eq!(count(&stage.admin.get(DEPLOYMENTS).await?), 5);
    for number in 0..5 {
        stage.admin.delete(&format!("{ENGINES}/docs-{number}")).await?;
    }
    stage.admin.wait_for(DEPLOYMENTS, |list| count(list) == 0).await?;
    stage.operator.check()?;
    Ok(())
}

#[tokio::test]
async fn storms_of_conflicts_and_refusals_and_cut_watches_are_ridden_out() -> Result<()> {
    let Some((cluster, installation)) = cluster_with_charts().await? else {
        return Ok(());
    };
    installation.remove_webhooks(&cluster, Chart::Ragengine).await?;
    let faults = FaultProxy::start(&cluster).await?;
    let kubeconfig = faults.kubeconfig(installation.user(Chart::Ragengine)?).await?;
    let options = OperatorOptions::of(Chart::Ragengine)
        .without_webhooks()
        .with("KUBECONFIG", &kubeconfig.display().to_string());
    let mut operator = installation.start(&cluster, &options).await?;
    operator.wait_ready().await?;
    let admin = cluster.admin()?;

    let applies = || Matcher::verb("patch").path("/namespaces/default/");
    faults.answer(applies(), Reply::conflict(), Times::Next(10));
    faults.answer(
        applies(),
        Reply::too_many_requests(Duration::from_secs(1)),
        Times::Next(10),
    );
    faults.answer(
        Matcher::verb("create").path("/controllerrevisions"),
        Reply::internal_error(),
        Times::Next(3),
    );
    faults.answer(applies(), Reply::unavailable(), Times::Next(3));
    for number in 0..5 {
        admin
            .create(ENGINES, &engine(&format!("docs-{number}"), &local()))
            .await?;
    }
    admin.wait_for(ENGINES, all_ready(5)).await?;
    assert_eq!(count(&admin.get(DEPLOYMENTS).await?), 5);
    let revisions = admin
        .get("/apis/apps/v1/namespaces/default/controllerrevisions")
        .await?;
    assert_eq!(count(&revisions), 5);
    assert!(faults.count(&applies()) > 20);

    // Watches that are cut, and such that have expired, see what happened in between.
    faults.close_watches();
    admin.delete(&format!("{SERVICES}/docs-0")).await?;
    admin.wait_for(&format!("{SERVICES}/docs-0"), |_| true).await?;
    faults.expire_watches();
    admin.delete(&format!("{DEPLOYMENTS}/docs-1")).await?;
    admin.wait_for(&format!("{DEPLOYMENTS}/docs-1"), |_| true).await?;
    operator.check()?;
    Ok(())
}

#[tokio::test]
async fn an_engine_that_cannot_be_decoded_is_told_so_and_keeps_nobody_else_waiting() -> Result<()> {
    let Some(mut stage) = stage().await? else {
        return Ok(());
    };
    // An older definition let this in: a number where there is text now.
    let definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ragengines.kaito.sh";
    let strict = stage.admin.get(definition).await?;
    stage
        .installation
        .remove_webhooks(&stage.cluster, Chart::Ragengine)
        .await?;
    let mut loose = strict.clone();
    for version in loose["spec"]["versions"].as_array_mut().into_iter().flatten() {
        version["schema"]["openAPIV3Schema"] = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    }
    let current = stage.admin.get(definition).await?;
    loose["metadata"] = current["metadata"].clone();
    loose["spec"]["conversion"] = current["spec"]["conversion"].clone();
    stage.admin.replace(definition, &loose).await?;
    let broken = engine(
        "broken",
        &json!({"embedding": {"local": {"modelID": 5}}, "replicas": "many"}),
    );
    stage.admin.wait_for(ENGINES, |_| true).await?;
    let path = format!("{ENGINES}/broken");
    loop {
        // Until the API server has learned of the looser definition.
        if stage.admin.try_create(ENGINES, &broken).await?.status.is_success() {
            break;
        }
        stage.operator.check()?;
    }
    stage
        .admin
        .wait_for(&path, |engine| condition(engine, "Ready") == ("False", "InvalidSpec"))
        .await?;
    stage.ready("good", &local()).await?;
    stage.admin.delete(&path).await?;
    stage.admin.wait_for(ENGINES, |list| count(list) == 1).await?;
    Ok(())
}

#[tokio::test]
async fn an_object_that_the_api_server_refuses_is_told_in_the_condition() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let mut spec = local();
    // The schema of an engine cannot know that a limit may not be below a request; the Deployment's can.
    spec["resources"] = json!({"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}});
    stage.admin.create(ENGINES, &engine("docs", &spec)).await?;
    let refused = |engine: &Value| condition(engine, "ServiceReady") == ("False", "Refused");
    let found = stage.admin.wait_for(&format!("{ENGINES}/docs"), refused).await?;
    assert!(
        super::message(&found, "ServiceReady").contains("must be less than or equal to memory limit"),
        "{found}"
    );
    let mended = json!({"spec": {"resources": {"limits": {"memory": "4Gi"}}}});
    stage.admin.patch(&format!("{ENGINES}/docs"), &mended).await?;
    stage.admin.wait_for(&format!("{ENGINES}/docs"), is_ready).await?;
    assert!(stage.cluster.requests(CONTROLLER)?.len() < 500, "it backs off");
    Ok(())
}
