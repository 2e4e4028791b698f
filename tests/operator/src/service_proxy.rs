//! Stands in for DNS and kube-proxy: an HTTP proxy through which a client reaches Services by their names.
//!
//! A client that is told to use it (`http_proxy`) asks for `http://<service>.<namespace>.svc/…`, with or without
//! `.svc`, `.svc.cluster.local` and a port, and is led to one of the Service's ready endpoints, picked anew for each
//! request, and from there to the address that the [`crate::kubelet`] lets the pod listen on. Names that are
//! registered lead where the test says. Only HTTP; no session affinity; Services of type ExternalName have no
//! endpoints.

mod endpoints;
mod name;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;

use crate::cluster::Cluster;
use crate::forward::{self, Server};
use crate::kubelet::{Addresses, Kubelet};
use name::Target;

/// An HTTP proxy on a loopback address. It ends when dropped.
pub struct ServiceProxy {
    server: Server,
    shared: Arc<Shared>,
}

struct Shared {
    kubernetes: kube::Client,
    http: reqwest::Client,
    addresses: Addresses,
    registered: Mutex<HashMap<Target, SocketAddr>>,
}

impl ServiceProxy {
    /// Starts it for the Services of a cluster and the pods that a kubelet plays.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(cluster: &Cluster, kubelet: &Kubelet) -> Result<Self> {
        let shared = Arc::new(Shared {
            kubernetes: cluster.client_of_parts().await?,
            http: forward::client(reqwest::Client::builder())?,
            addresses: kubelet.addresses(),
            registered: Mutex::default(),
        });
        let service = Router::new().fallback(answer).with_state(shared.clone());
        let server = Server::start(forward::listener()?, None, service)?;
        Ok(Self { server, shared })
    }

    /// What to set `http_proxy` to.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// A client that uses it.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn client(&self) -> Result<reqwest::Client> {
        let proxy = reqwest::Proxy::http(self.url())?;
        Ok(reqwest::Client::builder().proxy(proxy).build()?)
    }

    /// Lets a base URL such as `http://model.default.svc` lead to a server that is no pod, with or without there being
    /// such a Service. Its path does not count.
    ///
    /// # Errors
    /// When the URL is none of HTTP with a host.
    pub fn register(&self, url: &str, server: SocketAddr) -> Result<()> {
        let uri = url.parse()?;
        let target = Target::of(&uri).with_context(|| format!("{url:?} is no URL of HTTP with a host"))?;
        self.shared.registered.lock().insert(target, server);
        Ok(())
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let Some(target) = Target::of(request.uri()) else {
        let words = format!("{} is not for this proxy: it wants http://<host>/…", request.uri());
        return (StatusCode::BAD_REQUEST, words).into_response();
    };
    let server = match shared.server(&target).await {
        Ok(server) => server,
        Err((status, words)) => return (status, words).into_response(),
    };
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    match forward::forward(&shared.http, request, format!("http://{server}{path}")).await {
        Ok(response) => response,
        Err(error) => {
            let words = format!("no answer from {server} for {target}: {error:?}");
            (StatusCode::BAD_GATEWAY, words).into_response()
        }
    }
}

impl Shared {
    async fn server(&self, target: &Target) -> Result<SocketAddr, (StatusCode, String)> {
        if let Some(server) = self.registered.lock().get(target) {
            return Ok(*server);
        }
        let endpoint = endpoints::pick(&self.kubernetes, target).await?;
        let address = self.addresses.address_of(endpoint.ip()).ok_or_else(|| {
            let words = format!(
                "the kubelet plays no pod with the address {} of {target}",
                endpoint.ip()
            );
            (StatusCode::BAD_GATEWAY, words)
        })?;
        Ok(SocketAddr::new(address, endpoint.port()))
    }
}
