//! A child process that logs to a file, and what Linux tells about it.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::time::{Instant, sleep};

use crate::cluster;

/// How long it may take to end, on a machine that builds something at the same time.
const TERMINATION_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Of clock ticks in `/proc/<id>/stat`; the same on every Linux that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running program. Killed when dropped; its log stays.
pub(super) struct Process {
    child: Child,
    pub(super) log: PathBuf,
}

impl Process {
    /// Starts a program with its output in a file: nobody has to go on reading, as from a pipe, and it can be looked at
    /// while the program runs.
    pub(super) fn start(mut command: Command, log: PathBuf) -> Result<Self> {
        let output = File::create(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self { child, log })
    }

    pub(super) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the program ended with {status}:\n{}", self.log_end()),
        }
    }

    pub(super) fn kill(&mut self) {
        // Fails only for a process that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(super) async fn terminate(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        let id = self.child.id().to_string();
        let sent = tokio::process::Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .await?;
        ensure!(sent.success(), "SIGTERM could not be sent");
        let deadline = Instant::now() + TERMINATION_TIMEOUT;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!(
                    "{TERMINATION_TIMEOUT:?} after SIGTERM, the program still runs:\n{}",
                    self.log_end()
                );
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        let stat = self.proc("stat")?;
        // The name may have spaces; what follows it begins with the third field. The 14th and the 15th are the times in
        // user and in kernel mode.
        let (_, fields) = stat.rsplit_once(')').context("/proc/<id>/stat has no name")?;
        let mut fields = fields.split_whitespace().skip(11);
        let (Some(user), Some(kernel)) = (fields.next(), fields.next()) else {
            bail!("/proc/<id>/stat has no times");
        };
        Ok((user.parse::<f64>()? + kernel.parse::<f64>()?) / TICKS_PER_SECOND)
    }

    pub(super) fn resident_bytes(&self) -> Result<u64> {
        let status = self.proc("status")?;
        let kilobytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"));
        let kilobytes = kilobytes.context("the program has ended, and holds no memory")?;
        Ok(kilobytes.trim().parse::<u64>()? * 1024)
    }

    pub(super) fn log_end(&self) -> String {
        cluster::log_end(&self.log)
    }

    fn proc(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}: the program has ended"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use tempfile::TempDir;

    use super::*;

    fn shell(directory: &TempDir, script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start(command, directory.path().join("shell.log")).unwrap()
    }

    /// Waits until the script has written a line.
    async fn first_line(process: &Process) {
        while !std::fs::read_to_string(&process.log).unwrap().contains('\n') {
            sleep(POLL_INTERVAL).await;
        }
    }

    #[tokio::test]
    async fn one_that_ends_says_how_with_its_log() {
        let directory = TempDir::new().unwrap();
        let mut process = shell(&directory, "echo no such cluster >&2; exit 3");
        process.child.wait().unwrap();
        let error = process.check().unwrap_err().to_string();
        assert_eq!(
            error,
            "the program ended with exit status: 3:\nshell: no such cluster\n"
        );
        assert_eq!(process.terminate().await.unwrap().code(), Some(3));
    }

    #[tokio::test]
    async fn one_that_is_asked_to_stop_may_finish_first() {
        let directory = TempDir::new().unwrap();
        let script = "trap 'echo finished; exit 0' TERM; echo begun; while :; do sleep 0.01; done";
        let mut process = shell(&directory, script);
        first_line(&process).await;
        process.check().unwrap();
        assert!(process.terminate().await.unwrap().success());
        assert_eq!(process.log_end(), "shell: begun\nshell: finished\n");
    }

    #[tokio::test]
    async fn one_that_is_killed_may_not() {
        let directory = TempDir::new().unwrap();
        let mut process = shell(&directory, "trap '' TERM; echo begun; while :; do sleep 0.01; done");
        first_line(&process).await;
        process.kill();
        assert_eq!(process.child.wait().unwrap().signal(), Some(9));
        assert!(process.cpu_seconds().is_err());
        assert!(process.resident_bytes().is_err());
    }

    #[tokio::test]
    async fn what_it_uses_is_counted() {
        let directory = TempDir::new().unwrap();
        let process = shell(&directory, "while :; do :; done");
        // Ends when a tenth of a second was spent, however busy the machine is.
        while process.cpu_seconds().unwrap() < 0.1 {
            sleep(POLL_INTERVAL).await;
        }
        let resident = process.resident_bytes().unwrap();
        assert!((100_000..1_000_000_000).contains(&resident), "{resident}");
    }
}
