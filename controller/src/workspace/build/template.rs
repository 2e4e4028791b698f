//! The StatefulSet of pods that the user wrote.

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::metadata::{label_selector, own_labels, revised_metadata, selector};
use super::placement;
use super::stateful_set::replicas;
use crate::scheduling;
use crate::workspace::workload::{Placement, Template, Workload};

/// As KAITO's, it has no `serviceName`, and its pods start one after the other: neither can be changed later.
pub(super) fn stateful_set(workload: &Workload, template: &Template) -> StatefulSet {
    let PodTemplateSpec { metadata, spec } = template.pods.clone();
    StatefulSet {
        metadata: revised_metadata(workload, workload.name.clone()),
        spec: Some(StatefulSetSpec {
            replicas: Some(replicas(template.nodes)),
            selector: label_selector(workload),
            template: PodTemplateSpec {
                metadata: Some(with_our_labels(metadata.unwrap_or_default(), workload)),
                spec: Some(on_our_nodes(spec.unwrap_or_default(), &workload.placement)),
            },
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}

/// The user's labels; but pods are found by ours.
fn with_our_labels(metadata: ObjectMeta, workload: &Workload) -> ObjectMeta {
    let mut labels = own_labels(workload);
    labels.extend(metadata.labels.unwrap_or_default());
    labels.extend(selector(workload));
    ObjectMeta {
        labels: Some(labels),
        annotations: metadata.annotations,
        ..ObjectMeta::default()
    }
}

/// The user's affinity and tolerations, and what it takes to get onto the Workspace's nodes and no others.
fn on_our_nodes(spec: PodSpec, placement: &Placement) -> PodSpec {
    let mut tolerations = spec.tolerations.unwrap_or_default();
    for toleration in placement::tolerations(placement, None) {
        if !tolerations.contains(&toleration) {
            tolerations.push(toleration);
        }
    }
    PodSpec {
        affinity: scheduling::affinity(spec.affinity.as_ref(), &placement.node_labels),
        tolerations: Some(tolerations),
        ..spec
    }
}
