//! What is mounted into the pods that serve a model, and the claim for weights on a machine's fast disk.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, Container, EmptyDirVolumeSource, HostPathVolumeSource, PersistentVolumeClaim,
    PersistentVolumeClaimSpec, Volume, VolumeMount, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kaito_api::names::{keys, labels};

use crate::workspace::workload::{Serving, Weights, Workload};

/// Directory of downloaded weights.
pub(super) const WEIGHTS_PATH: &str = "/workspace/weights";
/// Directory of the CUDA toolkit, on the node and in the container. Its name ends with the version.
pub(super) const TOOLKIT_PATH: &str = "/opt/kaito/cuda/129";
/// Directory of the user's options.
const CONFIG_PATH: &str = "/mnt/config";
/// StorageClass of machines' fast disks.
const NVME_CLASS: &str = "kaito-local-nvme-disk";

const CONFIG: &str = "config-volume";
const WEIGHTS: &str = "model-weights-volume";
const NODE_WEIGHTS: &str = "model-weights-hostpath";
const TOOLKIT: &str = "cuda-toolkit-hostpath";
const SHARED_MEMORY: &str = "dshm";

/// File of the user's options.
pub(super) fn config_file() -> String {
    format!("{CONFIG_PATH}/{}", keys::INFERENCE_CONFIG)
}

/// The volumes, but for that of a claim, which a StatefulSet adds.
pub(super) fn volumes(serving: &Serving) -> Vec<Volume> {
    let config = serving.config.as_ref().map(|config| Volume {
        name: CONFIG.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: config.config_map.clone(),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    });
    let weights = match &serving.weights {
        Weights::Disk => Some(Volume {
            name: WEIGHTS.to_owned(),
            empty_dir: Some(EmptyDirVolumeSource::default()),
            ..Volume::default()
        }),
        Weights::Nvme => None,
        Weights::Node { path } => Some(of_node(NODE_WEIGHTS, path, "Directory")),
    };
    let toolkit = serving
        .needs_cuda_toolkit()
        .then(|| of_node(TOOLKIT, TOOLKIT_PATH, "DirectoryOrCreate"));
    // Processes that share GPUs talk through it, and the default of 64 MiB is too little.
    let shared_memory = Volume {
        name: SHARED_MEMORY.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            medium: Some("Memory".to_owned()),
            size_limit: None,
        }),
        ..Volume::default()
    };
    [config, weights, toolkit, Some(shared_memory)]
        .into_iter()
        .flatten()
        .collect()
}

/// Where they are mounted.
pub(super) fn mounts(serving: &Serving) -> Vec<VolumeMount> {
    let weights = match &serving.weights {
        Weights::Disk | Weights::Nvme => mount(WEIGHTS, WEIGHTS_PATH),
        Weights::Node { path } => read_only(mount(NODE_WEIGHTS, path)),
    };
    let toolkit = serving
        .needs_cuda_toolkit()
        .then(|| read_only(mount(TOOLKIT, TOOLKIT_PATH)));
    [
        serving.config.as_ref().map(|_| mount(CONFIG, CONFIG_PATH)),
        Some(weights),
        toolkit,
        Some(mount(SHARED_MEMORY, "/dev/shm")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The container that puts the CUDA toolkit onto the node, once for all pods there: the lock lets others wait.
pub(super) fn toolkit_provisioner(serving: &Serving) -> Option<Container> {
    let command = [
        "/bin/sh",
        "-c",
        r#"flock "$1" /workspace/cuda-provision.sh "$1""#,
        "sh",
        TOOLKIT_PATH,
    ];
    serving.needs_cuda_toolkit().then(|| Container {
        name: "cuda-toolkit-provisioner".to_owned(),
        image: Some(serving.image.clone()),
        command: Some(command.map(str::to_owned).to_vec()),
        volume_mounts: Some(vec![mount(TOOLKIT, TOOLKIT_PATH)]),
        ..Container::default()
    })
}

/// The claim of each pod for the fast disk of its machine.
pub(super) fn claim(workload: &Workload, serving: &Serving) -> Option<PersistentVolumeClaim> {
    let size = Quantity(serving.model.disk_request().quantity());
    (serving.weights == Weights::Nvme).then(|| PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(WEIGHTS.to_owned()),
            labels: Some([(labels::WORKSPACE.to_owned(), workload.name.clone())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: Some(NVME_CLASS.to_owned()),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), size)])),
                limits: None,
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    })
}

/// A volume at a place in the container.
pub(super) fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        ..VolumeMount::default()
    }
}

fn read_only(mount: VolumeMount) -> VolumeMount {
    VolumeMount {
        read_only: Some(true),
        ..mount
    }
}

fn of_node(name: &str, path: &str, kind: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        host_path: Some(HostPathVolumeSource {
            path: path.to_owned(),
            type_: Some(kind.to_owned()),
        }),
        ..Volume::default()
    }
}
