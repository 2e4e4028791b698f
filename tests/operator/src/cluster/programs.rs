//! Where `.setup/setup.sh cluster` put the programs, and those of them that a test calls once in a while.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Once;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use super::{Cluster, User};
use crate::installed::installed;

const GO_MOD: &str = include_str!("../../../cluster/go/go.mod");

static SKIPPED: Once = Once::new();

/// The directory of the programs.
pub(super) fn find() -> Result<PathBuf> {
    let version = GO_MOD
        .lines()
        .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "))
        .context("tests/cluster/go/go.mod names no version of Kubernetes")?;
    installed(&format!("kubernetes/{version}"), ".setup/setup.sh cluster")
}

/// The directory of etcd, kube-apiserver, kubectl, helm and so on, or `None` and one line on the standard error, past the
/// capture of tests, when it is missing.
///
/// # Errors
/// When it is missing and REQUIRE_CLUSTER is set.
pub fn find_or_skip() -> Result<Option<PathBuf>> {
    match find() {
        Ok(programs) => Ok(Some(programs)),
        Err(error) if std::env::var_os("REQUIRE_CLUSTER").is_some() => Err(error),
        Err(error) => {
            SKIPPED.call_once(|| {
                let _ = writeln!(std::io::stderr(), "SKIPPED: NOTHING IS TESTED ON A CLUSTER: {error:#}");
            });
            Ok(None)
        }
    }
}

impl Cluster {
    /// Runs kubectl as an administrator and returns what it prints.
    ///
    /// # Errors
    /// When it fails; the error has its words.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.run("kubectl", arguments).await
    }

    /// Runs helm as an administrator and returns what it prints.
    ///
    /// # Errors
    /// When it fails; the error has its words.
    pub async fn helm(&self, arguments: &[&str]) -> Result<String> {
        self.run("helm", arguments).await
    }

    /// Applies YAML files of CustomResourceDefinitions and waits until each of their resources is served.
    ///
    /// # Errors
    /// When they are refused or not served in time.
    pub async fn install_crds(&self, files: &[PathBuf]) -> Result<()> {
        let files: Vec<String> = files
            .iter()
            .map(|file| format!("--filename={}", file.display()))
            .collect();
        let mut arguments = vec!["apply", "--server-side", "--output=json"];
        arguments.extend(files.iter().map(String::as_str));
        let printed = self.kubectl(&arguments).await?;
        let mut served = Vec::new();
        for crds in serde_json::Deserializer::from_str(&printed).into_iter::<Value>() {
            served.extend(paths(&crds?));
        }
        ensure!(!served.is_empty(), "there is no CRD that is served in {files:?}");
        let admin = self.admin()?;
        for path in served {
            admin.wait_for(&path, |_| true).await?;
        }
        Ok(())
    }

    /// The CRDs of Karpenter, one YAML file each.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn crds_of_karpenter(&self) -> Result<Vec<PathBuf>> {
        let files = std::fs::read_dir(self.programs().join("karpenter"))?;
        files.map(|file| Ok(file?.path())).collect()
    }

    /// The directory of etcd, kube-apiserver, kubectl, helm and so on.
    pub fn programs(&self) -> &Path {
        &self.parts.programs
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let output = Command::new(self.programs().join(program))
            .args(arguments)
            .env("KUBECONFIG", self.kubeconfig(&User::Admin).await?)
            // Neither reads nor writes what belongs to the developer.
            .env("HOME", self.directory())
            .kill_on_drop(true)
            .output()
            .await?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{program} {arguments:?} failed: {complaint}");
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// The collections, in all namespaces, of each served version of a CRD, or of each CRD in a list.
fn paths(crds: &Value) -> Vec<String> {
    if let Some(items) = crds.get("items").and_then(Value::as_array) {
        return items.iter().flat_map(paths).collect();
    }
    let text = |value: &Value, pointer| {
        value
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (group, plural) = (text(crds, "/spec/group"), text(crds, "/spec/names/plural"));
    let versions = crds.pointer("/spec/versions").and_then(Value::as_array);
    versions
        .into_iter()
        .flatten()
        .filter(|version| version.get("served") == Some(&Value::Bool(true)))
        .map(|version| format!("/apis/{group}/{}/{plural}", text(version, "/name")))
        .collect()
}
