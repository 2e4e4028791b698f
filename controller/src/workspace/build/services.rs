//! How a model is reached, and how its pods find each other.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kaito_api::names::labels;

use super::metadata::{headless_name, metadata};
use super::pod::KV_EVENTS_PORT;
use super::{PORT, RAY_PORT};
use crate::workspace::workload::{Runtime, Task, Workload};

/// Port of Ray's dashboard.
const DASHBOARD_PORT: i32 = 8265;

pub(super) fn services(workload: &Workload) -> Vec<Service> {
    vec![main(workload), headless(workload)]
}

/// Leads to the first pod, which answers for all.
fn main(workload: &Workload) -> Service {
    let mut selector = workspace(workload);
    selector.push((
        "statefulset.kubernetes.io/pod-name".to_owned(),
        format!("{}-0", workload.name),
    ));
    let kind = if workload.load_balancer {
        "LoadBalancer"
    } else {
        "ClusterIP"
    };
    Service {
        metadata: metadata(workload, workload.name.clone()),
        spec: Some(ServiceSpec {
            type_: Some(kind.to_owned()),
            selector: Some(selector.into_iter().collect()),
            ports: Some(ports(workload)),
            publish_not_ready_addresses: Some(true),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// What a load balancer lets in is the model alone: Ray's ports let anybody run programs on the machine.
fn ports(workload: &Workload) -> Vec<ServicePort> {
    let port = |name: &str, port, target| ServicePort {
        name: Some(name.to_owned()),
        port,
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::Int(target)),
        ..ServicePort::default()
    };
    let mut all = vec![port("http", 80, PORT)];
    if workload.load_balancer {
        return all;
    }
    all.push(port("ray", RAY_PORT, RAY_PORT));
    all.push(port("dashboard", DASHBOARD_PORT, DASHBOARD_PORT));
    if matches!(&workload.task, Task::Preset(serving) if serving.runtime == Runtime::Vllm) {
        all.push(port("kv-events", KV_EVENTS_PORT, KV_EVENTS_PORT));
    }
    all
}

/// Gives each pod a name. Without ports, and before the pods are ready, since they need each other to become so.
fn headless(workload: &Workload) -> Service {
    Service {
        metadata: metadata(workload, headless_name(workload)),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            selector: Some(workspace(workload).into_iter().collect()),
            publish_not_ready_addresses: Some(true),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

fn workspace(workload: &Workload) -> Vec<(String, String)> {
    vec![(labels::WORKSPACE.to_owned(), workload.name.clone())]
}
