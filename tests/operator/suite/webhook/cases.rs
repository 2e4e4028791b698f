//! Every case of `kaito_api::cases`, decided by an API server with its schema, its CEL and our webhooks.

use std::time::Instant;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use kaito_api::cases::{Case, Guard, Verdict, all};
use kaito_operator_tests::cluster::{Api, cluster_or_skip};
use serde_json::{Value, json};

use super::{CONFIGURATIONS, CRD, DRY_RUN, RELEASE, asked_by_the_api_server, ca_bundle, configuration, free_address};
use super::{engine, install, refusal, settings, start};

/// Requests at the same time.
const PARALLEL: usize = 16;

fn collection(case: &Case, namespace: &str) -> String {
    let plural = format!("{}s", case.kind.to_ascii_lowercase());
    format!("/apis/kaito.sh/{}/namespaces/{namespace}/{plural}", case.version)
}

/// Each change has a namespace of its own, since many cases have the same name.
fn namespace(index: usize, case: &Case) -> String {
    match case.old {
        Some(_) => format!("case-{index}"),
        None => "cases".to_owned(),
    }
}

/// Makes what a case needs before it.
async fn prepare(admin: &Api, index: usize, case: &Case) -> Result<Option<Value>> {
    let Some(old) = &case.old else {
        return Ok(None);
    };
    let namespace = namespace(index, case);
    make_namespace(admin, &namespace).await?;
    let made = admin.create(&collection(case, &namespace), old).await;
    Ok(Some(made.with_context(|| format!("{} {}", case.kind, case.rule))?))
}

/// A namespace with the ConfigMap that some cases name.
async fn make_namespace(admin: &Api, name: &str) -> Result<()> {
    admin
        .create("/api/v1/namespaces", &json!({"metadata": {"name": name}}))
        .await?;
    let options = json!({
        "metadata": {"name": "own-options"},
        "data": {"inference_config.yaml": "vllm: {max-model-len: 4096}", "training_config.yaml": "training_config: {}"},
    });
    admin
        .create(&format!("/api/v1/namespaces/{name}/configmaps"), &options)
        .await?;
    Ok(())
}

/// What is wrong with the API server's answer, if anything.
async fn decide(admin: &Api, index: usize, case: &Case, old: Option<&Value>) -> Option<String> {
    let collection = collection(case, &namespace(index, case));
    let said = match old {
        None => refusal(admin, &format!("{collection}?{DRY_RUN}"), &case.object).await,
        Some(old) => {
            let mut object = case.object.clone();
            object["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
            let name = old["metadata"]["name"].as_str().unwrap_or_default();
            let answer = admin.replace(&format!("{collection}/{name}?{DRY_RUN}"), &object).await;
            answer.err().map(|error| format!("{error:#}")).unwrap_or_default()
        }
    };
    let is_right = match &case.verdict {
        Verdict::Accept => said.is_empty(),
        Verdict::Reject(message) => {
            let by_webhook = said.contains("admission webhook \"validation.");
            said.contains(message.as_str()) && by_webhook == (case.guard == Guard::Webhook)
        }
    };
    let Case {
        kind,
        version,
        rule,
        example,
        verdict,
        guard,
        ..
    } = case;
    (!is_right).then(|| format!("{kind} {version} {rule} {example} by {guard:?}: {verdict:?}, but {said:?}"))
}

#[tokio::test]
async fn every_case_is_decided_as_it_says() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let admin = install(&cluster).await?;
    make_namespace(&admin, "cases").await?;
    let policy = json!({
        "metadata": {"name": "ragengine-guardrails-policy-template"}, "data": {"guardrails.yaml": "scanners: []"},
    });
    admin
        .create(&format!("/api/v1/namespaces/{RELEASE}/configmaps"), &policy)
        .await?;
    let running = start(&cluster, settings(free_address()?)?, "webhooks").await?;
    // Objects to change are made before admission begins, since some of them no longer are let in.
    admin.wait_for(CRD, |crd| !ca_bundle(crd).is_empty()).await?;
    let probe = "/apis/kaito.sh/v1alpha1/namespaces/default/workspaces?dryRun=All";
    let workspace = json!({
        "apiVersion": "kaito.sh/v1alpha1", "kind": "Workspace", "metadata": {"name": "probe"},
        "resource": {"labelSelector": {"matchLabels": {"a": "b"}}}, "inference": {"preset": {"name": "phi-4"}},
    });
    super::eventually("both kinds are converted", async || {
        let engines = format!("{}?{DRY_RUN}", super::OLD_ENGINES);
        Ok(refusal(&admin, probe, &workspace).await.is_empty()
            && refusal(&admin, &engines, &engine("v1alpha1", "probe")).await.is_empty())
    })
    .await?;

    let cases = all().map_err(anyhow::Error::msg)?;
    let started = Instant::now();
    let olds: Vec<_> = stream::iter(cases.iter().enumerate())
        .map(|(index, case)| prepare(&admin, index, case))
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    for kind in ["ragengine", "workspace", "inferenceset"] {
        admin.create(CONFIGURATIONS, &configuration(kind)).await?;
    }
    asked_by_the_api_server(&admin).await?;
    let bad = json!({
        "apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": "probe"},
        "resource": {"instanceType": "Standard_Bad", "labelSelector": {"matchLabels": {"a": "b"}}},
        "inference": {"preset": {"name": "phi-4"}},
    });
    let workspaces = format!("/apis/kaito.sh/v1beta1/namespaces/default/workspaces?{DRY_RUN}");
    super::eventually("workspaces on unknown machines are refused", async || {
        Ok(refusal(&admin, &workspaces, &bad)
            .await
            .contains("Unsupported instance type"))
    })
    .await?;

    let wrong: Vec<String> = stream::iter(cases.iter().enumerate().zip(&olds))
        .map(|((index, case), old)| decide(&admin, index, case, old.as_ref()))
        .buffered(PARALLEL)
        .filter_map(async |wrong| wrong)
        .collect()
        .await;
    println!("{} cases took {:?}", cases.len(), started.elapsed());
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    running.stop().await;
    Ok(())
}
