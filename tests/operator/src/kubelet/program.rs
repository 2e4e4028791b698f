//! A container's program as a child process, and all its descendants with it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use super::environment::Environment;

/// What a kubelet keeps of a program's last output as its message.
const MESSAGE_LINES: usize = 80;
const MESSAGE_BYTES: usize = 2048;

/// How to start a program.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Environment,
    /// Its working directory.
    pub(super) directory: PathBuf,
    /// Both of its outputs are appended to it.
    pub(super) log: PathBuf,
}

/// Every program that runs: process id and the pod's UID. `None` when no more may start.
#[derive(Clone)]
pub(super) struct Programs(Arc<Mutex<Option<BTreeMap<u32, String>>>>);

/// A running program. It is killed with its descendants when dropped.
pub(super) struct Program {
    child: Child,
    id: u32,
    programs: Programs,
    log: PathBuf,
    /// Where its output begins in its log.
    pub(super) log_start: u64,
}

/// How a program has ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) exit_code: i32,
    pub(super) signal: Option<i32>,
    /// Its last output.
    pub(super) output: String,
}

impl Launch {
    /// Runs it to its end, without a log, and says whether it ended well and in time.
    pub(super) async fn succeeds(&self, within: Duration) -> bool {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let ended = tokio::time::timeout(within, command.status()).await;
        matches!(ended, Ok(Ok(status)) if status.success())
    }
}

impl Programs {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(BTreeMap::new()))))
    }

    /// Starts a program for a pod.
    pub(super) fn start(&self, launch: &Launch, pod: &str) -> Result<Program> {
        let log = File::options().create(true).append(true).open(&launch.log)?;
        let log_start = log.metadata()?.len();
        let mut command = Command::new(&launch.program);
        command
            .args(&launch.arguments)
            .env_clear()
            .envs(&launch.environment)
            .current_dir(&launch.directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true);
        // Held until the process is entered, so that none is forgotten by `close`.
        let mut running = self.0.lock();
        let running = running.as_mut().context("the kubelet has ended")?;
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {:?}", launch.program))?;
        let id = child.id().context("the process has no id")?;
        running.insert(id, pod.to_owned());
        Ok(Program {
            child,
            id,
            programs: self.clone(),
            log: launch.log.clone(),
            log_start,
        })
    }

    /// The process ids of a pod's programs.
    pub(super) fn of_pod(&self, pod: &str) -> Vec<u32> {
        let running = self.0.lock();
        let of_pod = running.iter().flatten().filter(|(_, owner)| *owner == pod);
        of_pod.map(|(id, _)| *id).collect()
    }

    /// Kills every program, and lets none start any more.
    pub(super) fn close(&self) {
        for id in self.0.lock().take().unwrap_or_default().into_keys() {
            signal(id, Signal::KILL);
        }
    }

    fn remove(&self, id: u32) -> bool {
        self.0
            .lock()
            .as_mut()
            .is_some_and(|running| running.remove(&id).is_some())
    }
}

impl Program {
    /// Waits until it ends by itself. Its descendants, if any are left, are killed.
    pub(super) async fn wait(&mut self) -> End {
        let status = self.child.wait().await;
        if self.programs.remove(self.id) {
            signal(self.id, Signal::KILL);
        }
        let (exit_code, number) = status.map_or((1, None), code);
        End {
            exit_code,
            signal: number,
            output: message(&self.output()),
        }
    }

    pub(super) fn ask_to_end(&self) {
        signal(self.id, Signal::TERM);
    }

    pub(super) fn kill(&self) {
        signal(self.id, Signal::KILL);
    }

    fn output(&self) -> String {
        let mut output = Vec::new();
        let read = File::open(&self.log).and_then(|mut log| {
            log.seek(SeekFrom::Start(self.log_start))?;
            log.read_to_end(&mut output)
        });
        // A log that cannot be read is as good as none.
        let _ = read;
        String::from_utf8_lossy(&output).into_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.programs.remove(self.id) {
            signal(self.id, Signal::KILL);
        }
    }
}

/// As a shell tells it: 128 and the signal's number for a program that a signal has ended.
fn code(status: ExitStatus) -> (i32, Option<i32>) {
    let signal = status.signal();
    let code = status.code().or(signal.map(|signal| signal + 128));
    (code.unwrap_or(1), signal)
}

/// The last lines, as many as a kubelet keeps.
fn message(output: &str) -> String {
    let lines: Vec<&str> = output.split_inclusive('\n').collect();
    let kept = lines.iter().skip(lines.len().saturating_sub(MESSAGE_LINES));
    let kept: String = kept.copied().collect();
    let from = kept.len().saturating_sub(MESSAGE_BYTES);
    let from = kept.ceil_char_boundary(from);
    kept.get(from..).unwrap_or_default().to_owned()
}

/// Signals a process and its descendants. That they have ended already is no error.
fn signal(group: u32, signal: Signal) {
    let group = i32::try_from(group).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        let _ = kill_process_group(group, signal);
    }
}

/// What a log has, if there is one.
pub(super) fn read_log(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_the_end_of_the_output() {
        assert_eq!(message("a\nb\n"), "a\nb\n");
        let many: String = (0..100).map(|line| format!("{line}\n")).collect();
        assert!(message(&many).starts_with("20\n"));
        let long = "é".repeat(2000);
        assert_eq!(message(&long), "é".repeat(1024));
    }
}
