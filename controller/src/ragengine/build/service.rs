//! How an engine's pods are reached, by whom, and how many of them may be away.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kaito_api::v1beta1::ServiceType;

use super::{PORT, PORT_NAME, label_selector, metadata, selector};
use crate::ragengine::engine::Engine;
use crate::settings::Settings;

/// Port 80, which leads to pods that are ready and to no others.
pub(super) fn service(engine: &Engine) -> Service {
    let kind = match engine.service_type {
        ServiceType::ClusterIP => "ClusterIP",
        ServiceType::NodePort => "NodePort",
        ServiceType::LoadBalancer => "LoadBalancer",
    };
    Service {
        metadata: metadata(engine, engine.name.clone()),
        spec: Some(ServiceSpec {
            type_: Some(kind.to_owned()),
            selector: Some(selector(engine)),
            ports: Some(vec![ServicePort {
                name: Some("http".to_owned()),
                port: 80,
                protocol: Some("TCP".to_owned()),
                target_port: Some(IntOrString::Int(PORT)),
                ..ServicePort::default()
            }]),
            publish_not_ready_addresses: Some(false),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// Only those whom the engine names, or the pods of its namespace; and the controller, which asks for metrics.
pub(super) fn network_policy(engine: &Engine, settings: &Settings) -> Option<NetworkPolicy> {
    let from = engine.network_policy.as_ref()?;
    let mut peers = if from.is_empty() {
        vec![NetworkPolicyPeer {
            pod_selector: Some(LabelSelector::default()),
            ..NetworkPolicyPeer::default()
        }]
    } else {
        from.clone()
    };
    peers.push(NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector {
            match_labels: Some([("kubernetes.io/metadata.name".to_owned(), settings.namespace.clone())].into()),
            match_expressions: None,
        }),
        ..NetworkPolicyPeer::default()
    });
    Some(NetworkPolicy {
        metadata: metadata(engine, engine.name.clone()),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(label_selector(engine)),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(vec![NetworkPolicyIngressRule {
                from: Some(peers),
                ports: Some(vec![NetworkPolicyPort {
                    port: Some(IntOrString::String(PORT_NAME.to_owned())),
                    protocol: Some("TCP".to_owned()),
                    end_port: None,
                }]),
            }]),
            egress: None,
        }),
    })
}

/// One pod at a time, when there are several.
pub(super) fn budget(engine: &Engine) -> Option<PodDisruptionBudget> {
    (engine.replicas > 1).then(|| PodDisruptionBudget {
        metadata: metadata(engine, engine.name.clone()),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(label_selector(engine)),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    })
}
