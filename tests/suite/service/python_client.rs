use std::path::Path;

use anyhow::Result;
use kaito_tests::installed::installed;
use tokio::process::Command;

use super::{Running, succeed};

#[tokio::test]
async fn kaitos_own_client_indexes_lists_retrieves_updates_deletes_persists_and_loads() -> Result<()> {
    let running = Running::start().await?;
    succeed(script(&running)?).await
}

#[tokio::test]
async fn kaitos_own_client_does_so_with_an_api_key_too() -> Result<()> {
    let key = "a-key-for-kaitos-client";
    let running = Running::start_with(&[("RAG_API_KEY", key)]).await?;
    let mut script = script(&running)?;
    script.arg(key);
    succeed(script).await
}

fn script(running: &Running) -> Result<Command> {
    let mut command = Command::new(installed("client-venv/bin/python", "make test")?);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/service/official_client.py"))
        .arg(running.client().base())
        .arg(running.directory.path().join("storage"));
    Ok(command)
}
