//! One part of a cluster as a child process.

use std::fmt::Display;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use super::requests::AUDIT_LOG;

/// How many lines of a part's log an error shows.
const LOG_LINES: usize = 30;

/// How to start a part.
pub(super) struct Part {
    name: &'static str,
    command: Command,
    log: PathBuf,
}

/// A running part. Killed when dropped; its log stays.
pub(super) struct Process {
    name: &'static str,
    // Holds the pipe that the child reads: see EXIT_WHEN_STDIN_CLOSES in the Go program.
    child: Child,
    log: PathBuf,
}

impl Part {
    pub(super) fn new(name: &'static str, program: &Path, directory: &Path) -> Self {
        let mut command = Command::new(program);
        // kwok reads a configuration in HOME, and nothing there belongs to the test.
        command
            .current_dir(directory)
            .env("HOME", directory)
            .env("EXIT_WHEN_STDIN_CLOSES", "1")
            // Ctrl-C is for the program that started it, which stops what uses it first.
            .process_group(0);
        Self {
            name,
            command,
            log: directory.join(format!("{name}.log")),
        }
    }

    pub(super) fn arg(mut self, name: &str, value: impl Display) -> Self {
        self.command.arg(format!("{name}={value}"));
        self
    }

    pub(super) fn start(mut self) -> Result<Process> {
        // A file and no pipe: nobody has to go on reading, and it can be looked at while the part runs.
        let log = File::options().create(true).append(true).open(&self.log)?;
        let child = self
            .command
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", self.name))?;
        Ok(Process {
            name: self.name,
            child,
            log: self.log,
        })
    }
}

impl Process {
    /// # Errors
    /// When the part has ended; the error has the end of its log.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}:\n{}", self.name, log_end(&self.log)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The output of a test is shown when it fails, and this may be why.
        if let Err(error) = self.check() {
            eprintln!("{error:#}");
        }
        // Fails only for a process that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last lines of every part's log.
pub(super) fn log_ends(directory: &Path) -> String {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let parts = files
        .map(|file| file.path())
        .filter(|path| path.file_name() != Some(AUDIT_LOG.as_ref()));
    let logs = parts.filter(|path| path.extension() == Some("log".as_ref()));
    logs.map(|path| log_end(&path)).collect()
}

/// The last lines of a log, each with the name of its file.
pub(crate) fn log_end(path: &Path) -> String {
    let log = std::fs::read(path).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    let name = path.file_stem().unwrap_or_default().display();
    let shown = lines.iter().skip(lines.len().saturating_sub(LOG_LINES));
    shown.map(|line| format!("{name}: {line}\n")).collect()
}
