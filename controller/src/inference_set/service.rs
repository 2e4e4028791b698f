//! The Service of a set: one address for all its Workspaces. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kaito_api::names::labels;
use kaito_api::v1beta1::InferenceSet;
use kube::ResourceExt;
use kube::core::ObjectMeta;

use super::template::Template;
use crate::names::{FIELD_MANAGER, MANAGED_BY};

/// Where models are asked, on the Service and on pods.
const PORTS: (i32, i32) = (80, 5000);

/// The Service of a set, under its name. Of a Workspace with several pods only the first one answers.
pub(super) fn service(set: &InferenceSet, template: &Template) -> Service {
    let ours = (labels::CREATED_BY_INFERENCE_SET.to_owned(), set.name_any());
    let first = ("apps.kubernetes.io/pod-index".to_owned(), "0".to_owned());
    Service {
        metadata: ObjectMeta {
            name: Some(set.name_any()),
            namespace: set.namespace(),
            labels: Some(BTreeMap::from([
                ours.clone(),
                (MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned()),
            ])),
            owner_references: Some(vec![template.owner().clone()]),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(BTreeMap::from([ours, first])),
            ports: Some(vec![ServicePort {
                name: Some("http".to_owned()),
                protocol: Some("TCP".to_owned()),
                port: PORTS.0,
                target_port: Some(IntOrString::Int(PORTS.1)),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}
