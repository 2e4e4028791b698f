//! What the proxies share: a server that ends with its owner, and handing a request on, streaming both ways.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::response::Response;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use futures::TryStreamExt;
use reqwest::header::{
    CONNECTION, HeaderMap, HeaderName, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use tokio_util::task::AbortOnDropHandle;

use crate::cluster::own_loopback_address;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two pieces of an answer; longer than a watch without events or a model that thinks.
const READ_TIMEOUT: Duration = Duration::from_secs(600);

/// A server on a loopback address of its own. All its connections are closed when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    handle: Handle<SocketAddr>,
    _task: AbortOnDropHandle<()>,
}

/// A free address for a server.
pub(crate) fn listener() -> Result<TcpListener> {
    Ok(TcpListener::bind((own_loopback_address(), 0))?)
}

impl Server {
    pub(crate) fn start(listener: TcpListener, tls: Option<RustlsConfig>, service: Router) -> Result<Self> {
        let address = listener.local_addr()?;
        let handle = Handle::new();
        let service = service.into_make_service();
        let serving = handle.clone();
        let task = match tls {
            None => {
                let server = axum_server::from_tcp(listener)?.handle(serving);
                tokio::spawn(async move { tell(address, server.serve(service).await) })
            }
            Some(tls) => {
                let server = axum_server::from_tcp_rustls(listener, tls)?.handle(serving);
                tokio::spawn(async move { tell(address, server.serve(service).await) })
            }
        };
        Ok(Self {
            address,
            handle,
            _task: AbortOnDropHandle::new(task),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

/// What a client needs to be one of a proxy.
pub(crate) fn client(builder: reqwest::ClientBuilder) -> reqwest::Result<reqwest::Client> {
    builder
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .http1_only()
        .no_proxy()
        .build()
}

/// Sends a request to another address and answers as soon as the answer begins.
pub(crate) async fn forward(client: &reqwest::Client, request: Request, url: String) -> reqwest::Result<Response> {
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers;
    remove_hop_by_hop(&mut headers);
    let mut onward = client.request(parts.method, url).headers(headers);
    // A stream would make a chunked body even of none.
    if !body.is_end_stream() {
        onward = onward.body(reqwest::Body::wrap_stream(body.into_data_stream()));
    }
    let answer = onward.send().await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    remove_hop_by_hop(response.headers_mut());
    *response.body_mut() = Body::from_stream(answer.bytes_stream().map_err(std::io::Error::other));
    Ok(response)
}

/// What is said of a connection, not of a message.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    for name in [
        CONNECTION,
        KEEP_ALIVE,
        PROXY_AUTHORIZATION,
        PROXY_CONNECTION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ] {
        headers.remove(name);
    }
}

fn tell(address: SocketAddr, served: std::io::Result<()>) {
    if let Err(error) = served {
        eprintln!("the proxy at {address} has ended: {error}");
    }
}
