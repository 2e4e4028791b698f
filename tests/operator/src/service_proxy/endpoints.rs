//! From a Service to one of its ready endpoints. Read anew for each request.

use std::net::SocketAddr;

use axum::http::StatusCode;
use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use kube::{Api, Client};
use rand::seq::IndexedRandom;

use super::name::Target;

/// A status and words that say why there is no endpoint.
type Refusal = (StatusCode, String);

/// The pod's address and port behind a Service.
pub(super) async fn pick(client: &Client, target: &Target) -> Result<SocketAddr, Refusal> {
    let unknown = || (StatusCode::BAD_GATEWAY, format!("there is no Service {target}"));
    let unreachable = |error| {
        (
            StatusCode::BAD_GATEWAY,
            format!("the API server does not tell: {error}"),
        )
    };
    let (name, namespace) = target.service().ok_or_else(unknown)?;
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    let service = services.get_opt(name).await.map_err(unreachable)?.ok_or_else(unknown)?;
    let port = Port::of(&service, target.port).ok_or_else(|| {
        let words = format!(
            "Service {name:?} in namespace {namespace:?} has no port {}",
            target.port
        );
        (StatusCode::BAD_GATEWAY, words)
    })?;
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), namespace);
    let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={name}"));
    let slices = slices.list(&of_service).await.map_err(unreachable)?;
    let ready: Vec<SocketAddr> = slices.iter().flat_map(|slice| port.ready(slice)).collect();
    ready.choose(&mut rand::rng()).copied().ok_or_else(|| {
        let words = format!("Service {name:?} in namespace {namespace:?} has no ready endpoint");
        (StatusCode::SERVICE_UNAVAILABLE, words)
    })
}

/// How a Service's port is found in its slices.
enum Port {
    /// They give the port of this name.
    Named(Option<String>),
    /// There is no cluster address, so a client talks to the pod at the port that it has named.
    Headless(u16),
}

impl Port {
    fn of(service: &Service, port: u16) -> Option<Self> {
        let spec = service.spec.as_ref()?;
        if spec.cluster_ip.as_deref() == Some("None") {
            return Some(Self::Headless(port));
        }
        let mut ports = spec.ports.iter().flatten();
        let found: &ServicePort = ports.find(|found| found.port == i32::from(port))?;
        Some(Self::Named(found.name.clone()))
    }

    fn ready(&self, slice: &EndpointSlice) -> Vec<SocketAddr> {
        let port = match self {
            Self::Headless(port) => Some(*port),
            Self::Named(name) => {
                // A port without a name has an empty one in a slice.
                let name = name.as_deref().unwrap_or_default();
                let mut ports = slice.ports.iter().flatten();
                let found = ports.find(|port| port.name.as_deref().unwrap_or_default() == name);
                found.and_then(|port| u16::try_from(port.port?).ok())
            }
        };
        let Some(port) = port else {
            return Vec::new();
        };
        let endpoints = slice.endpoints.iter().flatten().filter(|endpoint| {
            let conditions = endpoint.conditions.as_ref();
            // Unknown means ready.
            conditions.and_then(|conditions| conditions.ready).unwrap_or(true)
        });
        endpoints
            .flat_map(|endpoint| &endpoint.addresses)
            .filter_map(|address| Some(SocketAddr::new(address.parse().ok()?, port)))
            .collect()
    }
}
