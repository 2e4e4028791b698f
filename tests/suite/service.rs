//! Behaviour of the running service, one subject a module.

mod authentication;
mod chat;
mod documents;
mod durability;
mod errors;
mod indexing;
mod metrics;
mod python_client;
mod remote_embedding;
mod retrieval;
mod sdks;
mod snapshots;
mod startup;

use std::time::Duration;

use anyhow::{Result, bail};
use kaito_tests::client::Client;
use kaito_tests::service::{Service, ServiceOptions};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::Instant;

/// A service of its own for one test.
struct Running {
    directory: TempDir,
    service: Service,
}

impl Running {
    async fn start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let service = ServiceOptions::new(directory.path()).start().await?;
        Ok(Self { directory, service })
    }

    async fn start_with(variables: &[(&str, &str)]) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut options = ServiceOptions::new(directory.path());
        for (name, value) in variables {
            options = options.with(name, value);
        }
        let service = options.start().await?;
        Ok(Self { directory, service })
    }

    fn client(&self) -> &Client {
        self.service.client()
    }

    /// Waits until `/metrics` has this line.
    async fn metric(&self, line: &str) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            if self.client().metrics().await?.lines().any(|found| found == line) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("{line} did not appear")
    }
}

/// Runs a script to its end, which must be a success.
async fn succeed(mut script: Command) -> Result<()> {
    let output = script.kill_on_drop(true).output().await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    Ok(())
}

fn texts(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| json!({"text": text})).collect()
}

async fn retrieved_texts(client: &Client, request: Value) -> Result<Vec<String>> {
    let results = client.retrieve(&request).await?;
    Ok(results
        .iter()
        .map(|result| result["text"].as_str().unwrap_or_default().to_owned())
        .collect())
}
