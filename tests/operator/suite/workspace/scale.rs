//! Many Workspaces at once. How many is KAITO_TEST_WORKSPACES; the figures that the documentation gives are of 200.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::{StreamExt, TryStreamExt};
use kaito_operator_tests::cluster::Request;
use serde_json::{Value, json};

use super::{CONTROLLER, Stage, WORKSPACES, is_ready, items, serving, stage};

/// Longest time that many Workspaces may take, on a machine that does other things besides.
const PATIENCE: Duration = Duration::from_secs(900);
const MOST_MEMORY: u64 = 128 << 20;
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// Renewals of the lease between which an idle controller writes nothing else.
const RENEWALS: usize = 10;

/// Models of many kinds, on machines of many kinds; some need several machines, one another runtime.
const MIXED: [(&str, &str, &str); 10] = [
    ("phi-4-mini-instruct", "Standard_NC24ads_A100_v4", "vllm"),
    ("phi-4", "Standard_NV36ads_A10_v5", "vllm"),
    ("mistralai/Mistral-7B-Instruct-v0.3", "Standard_NV36ads_A10_v5", "vllm"),
    ("Qwen/Qwen2.5-Coder-32B-Instruct", "Standard_NC24ads_A100_v4", "vllm"),
    ("phi-3-mini-4k-instruct", "Standard_NV72ads_A10_v5", "transformers"),
    ("openai/gpt-oss-20b", "Standard_NC40ads_H100_v5", "vllm"),
    (
        "mistralai/Ministral-3-3B-Instruct-2512",
        "Standard_NC48ads_A100_v4",
        "vllm",
    ),
    ("Qwen/Qwen3-8B-AWQ", "Standard_NV36ads_A10_v5", "vllm"),
    (
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B",
        "Standard_NC96ads_A100_v4",
        "vllm",
    ),
    ("ibm-granite/granite-4.1-8b", "Standard_NC80adis_H100_v5", "vllm"),
];

fn wanted() -> usize {
    let asked = std::env::var("KAITO_TEST_WORKSPACES")
        .ok()
        .and_then(|number| number.parse().ok());
    asked.unwrap_or(60)
}

fn made(number: usize) -> Value {
    let (preset, instance_type, runtime) = MIXED[number % MIXED.len()];
    let mut made = serving(&format!("model-{number}"), instance_type, preset);
    made["metadata"]["annotations"]["kaito.sh/runtime"] = json!(runtime);
    made
}

#[tokio::test]
async fn many_workspaces_settle_with_few_requests_and_then_nothing_is_written_but_the_lease() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let count = wanted();
    let started = Instant::now();
    futures::stream::iter(0..count)
        .map(|number| {
            let (admin, made) = (stage.admin.clone(), made(number));
            async move { admin.create(WORKSPACES, &made).await }
        })
        .buffer_unordered(16)
        .try_for_each(async |_| Ok(()))
        .await?;
    loop {
        let list = stage.admin.get(WORKSPACES).await?;
        if items(&list).len() == count && items(&list).iter().all(is_ready) {
            break;
        }
        let waiting = items(&list).iter().find(|workspace| !is_ready(workspace));
        ensure!(
            started.elapsed() < PATIENCE,
            "{count} Workspaces are not ready after {PATIENCE:?}, such as {waiting:?}"
        );
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    let took = started.elapsed();

    let mut applied: BTreeMap<(String, String), usize> = BTreeMap::new();
    for request in stage.writes()? {
        let object = request.object_ref;
        if ["statefulsets", "services", "nodeclaims"].contains(&object.resource.as_str())
            && object.subresource.is_empty()
        {
            *applied.entry((object.resource, object.name)).or_default() += 1;
        }
    }
    let of = |resource: &str| applied.keys().filter(|(found, _)| found == resource).count();
    assert_eq!((of("statefulsets"), of("services")), (count, count * 2));
    assert!(of("nodeclaims") >= count, "{} NodeClaims", of("nodeclaims"));
    let most = applied.iter().max_by_key(|(_, times)| **times);
    let often = applied.values().filter(|times| **times > 1).count();
    if let Some(((resource, name), times)) = most.filter(|(_, times)| **times > 2) {
        let log = stage.operator.log();
        let why: Vec<&str> = log.lines().filter(|line| line.contains(&format!("{name:?}"))).collect();
        anyhow::bail!("{resource} {name:?} was applied {times} times: {why:#?}");
    }

    let writes = stage.settled().await?;
    let (cpu, memory) = (stage.operator.cpu_seconds()?, stage.operator.resident_bytes()?);
    println!(
        "{count} Workspaces: ready after {took:.1?}, {writes} writes in all, {often} of {} objects applied twice, {cpu:.1} \
         CPU seconds, {} MiB resident",
        applied.len(),
        memory >> 20,
    );
    assert!(memory < MOST_MEMORY, "{memory} bytes are resident");
    Ok(())
}

impl Stage {
    fn writes(&self) -> Result<Vec<Request>> {
        let all = self.cluster.requests(CONTROLLER)?;
        Ok(all.into_iter().filter(Request::is_write).collect())
    }

    /// Waits until nothing is written from one renewal of the lease to a later one, and returns how many other writes
    /// there were.
    async fn settled(&self) -> Result<usize> {
        let started = Instant::now();
        let (mut before, mut renewed) = (0, 0);
        loop {
            let writes = self.writes()?;
            let leases = writes
                .iter()
                .filter(|write| write.object_ref.resource == "leases")
                .count();
            let others = writes.len() - leases;
            if others != before {
                (before, renewed) = (others, leases);
            } else if leases >= renewed + RENEWALS {
                return Ok(others);
            }
            if started.elapsed() > PATIENCE {
                let last: Vec<String> = writes.iter().rev().take(20).map(|write| write.uri.clone()).collect();
                anyhow::bail!("the controller goes on writing: {last:#?}");
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}
