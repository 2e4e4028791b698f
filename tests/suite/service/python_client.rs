use std::path::Path;

use anyhow::Result;
use kaito_tests::installed::installed;
use tokio::process::Command;

use super::{Running, succeed};

#[tokio::test]
async fn kaitos_own_client_indexes_lists_retrieves_updates_deletes_persists_and_loads() -> Result<()> {
    let running = Running::start().await?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/service/official_client.py");
    let python = installed("client-venv/bin/python", "make test")?;
    let mut command = Command::new(python);
    command
        .arg(script)
        .arg(running.client().base())
        .arg(running.directory.path().join("storage"));
    succeed(command).await
}
