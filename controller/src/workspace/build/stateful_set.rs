//! The StatefulSet of a model that is served.

use std::num::NonZeroU32;

use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec, StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::PodTemplateSpec;

use super::metadata::{headless_name, label_selector, pod_metadata, revised_metadata};
use super::{pod, volumes};
use crate::workspace::workload::{Serving, Workload};

pub(super) fn serving(workload: &Workload, serving: &Serving) -> StatefulSet {
    StatefulSet {
        metadata: revised_metadata(workload, workload.name.clone()),
        spec: Some(StatefulSetSpec {
            replicas: Some(replicas(serving.nodes)),
            service_name: Some(headless_name(workload)),
            selector: label_selector(workload),
            // Pods of one model wait for each other, so they have to start together.
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: None,
            }),
            persistent_volume_claim_retention_policy: Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: Some("Delete".to_owned()),
                when_scaled: Some("Retain".to_owned()),
            }),
            volume_claim_templates: volumes::claim(workload, serving).map(|claim| vec![claim]),
            template: PodTemplateSpec {
                metadata: Some(pod_metadata(workload)),
                spec: Some(pod::pod(workload, serving)),
            },
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}

pub(super) fn replicas(nodes: NonZeroU32) -> i32 {
    i32::try_from(nodes.get()).unwrap_or(i32::MAX)
}
