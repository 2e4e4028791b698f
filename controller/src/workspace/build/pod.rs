//! The pods that serve a model.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, EnvVarSource, LocalObjectReference, ObjectFieldSelector, PodSpec,
    ResourceRequirements, SecretKeySelector,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kaito_api::names::keys;

use super::adapters::{self, Adapters};
use super::{PORT, command, metadata, placement, probes, volumes};
use crate::scheduling;
use crate::workspace::workload::{Runtime, Serving, Weights, Workload};

/// Port on which vLLM tells what is in its cache.
pub(super) const KV_EVENTS_PORT: i32 = 5557;

/// Longest name of a container.
const LONGEST_NAME: usize = 63;

pub(super) fn pod(workload: &Workload, serving: &Serving) -> PodSpec {
    let adapters = adapters::adapters(&serving.adapters);
    let mut volumes = volumes::volumes(serving);
    let mut mounts = volumes::mounts(serving);
    let mut init_containers: Vec<_> = volumes::toolkit_provisioner(serving).into_iter().collect();
    let Adapters {
        volumes: more_volumes,
        mounts: more_mounts,
        init_containers: pullers,
        pull_secrets,
    } = adapters;
    volumes.extend(more_volumes);
    mounts.extend(more_mounts);
    init_containers.extend(pullers);
    // Containers of a pod have different names, and a Workspace, whose name its main container has, may have any.
    for clash in init_containers.iter_mut().filter(|one| one.name == workload.name) {
        clash.name = metadata::part_of_name(&format!("{}.", clash.name), LONGEST_NAME);
    }
    let probes = probes::probes(workload, serving);
    let container = Container {
        name: workload.name.clone(),
        image: Some(serving.image.clone()),
        command: Some(command::command(workload, serving)),
        env: Some(environment(serving)).filter(|all| !all.is_empty()),
        ports: Some(ports(serving)),
        resources: Some(resources(serving)),
        volume_mounts: Some(mounts),
        startup_probe: Some(probes.startup),
        liveness_probe: Some(probes.liveness),
        readiness_probe: Some(probes.readiness),
        // What the program says last, such as that it has too little memory, is then what the condition says.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Container::default()
    };
    PodSpec {
        init_containers: (!init_containers.is_empty()).then_some(init_containers),
        containers: vec![container],
        volumes: Some(volumes),
        image_pull_secrets: (!pull_secrets.is_empty()).then(|| {
            pull_secrets
                .into_iter()
                .map(|name| LocalObjectReference { name })
                .collect()
        }),
        // A model does not talk to Kubernetes, and variables of Services, such as VLLM_PORT of one named "vllm", would
        // be taken for options.
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        affinity: scheduling::affinity(None, &workload.placement.node_labels),
        tolerations: Some(placement::tolerations(&workload.placement, Some(serving))),
        ..PodSpec::default()
    }
}

/// The variables, in KAITO's order.
fn environment(serving: &Serving) -> Vec<EnvVar> {
    let mut all = Vec::new();
    if serving.runtime == Runtime::Vllm {
        let deep_gemm = if serving.model.needs_deep_gemm() { "1" } else { "0" };
        all.push(plain("VLLM_USE_FLASHINFER_SAMPLER", "0"));
        all.push(plain("VLLM_USE_DEEP_GEMM", deep_gemm));
        if serving.needs_cuda_toolkit() {
            all.push(plain("CUDA_HOME", volumes::TOOLKIT_PATH));
        }
        // Where the measurement of speed finds the tokeniser.
        if let Weights::Node { path } = &serving.weights {
            all.push(plain("KAITO_PROCESSOR", path));
        }
    }
    all.extend(serving.token_secret.as_ref().map(|secret| EnvVar {
        name: keys::HUGGING_FACE_TOKEN.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: secret.clone(),
                key: keys::HUGGING_FACE_TOKEN.to_owned(),
                optional: Some(true),
            }),
            ..EnvVarSource::default()
        }),
    }));
    all.extend(serving.adapters.iter().filter_map(|adapter| {
        let strength = adapter.strength.as_ref()?;
        Some(plain(&adapter.name, strength))
    }));
    if serving.is_distributed() {
        all.push(EnvVar {
            name: "POD_INDEX".to_owned(),
            value: None,
            value_from: Some(EnvVarSource {
                field_ref: Some(ObjectFieldSelector {
                    api_version: Some("v1".to_owned()),
                    field_path: "metadata.labels['apps.kubernetes.io/pod-index']".to_owned(),
                }),
                ..EnvVarSource::default()
            }),
        });
    }
    all
}

fn plain(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        value_from: None,
    }
}

fn ports(serving: &Serving) -> Vec<ContainerPort> {
    let port = |name: &str, number| ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    let mut all = vec![port("http", PORT)];
    if serving.runtime == Runtime::Vllm {
        all.push(port("kv-events", KV_EVENTS_PORT));
    }
    all
}

/// All GPUs of the node that the Workspace may use, or one slice.
fn resources(serving: &Serving) -> ResourceRequirements {
    let (name, amount) = match &serving.mig_profile {
        Some(profile) => (placement::mig_resource(profile), "1".to_owned()),
        None => ("nvidia.com/gpu".to_owned(), serving.gpus.count.to_string()),
    };
    let gpus = BTreeMap::from([(name, Quantity(amount))]);
    ResourceRequirements {
        requests: Some(gpus.clone()),
        limits: Some(gpus),
        claims: None,
    }
}
