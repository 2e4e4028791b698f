//! A place where scripts run with programs that only seem to be those they call.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A directory with programs, of which each writes its arguments into `log`.
pub(super) struct Programs {
    directory: TempDir,
}

impl Programs {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("bin")).unwrap();
        fs::write(directory.path().join("log"), "").unwrap();
        let programs = Self { directory };
        programs.add("sleep", ":");
        programs
    }

    /// A program that runs `body`, a shell script in which `$HERE` is the directory.
    pub(super) fn add(&self, name: &str, body: &str) {
        let here = self.directory.path().display();
        let script = format!("#!/bin/sh\nset -eu\nHERE='{here}'\necho \"{name} $*\" >>\"$HERE/log\"\n{body}\n");
        let text = self.path("program");
        fs::write(&text, script).unwrap();
        // Not written here: while another test starts a process, that has this one's open files for a moment, and a
        // program that is open to be written to cannot be run.
        let copied = Command::new("install")
            .args(["-m", "755"])
            .args([text, self.path("bin").join(name)])
            .status()
            .unwrap();
        assert!(copied.success());
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file, with the directories that it is in.
    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(super) fn command(&self, script: &str, arguments: &[&str]) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", script, "script"])
            .args(arguments)
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("TMPDIR", self.directory.path())
            .current_dir(self.directory.path());
        command
    }

    pub(super) fn run(&self, script: &str, arguments: &[&str]) -> Output {
        self.command(script, arguments).output().unwrap()
    }

    /// The calls of programs, each with its arguments.
    pub(super) fn calls(&self, of: &str) -> Vec<String> {
        let log = fs::read_to_string(self.path("log")).unwrap();
        let begin = format!("{of} ");
        log.lines()
            .filter(|line| line.starts_with(&begin))
            .map(str::to_owned)
            .collect()
    }
}

/// The files below a directory, each with its text.
pub(super) fn files(directory: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(directory).unwrap().display().to_string();
                found.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// What a program said when it failed.
pub(super) fn complaint(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Stops the test when a program failed.
pub(super) fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
