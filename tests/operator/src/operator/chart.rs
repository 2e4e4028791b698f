//! The charts, and what helm makes of them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;

/// A chart of this project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chart {
    /// The RAGEngine controller.
    Ragengine,
    /// The Workspace controller.
    Workspace,
}

impl Chart {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Ragengine, Self::Workspace];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ragengine => "ragengine",
            Self::Workspace => "workspace",
        }
    }

    /// The name of the release and the namespace that its README installs it as.
    pub fn release(self) -> &'static str {
        match self {
            Self::Ragengine => "kaito-ragengine",
            Self::Workspace => "kaito-workspace",
        }
    }

    /// Plural of the kind that it is about.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Ragengine => "ragengines",
            Self::Workspace => "workspaces",
        }
    }

    /// Plurals of all kinds that it brings, each with a definition and a webhook of its own.
    pub fn resources(self) -> &'static [&'static str] {
        match self {
            Self::Ragengine => &["ragengines"],
            Self::Workspace => &["workspaces", "inferencesets"],
        }
    }

    /// Where it is.
    pub fn directory(self) -> PathBuf {
        let charts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts");
        charts.join(self.name())
    }

    /// An object of its kind that every rule lets in, as this version has it.
    pub fn example(self, version: &str) -> Value {
        let version = format!("kaito.sh/{version}");
        match self {
            Self::Ragengine => json!({
                "apiVersion": version,
                "kind": "RAGEngine",
                "metadata": {"name": "example"},
                "spec": {"embedding": {"local": {"modelID": "BAAI/bge-small-en-v1.5"}}},
            }),
            Self::Workspace => json!({
                "apiVersion": version,
                "kind": "Workspace",
                "metadata": {"name": "example"},
                "resource": {
                    "instanceType": "Standard_NV36ads_A10_v5",
                    "labelSelector": {"matchLabels": {"apps": "phi"}},
                },
                "inference": {"preset": {"name": "phi-4-mini-instruct"}},
            }),
        }
    }

    /// An object of each kind that it brings, with the kind's plural, that every rule lets in.
    pub(super) fn examples(self, version: &str) -> Vec<(&'static str, Value)> {
        let mut examples = vec![(self.resource(), self.example(version))];
        if self == Self::Workspace {
            let set = json!({
                "apiVersion": format!("kaito.sh/{version}"),
                "kind": "InferenceSet",
                "metadata": {"name": "example"},
                "spec": {
                    "labelSelector": {"matchLabels": {"apps": "phi"}},
                    "template": {
                        "resource": {"instanceType": "Standard_NV36ads_A10_v5"},
                        "inference": {"preset": {"name": "phi-4-mini-instruct"}},
                    },
                },
            });
            examples.push(("inferencesets", set));
        }
        examples
    }

    /// The objects that the helm among `programs` makes of it, in the order in which it would install them.
    ///
    /// # Errors
    /// When helm refuses; the error has its words.
    pub async fn render(self, programs: &Path, arguments: &[&str]) -> Result<Vec<Value>> {
        let directory = self.directory();
        let directory = directory.to_str().context("the project's path is not UTF-8")?;
        // An option, so that it can be given again: the last one counts.
        let release = ["--name-template", self.release(), "--namespace", self.release()];
        let mut all = vec!["template", directory];
        all.extend(release);
        all.extend(arguments);
        let rendered = helm(programs, &all).await?;
        let documents = serde_yaml_ng::Deserializer::from_str(&rendered);
        let objects = documents.map(|document| Ok(Value::deserialize(document)?));
        objects.filter(|object| !matches!(object, Ok(Value::Null))).collect()
    }
}

/// Runs the helm among `programs`, without a cluster, and returns what it prints.
///
/// # Errors
/// When it fails; the error has its words.
pub async fn helm(programs: &Path, arguments: &[&str]) -> Result<String> {
    let home = tempfile::tempdir()?;
    let output = Command::new(programs.join("helm"))
        .args(arguments)
        // Neither reads nor writes what belongs to the developer.
        .env("HOME", home.path())
        .env_remove("KUBECONFIG")
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot start helm")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "helm {arguments:?} failed: {complaint}");
    Ok(String::from_utf8(output.stdout)?)
}
