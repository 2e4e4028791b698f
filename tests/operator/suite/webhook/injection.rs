//! The objects that tell the API server where the webhooks are.

use anyhow::Result;
use kaito_operator_tests::cluster::{Cluster, cluster_or_skip};
use serde_json::{Value, json};

use super::{CONFIGURATION, CONFIGURATIONS, CRD, SECRET, asked_by_the_api_server, ca_bundle, configuration, decoded};
use super::{free_address, install, settings, start};

/// What the webhooks have written so far.
fn writes(cluster: &Cluster, agent: &str) -> Result<Vec<(String, String)>> {
    let requests = cluster.requests(agent)?;
    let mut writes: Vec<_> = requests
        .into_iter()
        .filter(kaito_operator_tests::cluster::Request::is_write)
        .map(|request| (request.verb, request.object_ref.name))
        .collect();
    writes.sort();
    Ok(writes)
}

fn written(all: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut all: Vec<_> = all
        .iter()
        .map(|&(verb, name)| (verb.to_owned(), name.to_owned()))
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn the_authority_is_injected_kept_and_otherwise_left_alone() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let admin = install(&cluster).await?;
    let address = free_address()?;
    let running = start(&cluster, settings(address)?, "webhooks").await?;
    let has_bundle = |object: &Value| !ca_bundle(object).is_empty();
    let crd = admin.wait_for(CRD, has_bundle).await?;
    let secret = admin.get(SECRET).await?;
    assert_eq!(ca_bundle(&crd), decoded(&secret["data"]["ca-cert.pem"]));
    let config = &crd["spec"]["conversion"]["webhook"]["clientConfig"];
    assert_eq!(config["url"], format!("https://{address}/convert"));
    assert!(config["service"].is_null());

    // What appears later is found.
    admin.create(CONFIGURATIONS, &configuration("ragengine")).await?;
    let injected = admin.wait_for(CONFIGURATION, has_bundle).await?;
    let mut expected = configuration("ragengine")["webhooks"].clone();
    expected[0]["clientConfig"] =
        json!({"url": format!("https://{address}/validate/ragengine.kaito.sh"), "caBundle": config["caBundle"]});
    for member in ["clientConfig", "failurePolicy", "rules", "timeoutSeconds"] {
        let (live, expected) = (&injected["webhooks"][0][member], &expected[0][member]);
        if member == "rules" {
            assert_eq!(live[0]["resources"], expected[0]["resources"]);
        } else {
            assert_eq!(live, expected, "{member}");
        }
    }
    // Nobody else's field became ours.
    let managers = injected["metadata"]["managedFields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let ours: Vec<_> = managers
        .iter()
        .filter(|entry| entry["fieldsV1"].to_string().contains("f:caBundle"))
        .collect();
    assert_eq!(ours.len(), 1);
    assert!(!ours[0]["fieldsV1"].to_string().contains("f:rules"), "{}", ours[0]);

    // What helm does on an upgrade: first something that does not matter, then something that does.
    let label = json!({"metadata": {"labels": {"a": "b"}}});
    for path in [CRD, CONFIGURATION, SECRET] {
        admin.patch(path, &label).await?;
    }
    let path = "/webhooks/0/clientConfig/caBundle";
    cluster
        .kubectl(&[
            "patch",
            "validatingwebhookconfiguration",
            "validation.ragengine.kaito.sh",
            "--type=json",
            &format!("--patch={}", json!([{"op": "remove", "path": path}])),
        ])
        .await?;
    let again = admin.wait_for(CONFIGURATION, has_bundle).await?;
    assert_eq!(again["webhooks"], injected["webhooks"]);
    admin.delete(CONFIGURATION).await?;
    admin.create(CONFIGURATIONS, &configuration("ragengine")).await?;
    admin.wait_for(CONFIGURATION, has_bundle).await?;
    asked_by_the_api_server(&admin).await?;

    running.stop().await;
    let expected = written(&[
        ("create", "ragengine-webhook-cert"),
        ("patch", "ragengines.kaito.sh"),
        ("patch", "workspaces.kaito.sh"),
        ("patch", "inferencesets.kaito.sh"),
        ("patch", "validation.ragengine.kaito.sh"),
        ("patch", "validation.ragengine.kaito.sh"),
        ("patch", "validation.ragengine.kaito.sh"),
    ]);
    assert_eq!(writes(&cluster, "webhooks")?, expected);

    // Who comes next has nothing to write at all.
    let next = start(&cluster, settings(address)?, "the-next").await?;
    super::eventually("the next one watches", async || {
        let requests = cluster.requests("the-next")?;
        Ok(requests.iter().filter(|request| request.verb == "watch").count() == 7)
    })
    .await?;
    asked_by_the_api_server(&admin).await?;
    next.stop().await;
    assert_eq!(writes(&cluster, "the-next")?, []);
    Ok(())
}
