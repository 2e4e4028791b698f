use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Running;

/// KAITO's client, in the environment that `make setup` made for it.
fn python() -> Result<PathBuf> {
    let own = std::env::var_os("KAITO_RS_CACHE").map(PathBuf::from);
    let cache = own
        .or_else(|| Some(std::env::home_dir()?.join(".cache/kaito-rs")))
        .context("no home directory")?;
    let python = cache.join("client-venv/bin/python");
    anyhow::ensure!(python.exists(), "{python:?} is missing; run `make setup`");
    Ok(python)
}

#[tokio::test]
async fn kaitos_own_client_indexes_lists_retrieves_updates_deletes_persists_and_loads() -> Result<()> {
    let running = Running::start().await?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/service/official_client.py");
    let output = tokio::process::Command::new(python()?)
        .arg(script)
        .arg(running.client().base())
        .arg(running.directory.path().join("storage"))
        .output()
        .await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    Ok(())
}
