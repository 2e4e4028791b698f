//! The real `rag-service` binary as a child process.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

use crate::beside::beside;
use crate::client::Client;

/// How long a service may take until it is ready: the model is loaded and every index opened in this time.
const START_TIMEOUT: Duration = Duration::from_secs(120);

const API_KEY: &str = "RAG_API_KEY";

/// A running service. Killed when dropped.
pub struct Service {
    child: Child,
    client: Client,
    log: tokio::task::JoinHandle<String>,
    log_shown: Arc<AtomicBool>,
}

/// How to start a service.
#[derive(Clone, Debug)]
pub struct ServiceOptions {
    directory: PathBuf,
    address: String,
    variables: Vec<(String, String)>,
}

impl ServiceOptions {
    /// A service with its data and snapshots below a directory, on a free port.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            address: "127.0.0.1:0".to_owned(),
            variables: Vec::new(),
        }
    }

    /// On this address instead of a free port.
    #[must_use]
    pub fn listening_on(mut self, address: &str) -> Self {
        address.clone_into(&mut self.address);
        self
    }

    /// With an environment variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the service and waits until it is ready.
    ///
    /// # Errors
    /// When the binary is missing or the service ends before it is ready; the error then has its log.
    pub async fn start(&self) -> Result<Service> {
        let mut service = self.spawn().await?;
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if service
                .client
                .get("/ready")
                .await
                .is_ok_and(|answer| answer.status.is_success())
            {
                return Ok(service);
            }
            if let Some(status) = service.child.try_wait()? {
                bail!("the service ended with {status}:\n{}", service.log.await?);
            }
            if Instant::now() > deadline {
                bail!("the service was not ready after {START_TIMEOUT:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts the service and waits only until it listens.
    ///
    /// # Errors
    /// When the binary is missing or the service ends before it listens.
    pub async fn spawn(&self) -> Result<Service> {
        let binary = beside("rag-service")?;
        let mut child = Command::new(&binary)
            .env("RAG_LISTEN_ADDRESS", &self.address)
            .env("RAG_DATA_DIR", self.directory.join("data"))
            .env("DEFAULT_VECTOR_DB_PERSIST_DIR", self.directory.join("storage"))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {binary:?}"))?;
        let stderr = child.stderr.take().context("the child has no standard error")?;
        let mut lines = BufReader::new(stderr).lines();
        let mut seen = String::new();
        let address = loop {
            let line = timeout(START_TIMEOUT, lines.next_line())
                .await
                .context("the service does not listen")??;
            let Some(line) = line else {
                bail!("the service ended with {}:\n{seen}", child.wait().await?)
            };
            seen.push_str(&line);
            seen.push('\n');
            if let Some((_, address)) = line.split_once("server.address=") {
                break address.split_whitespace().next().unwrap_or_default().to_owned();
            }
        };
        // Goes on reading, or the child would block on a full pipe.
        let log_shown = Arc::new(AtomicBool::new(false));
        let shown = Arc::clone(&log_shown);
        let log = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if shown.load(Ordering::Relaxed) {
                    eprintln!("{line}");
                }
                seen.push_str(&line);
                seen.push('\n');
            }
            seen
        });
        Ok(Service {
            child,
            client: self.client(format!("http://{address}")),
            log,
            log_shown,
        })
    }

    fn client(&self, base: String) -> Client {
        let client = Client::new(base);
        let own = self.variables.iter().rfind(|(name, _)| name == API_KEY);
        let key = own.map(|(_, key)| key.clone()).or_else(|| std::env::var(API_KEY).ok());
        match key {
            Some(key) => client.with_key(key),
            None => client,
        }
    }
}

impl Service {
    /// A client for this service, with its RAG_API_KEY if it has one.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// From now on passes the service's log lines on to this program's standard error.
    pub fn show_log(&self) {
        self.log_shown.store(true, Ordering::Relaxed);
    }

    /// Kills the process at once, as the kernel or a power cut would.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks the process to stop and waits for it; returns its exit code and its log.
    ///
    /// # Errors
    /// When it does not end in time or was ended by a signal.
    pub async fn stop(mut self) -> Result<(i32, String)> {
        self.terminate().await?;
        let status = timeout(START_TIMEOUT, self.child.wait())
            .await
            .context("the service does not stop")??;
        Ok((
            status.code().context("the service was ended by a signal")?,
            self.log.await?,
        ))
    }

    /// Sends SIGTERM and does not wait.
    ///
    /// # Errors
    /// When the process is gone already.
    pub async fn terminate(&self) -> Result<()> {
        let id = self.child.id().context("the service has ended already")?;
        let sent = Command::new("kill").arg("-TERM").arg(id.to_string()).status().await?;
        if sent.success() {
            Ok(())
        } else {
            bail!("SIGTERM could not be sent")
        }
    }

    /// Waits until the process ends by itself.
    ///
    /// # Errors
    /// When waiting fails.
    pub async fn wait(&mut self) -> Result<std::process::ExitStatus> {
        Ok(self.child.wait().await?)
    }
}
