//! Of several copies one works, and another takes over.

use std::time::{Duration, Instant};

use anyhow::Result;
use kaito_operator_tests::operator::{Chart, Operator, OperatorOptions};
use serde_json::{Value, json};

use super::{ENGINES, cluster_with_charts, engine, is_ready, local};

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kaito-ragengine/leases/ef60f9b1.io";
/// What the harness sets, and a retry and some time to work besides.
const LEASE_DURATION: Duration = Duration::from_secs(3);

fn holder(lease: &Value) -> String {
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

/// A copy that calls itself by this name.
fn copy(name: &str) -> OperatorOptions {
    OperatorOptions::of(Chart::Ragengine)
        .without_webhooks()
        .with("HOSTNAME", name)
}

async fn is_leader(operator: &Operator) -> Result<bool> {
    let text = reqwest::get(operator.metrics_url()).await?.text().await?;
    Ok(text.lines().any(|line| line == "leader_election_master_status 1"))
}

#[tokio::test]
async fn only_the_leader_writes_and_a_killed_or_stopped_one_is_followed_by_the_other() -> Result<()> {
    let Some((cluster, installation)) = cluster_with_charts().await? else {
        return Ok(());
    };
    installation.remove_webhooks(&cluster, Chart::Ragengine).await?;
    let admin = cluster.admin()?;
    // A copy that is gone has left a lease behind, and its clock was far ahead of ours.
    let ghost = json!({"metadata": {"name": "ef60f9b1.io"}, "spec": {
        "holderIdentity": "ghost", "leaseDurationSeconds": 3, "renewTime": "2999-01-01T00:00:00.000000Z",
    }});
    admin
        .create("/apis/coordination.k8s.io/v1/namespaces/kaito-ragengine/leases", &ghost)
        .await?;
    let mut first = installation.start(&cluster, &copy("first")).await?;
    first.wait_ready().await?;
    admin
        .wait_for(LEASE, |lease| holder(lease).starts_with("first_"))
        .await?;
    let mut second = installation.start(&cluster, &copy("second")).await?;
    second.wait_ready().await?;
    admin.create(ENGINES, &engine("one", &local())).await?;
    admin.wait_for(&format!("{ENGINES}/one"), is_ready).await?;
    assert!(is_leader(&first).await? && !is_leader(&second).await?);

    let killed = Instant::now();
    first.kill();
    admin
        .wait_for(LEASE, |lease| holder(lease).starts_with("second_"))
        .await?;
    let took = killed.elapsed();
    println!("after a SIGKILL the other copy led after {took:?} of a lease of {LEASE_DURATION:?}");
    assert!(took > Duration::from_secs(1), "not before the lease had ended");
    admin.create(ENGINES, &engine("two", &local())).await?;
    admin.wait_for(&format!("{ENGINES}/two"), is_ready).await?;

    let mut third = installation.start(&cluster, &copy("third")).await?;
    third.wait_ready().await?;
    let status = second.terminate().await?;
    assert!(status.success(), "{status}");
    assert_eq!(second.log().matches("the lease was given back").count(), 1);
    admin
        .wait_for(LEASE, |lease| holder(lease).starts_with("third_"))
        .await?;
    admin.create(ENGINES, &engine("three", &local())).await?;
    admin.wait_for(&format!("{ENGINES}/three"), is_ready).await?;
    Ok(())
}
