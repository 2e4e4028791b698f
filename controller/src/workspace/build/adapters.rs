//! How adapters get into the pods that serve their model: each is a directory below one.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, EmptyDirVolumeSource, Volume, VolumeMount};

use super::images::{self, Pull, Pulled, Purpose};
use super::metadata::part_of_name;
use super::volumes::mount;
use crate::workspace::workload::{Adapter, AdapterSource};

/// Directory in which the program that serves looks for adapters.
const PATH: &str = "/mnt/adapter";
/// Volume of adapters that are pulled.
const PULLED: &str = "adapter-volume";
/// Longest part of a volume's name: `adapter-volume-` before it leaves so much of 63 characters.
const LONGEST_NAME: usize = 48;

/// What pods get for adapters.
#[derive(Default)]
pub(super) struct Adapters {
    pub(super) volumes: Vec<Volume>,
    pub(super) mounts: Vec<VolumeMount>,
    pub(super) init_containers: Vec<Container>,
    /// Names of Secrets, each once.
    pub(super) pull_secrets: BTreeSet<String>,
}

pub(super) fn adapters(adapters: &[Adapter]) -> Adapters {
    let mut all = Adapters::default();
    let is_pulled = |adapter: &Adapter| matches!(adapter.source, AdapterSource::Image(_));
    if adapters.iter().any(is_pulled) {
        all.volumes.push(Volume {
            name: PULLED.to_owned(),
            empty_dir: Some(EmptyDirVolumeSource::default()),
            ..Volume::default()
        });
        all.mounts.push(mount(PULLED, PATH));
    }
    for adapter in adapters {
        let directory = format!("{PATH}/{}", adapter.name);
        match &adapter.source {
            AdapterSource::Volume(volume) => {
                let volume_name = format!("{PULLED}-{}", part_of_name(&adapter.name, LONGEST_NAME));
                all.mounts.push(mount(&volume_name, &directory));
                all.volumes.push(Volume {
                    name: volume_name,
                    ..(**volume).clone()
                });
            }
            AdapterSource::Image(source) => {
                let Pulled { container, credentials } = images::puller(&Pull {
                    name: &adapter.name,
                    purpose: Purpose::InferenceAdapter,
                    source,
                    volume: PULLED,
                    mount_root: PATH,
                    target: &directory,
                });
                all.init_containers.push(container);
                all.volumes.extend(credentials);
                all.pull_secrets.extend(source.pull_secrets.iter().cloned());
            }
        }
    }
    all
}
