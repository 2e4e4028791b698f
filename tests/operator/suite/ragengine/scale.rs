//! Many engines at once. How many is KAITO_TEST_ENGINES; the figures that the documentation gives are of 500.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::{ENGINES, engine, is_ready, local, stage};

/// Longest time that many engines may take, on a machine that does other things besides.
const PATIENCE: Duration = Duration::from_secs(600);
const MOST_MEMORY: u64 = 128 << 20;

fn wanted() -> usize {
    let asked = std::env::var("KAITO_TEST_ENGINES")
        .ok()
        .and_then(|number| number.parse().ok());
    asked.unwrap_or(100)
}

#[tokio::test]
async fn many_engines_settle_with_few_requests_and_then_nothing_is_written_but_the_lease() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let count = wanted();
    let mut spec = local();
    // So little that the one node has room for all.
    spec["resources"] = json!({"requests": {"cpu": "1m", "memory": "1Mi"}});
    let started = Instant::now();
    futures::stream::iter(0..count)
        .map(|number| {
            let (admin, made) = (stage.admin.clone(), engine(&format!("docs-{number}"), &spec));
            async move { admin.create(ENGINES, &made).await }
        })
        .buffer_unordered(16)
        .try_for_each(async |_| Ok(()))
        .await?;
    let all_ready = |list: &Value| {
        let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
        items.len() == count && items.iter().all(is_ready)
    };
    while !all_ready(&stage.admin.get(ENGINES).await?) {
        anyhow::ensure!(
            started.elapsed() < PATIENCE,
            "{count} engines are not ready after {PATIENCE:?}"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let took = started.elapsed();

    let mut applied: BTreeMap<(String, String), usize> = BTreeMap::new();
    for request in stage.writes()? {
        let object = request.object_ref;
        if ["deployments", "services"].contains(&object.resource.as_str()) {
            *applied.entry((object.resource, object.name)).or_default() += 1;
        }
    }
    assert_eq!(applied.len(), count * 2);
    let most = applied.values().max().copied().unwrap_or_default();
    let often = applied.values().filter(|times| **times > 1).count();
    assert!(most <= 2, "an object was applied {most} times");

    // Idle: from one lease renewal to a later one nothing else is written.
    let others = || -> Result<usize> {
        let writes = stage.writes()?;
        Ok(writes
            .iter()
            .filter(|request| request.object_ref.resource != "leases")
            .count())
    };
    let renewals = || -> Result<usize> {
        let writes = stage.writes()?;
        Ok(writes
            .iter()
            .filter(|request| request.object_ref.resource == "leases")
            .count())
    };
    let (mut before, mut seen) = (others()?, renewals()?);
    let settled = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = others()?;
        if now != before {
            (before, seen) = (now, renewals()?);
            anyhow::ensure!(settled.elapsed() < PATIENCE, "the controller goes on writing");
        } else if renewals()? >= seen + 10 {
            break;
        }
    }
    let (cpu, memory) = (stage.operator.cpu_seconds()?, stage.operator.resident_bytes()?);
    println!(
        "{count} engines: ready after {took:.1?}, {before} writes in all, {often} of {} objects applied twice, {cpu:.1} CPU \
         seconds, {} MiB resident",
        applied.len(),
        memory >> 20,
    );
    assert!(memory < MOST_MEMORY, "{memory} bytes are resident");
    Ok(())
}
