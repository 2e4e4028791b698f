//! `kaito-controller render`: what Workspaces become, without a cluster.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use k8s_openapi::api::core::v1::ConfigMap;
use kaito_api::conversion::convert;
use kaito_api::v1beta1::Workspace;
use kube::ResourceExt;
use serde::Deserialize;
use serde_json::Value;

use crate::options::{MachineOptions, ModelOptions};
use crate::settings::Settings;
use crate::workspace::{Assumptions, RenderError, render};

/// The version of Workspaces that is rendered.
const VERSION: &str = "kaito.sh/v1beta1";
/// Namespace of objects that name none.
const NAMESPACE: &str = "default";
/// Namespace of the installation, which is seen nowhere in what is shown.
const INSTALLATION: &str = "kaito-workspace";
/// Most bytes that are read of all files together.
const LONGEST_INPUT: u64 = 16 << 20;

/// Which Workspaces are shown, and for which installation.
#[derive(Clone, Debug, Args)]
pub struct RenderCommand {
    /// Manifests with Workspaces, and with the ConfigMaps that they name; - for standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The cluster has the StorageClass kaito-local-nvme-disk, for weights on the machines' own disks.
    #[arg(long)]
    local_nvme: bool,
    #[command(flatten)]
    models: ModelOptions,
    #[command(flatten)]
    machines: MachineOptions,
}

/// Why nothing can be shown.
#[derive(Debug, thiserror::Error)]
enum RenderFailure {
    /// A file.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// More than manifests have.
    #[error("the files have more than {} MiB; give fewer of them", LONGEST_INPUT >> 20)]
    TooLong,
    /// What is in it.
    #[error("{} is not YAML: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_yaml_ng::Error,
    },
    /// An object.
    #[error("{kind} {name:?} cannot be understood: {problem}")]
    Decode {
        /// What it says it is.
        kind: String,
        /// Its name.
        name: String,
        /// Why.
        problem: String,
    },
    /// What was built.
    #[error("it cannot be written as YAML: {0}")]
    Write(#[from] serde_yaml_ng::Error),
    /// Only other things are there.
    #[error("there is no Workspace (kaito.sh) in these files")]
    NoWorkspace,
    /// It asks for something that cannot be had.
    #[error("Workspace {name:?}: {source}")]
    Refuse {
        /// Its name.
        name: String,
        /// What, and what to do.
        source: RenderError,
    },
}

/// Shows them on standard output, as YAML. The exit code is 0 when all could be shown, and else 1.
pub fn main(command: &RenderCommand) -> ExitCode {
    match rendered(command) {
        Ok(text) => {
            // Whoever closes the pipe early has read enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn rendered(command: &RenderCommand) -> Result<String, RenderFailure> {
    let mut room = LONGEST_INPUT;
    let mut manifests = Vec::new();
    for path in &command.files {
        manifests.extend(documents(path, &mut room)?);
    }
    let settings = Settings::without_engines(&command.models, &command.machines, INSTALLATION.to_owned());
    let assumptions = Assumptions::installed_in(INSTALLATION).local_disks(command.local_nvme);
    text(manifests, assumptions, &settings)
}

/// The objects of all Workspaces among `manifests`, as one YAML text.
fn text(manifests: Vec<Value>, mut assumptions: Assumptions, settings: &Settings) -> Result<String, RenderFailure> {
    let mut workspaces = Vec::new();
    for manifest in manifests {
        match Manifest::decode(manifest)? {
            Manifest::Workspace(workspace) => workspaces.push(workspace),
            Manifest::ConfigMap(config_map) => assumptions.add(*config_map),
            Manifest::Other => {}
        }
    }
    if workspaces.is_empty() {
        return Err(RenderFailure::NoWorkspace);
    }
    let mut texts = Vec::new();
    for workspace in &workspaces {
        let built = render(workspace, &assumptions, settings);
        let objects = built.map_err(|source| RenderFailure::Refuse {
            name: workspace.name_any(),
            source,
        })?;
        for mut object in objects {
            // Its owner is not in the cluster yet, and has no uid.
            if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
                metadata.remove("ownerReferences");
            }
            object.sort_all_objects();
            texts.push(serde_yaml_ng::to_string(&object)?);
        }
    }
    Ok(texts.join("---\n"))
}

/// An object that a file has.
enum Manifest {
    Workspace(Box<Workspace>),
    ConfigMap(Box<ConfigMap>),
    /// It has nothing to do with Workspaces.
    Other,
}

impl Manifest {
    fn decode(mut manifest: Value) -> Result<Self, RenderFailure> {
        let part = |pointer: &str| {
            let part = manifest.pointer(pointer).and_then(Value::as_str);
            part.unwrap_or_default().to_owned()
        };
        let (version, kind, name) = (part("/apiVersion"), part("/kind"), part("/metadata/name"));
        let failed = |problem: String| RenderFailure::Decode {
            kind: kind.clone(),
            name: name.clone(),
            problem,
        };
        if let Some(Value::Object(metadata)) = manifest.get_mut("metadata") {
            metadata.entry("namespace").or_insert(NAMESPACE.into());
        }
        if version == "v1" && kind == "ConfigMap" {
            let config_map = serde_json::from_value(manifest).map_err(|error| failed(error.to_string()))?;
            return Ok(Self::ConfigMap(config_map));
        }
        if version.starts_with("kaito.sh/") && kind == "Workspace" {
            let current = convert(manifest, VERSION).map_err(|error| failed(error.to_string()))?;
            let workspace = serde_json::from_value(current).map_err(|error| failed(error.to_string()))?;
            return Ok(Self::Workspace(workspace));
        }
        Ok(Self::Other)
    }
}

/// The documents in a file that are objects, as long as there is room for it.
fn documents(path: &Path, room: &mut u64) -> Result<Vec<Value>, RenderFailure> {
    let failed = |source| RenderFailure::Read {
        path: path.to_owned(),
        source,
    };
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).map_err(failed)?)
    };
    let mut text = String::new();
    let read = source.take(*room + 1).read_to_string(&mut text).map_err(failed)?;
    *room = room.checked_sub(read as u64).ok_or(RenderFailure::TooLong)?;
    let documents = serde_yaml_ng::Deserializer::from_str(&text).map(|document| {
        Value::deserialize(document).map_err(|source| RenderFailure::Parse {
            path: path.to_owned(),
            source,
        })
    });
    let documents = documents.collect::<Result<Vec<_>, _>>()?;
    Ok(documents.into_iter().filter(Value::is_object).collect())
}

#[cfg(test)]
mod tests;
