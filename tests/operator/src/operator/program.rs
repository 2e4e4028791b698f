//! The controller at work.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

use super::process::Process;
use super::{Chart, Invocation, OperatorOptions, webhooks};
use crate::beside::beside;
use crate::cluster::{Api, Cluster};
use crate::ports::free_ports;

/// How long it may take until it is ready, on a machine that builds something at the same time.
const TIMEOUT: Duration = Duration::from_secs(60);
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A running controller. Killed when dropped; its log stays with the cluster.
pub struct Operator {
    chart: Chart,
    process: Process,
    metrics: SocketAddr,
    health: SocketAddr,
    webhook_url: String,
    webhooks: bool,
    http: reqwest::Client,
    admin: Api,
}

impl Operator {
    pub(super) async fn start(cluster: &Cluster, called: &Invocation, options: &OperatorOptions) -> Result<Self> {
        let binary = beside("kaito-controller")?;
        let admin = cluster.admin()?;
        let [metrics, health, webhook] = free_ports(cluster.host())?;
        let mut environment = called.environment.clone();
        let kubeconfig = cluster.kubeconfig(&called.user).await?;
        for (name, value) in [
            ("KUBECONFIG", kubeconfig.display().to_string()),
            ("KAITO_METRICS_BIND_ADDRESS", metrics.to_string()),
            ("KAITO_HEALTH_PROBE_BIND_ADDRESS", health.to_string()),
            ("WEBHOOK_PORT", webhook.port().to_string()),
            ("KAITO_WEBHOOK_URL", format!("https://{webhook}")),
            ("KAITO_LEASE_DURATION", "3s".to_owned()),
            ("KAITO_RENEW_DEADLINE", "2s".to_owned()),
            ("KAITO_RETRY_PERIOD", "500ms".to_owned()),
        ] {
            environment.insert(name.to_owned(), value);
        }
        environment.extend(options.variables.iter().cloned());
        let name = format!("kaito-controller-{}-{}.log", options.chart.name(), health.port());
        let log = cluster.directory().join(name);
        let mut command = Command::new(binary);
        command
            .args(called.arguments.iter().chain(&options.arguments))
            // As in a pod: nothing of the developer's is there.
            .env_clear()
            .envs(&environment)
            .current_dir(cluster.directory());
        Ok(Self {
            chart: options.chart,
            process: Process::start(command, log)?,
            metrics,
            health,
            webhook_url: environment.remove("KAITO_WEBHOOK_URL").unwrap_or_default(),
            webhooks: options.webhooks,
            http: reqwest::Client::builder().no_proxy().timeout(PROBE_TIMEOUT).build()?,
            admin,
        })
    }

    /// Waits until it says that it is ready and, if it has webhooks, the API server asks them.
    ///
    /// # Errors
    /// When it ends, or the time is up; the error has the end of its log.
    pub async fn wait_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            self.check()?;
            let Some(missing) = self.missing().await? else {
                return Ok(());
            };
            if Instant::now() > deadline {
                bail!("after {TIMEOUT:?}, {missing}:\n{}", self.process.log_end());
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// When it has ended; the error has the end of its log.
    pub fn check(&mut self) -> Result<()> {
        self.process.check()
    }

    /// Kills it at once, as a node that fails would. Nothing happens if it has ended already.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks it to stop, as a kubelet would, and waits until it has. If it has ended already, that is its answer.
    ///
    /// # Errors
    /// When it does not end in time; the error has the end of its log.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        self.process.terminate().await
    }

    /// Where its metrics are.
    pub fn metrics_url(&self) -> String {
        format!("http://{}/metrics", self.metrics)
    }

    /// Waits until its metrics have this line: what it knows of the cluster follows a moment later.
    ///
    /// # Errors
    /// When it does not answer, or the time is up; the error has its metrics.
    pub async fn wait_for_metric(&self, line: &str) -> Result<()> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let answer = self.http.get(self.metrics_url()).send().await?;
            let text = answer.error_for_status()?.text().await?;
            if text.lines().any(|found| found == line) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("after {TIMEOUT:?}, {line:?} is not among the metrics:\n{text}");
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Where its webhooks are: `https://host:port`.
    pub fn webhook_url(&self) -> &str {
        &self.webhook_url
    }

    /// Time that it has spent on a processor, in seconds.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu_seconds(&self) -> Result<f64> {
        self.process.cpu_seconds()
    }

    /// Memory that it holds, in bytes.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident_bytes(&self) -> Result<u64> {
        self.process.resident_bytes()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        let log = std::fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The file of its log.
    pub fn log_file(&self) -> &Path {
        &self.process.log
    }

    /// What there is still to wait for.
    async fn missing(&self) -> Result<Option<String>> {
        let answer = self.http.get(format!("http://{}/readyz", self.health)).send().await;
        if !answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(Some("/readyz does not say that it is ready".to_owned()));
        }
        if !self.webhooks {
            return Ok(None);
        }
        webhooks::missing(&self.admin, self.chart, &self.webhook_url).await
    }
}
