//! The Job that tunes a model, and its copy of the default options of training.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapVolumeSource, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, LocalObjectReference,
    PodSpec, PodTemplateSpec, ResourceRequirements, Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kaito_api::names::{annotations, keys};
use kube::ResourceExt;

use super::images::{self, Pull, Purpose, Push};
use super::{metadata, placement};
use crate::scheduling;
use crate::workspace::workload::{InputSource, Placement, Tuning, TuningOutput, Workload};

/// Port of the program's own figures.
const PORT: i32 = 5000;
/// Longest name of a container.
const LONGEST_NAME: usize = 63;

const SHARED_MEMORY: &str = "dshm";
const WEIGHTS: &str = "model-weights-volume";
const WEIGHTS_PATH: &str = "/workspace/weights";
const CONFIG: &str = "config-volume";
const CONFIG_PATH: &str = "/mnt/config";
const RESULTS: &str = "results-volume";
const DATA: &str = "data-volume";
const DATA_PATH: &str = "/mnt/data";

/// The Job.
pub(super) fn job(workload: &Workload, tuning: &Tuning) -> Job {
    Job {
        metadata: metadata::revised_metadata(workload, workload.name.clone()),
        spec: Some(JobSpec {
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(metadata::own_labels(workload)),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(workload, tuning)),
            },
            ..JobSpec::default()
        }),
        status: None,
    }
}

/// The Workspace's copy of the installation's default options, if it uses them.
pub(super) fn training_config(workload: &Workload, tuning: &Tuning) -> Option<ConfigMap> {
    let text = tuning.config.copy.clone()?;
    Some(ConfigMap {
        metadata: metadata::metadata(workload, tuning.config.config_map.clone()),
        data: Some([(keys::TRAINING_CONFIG.to_owned(), text)].into()),
        ..ConfigMap::default()
    })
}

/// Whether a Job has to be deleted and made anew: a Job's pods cannot be changed, and a tuning that was asked for in
/// other words is another tuning. As long as the revision is the same the Job is left alone, whatever it would be like
/// if it were made now, since hours of work are in it.
pub(crate) fn must_be_recreated(live: &Job, desired: &Job) -> bool {
    let revision = |job: &Job| job.annotations().get(annotations::WORKSPACE_REVISION).cloned();
    revision(live) != revision(desired)
}

/// What the pod consists of beside the container that tunes.
#[derive(Default)]
struct Parts {
    init_containers: Vec<Container>,
    sidecars: Vec<Container>,
    volumes: Vec<Volume>,
    mounts: Vec<VolumeMount>,
    pull_secrets: Vec<LocalObjectReference>,
}

fn pod(workload: &Workload, tuning: &Tuning) -> PodSpec {
    let mut parts = Parts::default();
    add_model(&mut parts, tuning);
    add_output(&mut parts, tuning);
    add_input(&mut parts, tuning);
    // Containers of a pod have different names, and a Workspace, whose name the one that tunes has, may have any.
    let others = parts.init_containers.iter_mut().chain(&mut parts.sidecars);
    for clash in others.filter(|one| one.name == workload.name) {
        clash.name = metadata::part_of_name(&format!("{}.", clash.name), LONGEST_NAME);
    }
    let mut containers = vec![container(workload, tuning, parts.mounts)];
    containers.extend(parts.sidecars);
    PodSpec {
        init_containers: Some(parts.init_containers),
        share_process_namespace: (containers.len() > 1).then_some(true),
        containers,
        volumes: Some(parts.volumes),
        image_pull_secrets: (!parts.pull_secrets.is_empty()).then_some(parts.pull_secrets),
        restart_policy: Some("Never".to_owned()),
        // A training does not talk to Kubernetes, and needs no variables of Services.
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        affinity: scheduling::affinity(None, &workload.placement.node_labels),
        tolerations: Some(tolerations(&workload.placement)),
        ..PodSpec::default()
    }
}

fn container(workload: &Workload, tuning: &Tuning, mounts: Vec<VolumeMount>) -> Container {
    let gpus = tuning.gpus;
    let command = format!(
        "cd /workspace/tfs/ && python3 metrics_server.py & accelerate launch --num_processes={gpus} \
         /workspace/tfs/fine_tuning.py"
    );
    let resources = BTreeMap::from([("nvidia.com/gpu".to_owned(), Quantity(gpus.to_string()))]);
    Container {
        name: workload.name.clone(),
        image: Some(tuning.image.clone()),
        command: Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), command]),
        env: Some(environment(tuning)),
        ports: Some(vec![ContainerPort {
            container_port: PORT,
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        resources: Some(ResourceRequirements {
            requests: Some(resources.clone()),
            limits: Some(resources),
            ..ResourceRequirements::default()
        }),
        volume_mounts: Some(mounts),
        // What the program says last, such as that it has too little memory, is then what the pod's status says.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Container::default()
    }
}

fn environment(tuning: &Tuning) -> Vec<EnvVar> {
    let variable = |name: &str, value: String| EnvVar {
        name: name.to_owned(),
        value: Some(value),
        ..EnvVar::default()
    };
    let modules = tuning.model.tuning().map(|facts| facts.target_modules.join(","));
    modules
        .filter(|modules| !modules.is_empty())
        .map(|modules| variable("DEFAULT_TARGET_MODULES", modules))
        .into_iter()
        .chain([variable(
            "PYTORCH_CUDA_ALLOC_CONF",
            "expandable_segments:True".to_owned(),
        )])
        .collect()
}

fn add_model(parts: &mut Parts, tuning: &Tuning) {
    // Processes that share GPUs talk through it, and the default of 64 MiB is too little.
    parts.volumes.push(Volume {
        name: SHARED_MEMORY.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            medium: Some("Memory".to_owned()),
            size_limit: None,
        }),
        ..Volume::default()
    });
    parts.mounts.push(mount(SHARED_MEMORY, "/dev/shm"));
    parts.volumes.push(empty(WEIGHTS));
    parts.mounts.push(mount(WEIGHTS, WEIGHTS_PATH));
    parts
        .init_containers
        .push(images::weights_downloader(&tuning.weights_image, WEIGHTS, WEIGHTS_PATH));
    parts.volumes.push(Volume {
        name: CONFIG.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: tuning.config.config_map.clone(),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    });
    parts.mounts.push(mount(CONFIG, CONFIG_PATH));
}

fn add_input(parts: &mut Parts, tuning: &Tuning) {
    let volume = match &tuning.input.source {
        InputSource::Urls(urls) => {
            parts.init_containers.push(images::downloader(urls, DATA, DATA_PATH));
            empty(DATA)
        }
        InputSource::Image(source) => {
            let pulled = images::puller(&Pull {
                name: &tuning.input.name,
                purpose: Purpose::TuningInput,
                source,
                volume: DATA,
                mount_root: DATA_PATH,
                target: DATA_PATH,
            });
            parts.init_containers.push(pulled.container);
            parts.volumes.extend(pulled.credentials);
            empty(DATA)
        }
        InputSource::Volume(volume) => named(DATA, volume),
    };
    parts.volumes.push(volume);
    parts.mounts.push(mount(DATA, DATA_PATH));
}

fn add_output(parts: &mut Parts, tuning: &Tuning) {
    let directory = &tuning.config.output_directory;
    parts.mounts.push(mount(RESULTS, directory));
    match &tuning.output {
        TuningOutput::Volume(volume) => parts.volumes.push(named(RESULTS, volume)),
        TuningOutput::Image { image, push_secret } => {
            let pushed = images::pusher(&Push {
                image,
                secret: push_secret,
                model: &tuning.model.served_name(),
                volume: RESULTS,
                directory,
            });
            parts.volumes.extend([empty(RESULTS), pushed.credentials]);
            parts.sidecars.extend(pushed.containers);
            parts.pull_secrets.push(LocalObjectReference {
                name: push_secret.clone(),
            });
        }
    }
}

/// The taint `gpu`, which KAITO's tunings tolerate, and those that pods that serve do.
fn tolerations(placement: &Placement) -> Vec<Toleration> {
    let mut all = vec![Toleration {
        key: Some("gpu".to_owned()),
        operator: Some("Equal".to_owned()),
        effect: Some("NoSchedule".to_owned()),
        ..Toleration::default()
    }];
    all.extend(placement::tolerations(placement, None));
    all
}

fn empty(name: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    }
}

fn named(name: &str, volume: &Volume) -> Volume {
    Volume {
        name: name.to_owned(),
        ..volume.clone()
    }
}

fn mount(volume: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: path.to_owned(),
        ..VolumeMount::default()
    }
}

#[cfg(test)]
mod tests;
