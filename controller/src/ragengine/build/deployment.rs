//! The Deployment of an engine's pods.

mod scheduling;

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, HTTPGetAction, Lifecycle, LifecycleHandler, PodSecurityContext, PodSpec,
    PodTemplateSpec, Probe, SeccompProfile, SecurityContext, SleepAction,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kaito_api::names::annotations;

use super::environment::environment;
use super::{PORT, PORT_NAME, label_selector, metadata, own_labels, volumes};
use crate::names::INPUT_PREFIX;
use crate::ragengine::engine::Engine;

/// User and group that the service runs as. The group owns the volume, so that data of a pod that ran as root, as
/// KAITO's do, can be read.
const USER: i64 = 65_532;
/// Seconds between the news that a pod ends and SIGTERM, in which load balancers stop sending requests to it.
const DRAIN_SECONDS: i64 = 5;
/// Seconds that a pod has to end: the drain, the service's own grace of 25 seconds, and some to spare.
const TERMINATION_SECONDS: i64 = 60;

pub(super) fn deployment(engine: &Engine) -> Deployment {
    let mut metadata = metadata(engine, engine.name.clone());
    let revision = (annotations::RAGENGINE_REVISION.to_owned(), engine.revision.to_string());
    metadata.annotations = Some([revision].into());
    Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            replicas: Some(engine.replicas),
            selector: label_selector(engine),
            strategy: Some(strategy(engine)),
            template: PodTemplateSpec {
                metadata: Some(pod_metadata(engine)),
                spec: Some(pod(engine)),
            },
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

/// One process owns an embedded index and a volume may only be attached to one node, so the old pod goes before the new
/// one comes.
fn strategy(engine: &Engine) -> DeploymentStrategy {
    if engine.storage.is_external() {
        DeploymentStrategy {
            type_: Some("RollingUpdate".to_owned()),
            rolling_update: Some(RollingUpdateDeployment {
                max_surge: Some(IntOrString::Int(1)),
                max_unavailable: Some(IntOrString::Int(0)),
            }),
        }
    } else {
        DeploymentStrategy {
            type_: Some("Recreate".to_owned()),
            rolling_update: None,
        }
    }
}

/// The user's labels and annotations, with ours over them. Digests of what the pods read when they start are among the
/// annotations, so that a change replaces the pods.
fn pod_metadata(engine: &Engine) -> ObjectMeta {
    let mut labels = engine.pods.labels.clone();
    labels.extend(own_labels(engine));
    let mut annotations = engine.pods.annotations.clone();
    annotations.extend(
        engine
            .inputs
            .iter()
            .map(|(role, digest)| (format!("{INPUT_PREFIX}{role}"), digest.clone()))
            .collect::<BTreeMap<_, _>>(),
    );
    ObjectMeta {
        labels: Some(labels),
        annotations: (!annotations.is_empty()).then_some(annotations),
        ..ObjectMeta::default()
    }
}

fn pod(engine: &Engine) -> PodSpec {
    PodSpec {
        containers: vec![container(engine)],
        volumes: Some(volumes::volumes(engine)),
        termination_grace_period_seconds: Some(TERMINATION_SECONDS),
        // The service does not talk to Kubernetes, and variables of Services, such as RAG_PORT of one named "rag",
        // would be taken for its own.
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            fs_group_change_policy: Some("OnRootMismatch".to_owned()),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        node_selector: engine.scheduling.node_selector.clone(),
        affinity: scheduling::affinity(&engine.scheduling),
        tolerations: scheduling::tolerations(&engine.scheduling),
        topology_spread_constraints: scheduling::spread(engine),
        priority_class_name: engine.scheduling.priority_class.clone(),
        ..PodSpec::default()
    }
}

fn container(engine: &Engine) -> Container {
    Container {
        name: engine.name.clone(),
        image: Some(engine.image.clone()),
        env: Some(environment(engine)),
        ports: Some(vec![ContainerPort {
            name: Some(PORT_NAME.to_owned()),
            container_port: PORT,
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        resources: Some(engine.resources.clone()),
        volume_mounts: Some(volumes::mounts(engine)),
        // Loading a model may take minutes, and downloading one longer: half an hour, then the pod starts anew.
        startup_probe: Some(probe("/health", 5, 360)),
        liveness_probe: Some(probe("/health", 10, 6)),
        readiness_probe: Some(probe("/ready", 5, 2)),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                sleep: Some(SleepAction { seconds: DRAIN_SECONDS }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities {
                add: None,
                drop: Some(vec!["ALL".to_owned()]),
            }),
            ..SecurityContext::default()
        }),
        // What the service says last, such as "qdrant is not supported yet", is then what the condition says.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Container::default()
    }
}

fn probe(path: &str, period_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(PORT_NAME.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        failure_threshold: Some(failure_threshold),
        timeout_seconds: Some(3),
        ..Probe::default()
    }
}
