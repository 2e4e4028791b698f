//! The volumes of a pod as local directories.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use k8s_openapi::api::core::v1::{Container, PersistentVolumeClaim, Pod, Volume};
use kube::{Api, Client};

use super::objects::{Complaint, Kind, Objects, Reference};
use super::projected_files::{self, Files};

/// Where the volumes of one pod are made, and from what.
pub(super) struct Volumes {
    client: Client,
    namespace: String,
    /// For what goes away with the pod.
    directory: PathBuf,
    /// For what stays: one directory for each claim.
    claims: PathBuf,
    volumes: Vec<Volume>,
}

/// Names and directories of a pod's volumes that are there.
pub(super) type Directories = BTreeMap<String, PathBuf>;

impl Volumes {
    pub(super) fn new(client: &Client, pod: &Pod, directory: PathBuf, claims: PathBuf) -> Self {
        Self {
            client: client.clone(),
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            directory,
            claims,
            volumes: pod
                .spec
                .as_ref()
                .and_then(|spec| spec.volumes.clone())
                .unwrap_or_default(),
        }
    }

    /// Makes the directories, and writes the files whose objects have changed.
    ///
    /// # Errors
    /// What is missing, in a kubelet's words.
    pub(super) async fn write(&self) -> Result<Directories, Complaint> {
        let references = self.volumes.iter().filter_map(reference).collect::<BTreeSet<_>>();
        let objects = Objects::fetch(&self.client, &self.namespace, references)
            .await
            .map_err(|error| error.to_string())?;
        let mut directories = Directories::new();
        for volume in &self.volumes {
            let directory = match &volume.persistent_volume_claim {
                Some(claim) => self.claims.join(self.claim(&claim.claim_name).await?),
                None => self.directory.join(&volume.name),
            };
            let written = match files(volume, &objects) {
                Ok(Some(files)) => projected_files::write(&directory, &files),
                Ok(None) => fs::create_dir_all(&directory),
                Err(complaint) => {
                    let name = &volume.name;
                    return Err(format!("MountVolume.SetUp failed for volume {name:?} : {complaint}"));
                }
            };
            written.map_err(|error| format!("cannot write {directory:?}: {error}"))?;
            directories.insert(volume.name.clone(), directory);
        }
        Ok(directories)
    }

    /// The UID of a claim that is bound: a claim of the same name that is made later is another one.
    async fn claim(&self, name: &str) -> Result<String, Complaint> {
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &self.namespace);
        let claim = claims.get_opt(name).await.map_err(|error| error.to_string())?;
        let claim = claim.ok_or_else(|| format!("persistentvolumeclaim {name:?} not found"))?;
        let phase = claim.status.and_then(|status| status.phase);
        if phase.as_deref() != Some("Bound") {
            return Err(format!(
                "error processing PVC {}/{name}: PVC is not bound",
                self.namespace
            ));
        }
        Ok(claim.metadata.uid.unwrap_or_default())
    }
}

/// Mount paths of a container and the local directories behind them.
pub(super) fn mounts(container: &Container, directories: &Directories) -> Vec<(String, PathBuf)> {
    let mounts = container.volume_mounts.iter().flatten();
    let mounts = mounts.filter_map(|mount| {
        let directory = directories.get(&mount.name)?;
        let local = match &mount.sub_path {
            Some(below) => directory.join(below),
            None => directory.clone(),
        };
        Some((mount.mount_path.clone(), local))
    });
    mounts.collect()
}

fn reference(volume: &Volume) -> Option<Reference> {
    let secret = volume.secret.as_ref().and_then(|secret| secret.secret_name.clone());
    let secret = secret.map(|name| (Kind::Secret, name));
    secret.or_else(|| Some((Kind::ConfigMap, volume.config_map.as_ref()?.name.clone())))
}

/// `None` for a volume that has no files of ours.
fn files(volume: &Volume, objects: &Objects) -> Result<Option<Files>, Complaint> {
    let Some((kind, name)) = reference(volume) else {
        return Ok(None);
    };
    let secret = volume.secret.as_ref();
    let config_map = volume.config_map.as_ref();
    let optional = secret
        .and_then(|secret| secret.optional)
        .or_else(|| config_map?.optional)
        .unwrap_or_default();
    let items = secret
        .and_then(|secret| secret.items.as_deref())
        .or_else(|| config_map?.items.as_deref());
    let Some(data) = objects.data(kind, &name, optional)? else {
        return Ok(Some(Files::new()));
    };
    projected_files::files(data, items, optional).map(Some)
}
