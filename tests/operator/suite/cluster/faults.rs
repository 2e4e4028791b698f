//! Faults that tests of the operator make.

use std::time::{Duration, Instant};

use anyhow::Result;
use kaito_operator_tests::cluster::cluster_or_skip;
use serde_json::json;

use super::{CONFIG_MAPS, config_map};

#[tokio::test]
async fn a_killed_api_server_comes_back_at_its_address_with_its_data() -> Result<()> {
    let Some(mut cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    admin
        .create(CONFIG_MAPS, &config_map("kept", &json!({"a": "b"})))
        .await?;
    cluster.stop_api_server()?;
    assert!(admin.get(CONFIG_MAPS).await.is_err());
    cluster.start_api_server().await?;
    let kept = admin.get(&format!("{CONFIG_MAPS}/kept")).await?;
    assert_eq!(kept["data"], json!({"a": "b"}));
    Ok(())
}

#[tokio::test]
async fn a_dropped_cluster_leaves_neither_process_nor_file() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    let directory = cluster.directory().to_owned();
    let started = Instant::now();
    drop(cluster);
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(!directory.exists());
    assert!(admin.get(CONFIG_MAPS).await.is_err());
    Ok(())
}
