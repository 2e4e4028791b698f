//! Stands between a client under test and the API server, and makes faults when it is told to.
//!
//! It ends TLS, with a certificate that the cluster's authority has signed, and talks to the API server over TLS
//! itself. A ServiceAccount's token goes through it; a certificate cannot, so that persons are not served. Upgraded
//! connections (`kubectl exec`) do not go through either.

mod matcher;
mod reply;
mod watches;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::response::{IntoResponse, Response};
use axum_server::tls_rustls::RustlsConfig;
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::cluster::{self, Api, Cluster, Credentials, User};
use crate::forward::{self, Server};
use watches::Watches;

pub use matcher::Matcher;
pub use reply::Reply;

/// How often a fault is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// For so many requests.
    Next(usize),
    /// Until [`FaultProxy::clear`].
    Always,
}

/// A proxy in front of an API server. It ends when dropped.
pub struct FaultProxy {
    server: Server,
    shared: Arc<Shared>,
    admin: Api,
    authority: String,
    directory: PathBuf,
}

struct Shared {
    api_server: String,
    /// For clients that show a token.
    anonymous: reqwest::Client,
    /// For clients that show the token below, since the administrator has a certificate and no token.
    administrator: reqwest::Client,
    token_of_administrator: String,
    faults: Mutex<Vec<Fault>>,
    counts: Mutex<BTreeMap<(String, String), usize>>,
    watches: Watches,
}

struct Fault {
    matcher: Matcher,
    action: Action,
    times: Times,
}

enum Action {
    Answer(Reply),
    Delay(Duration),
}

impl FaultProxy {
    /// Starts it in front of a cluster's API server, without faults.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(cluster: &Cluster) -> Result<Self> {
        let listener = forward::listener()?;
        let identity = cluster.server_identity(listener.local_addr()?.ip())?;
        let tls = RustlsConfig::from_pem(identity.certificate.into_bytes(), identity.key.into_bytes()).await?;
        let shared = Arc::new(Shared {
            api_server: cluster.url(),
            anonymous: forward::client(cluster::http(cluster, None)?)?,
            administrator: forward::client(cluster::http(cluster, Some(&cluster.admin_credentials()))?)?,
            token_of_administrator: format!("administrator-{}", rand::random::<u128>()),
            faults: Mutex::default(),
            counts: Mutex::default(),
            watches: Watches::new(),
        });
        let service = Router::new().fallback(answer).with_state(shared.clone());
        Ok(Self {
            server: Server::start(listener, Some(tls), service)?,
            shared,
            admin: cluster.admin()?,
            authority: cluster.authority_certificate().to_owned(),
            directory: cluster.directory().to_owned(),
        })
    }

    /// Writes a kubeconfig for a user that leads through the proxy, and returns its path.
    ///
    /// # Errors
    /// When the user is a person, a ServiceAccount does not exist, or the API server does not give a token for it.
    pub async fn kubeconfig(&self, user: &User) -> Result<PathBuf> {
        let token = match user {
            User::Admin => self.shared.token_of_administrator.clone(),
            User::ServiceAccount { namespace, name } => {
                cluster::service_account_token(&self.admin, namespace, name).await?
            }
            User::Person { .. } => bail!("a person's certificate does not get through a proxy; use a ServiceAccount"),
        };
        let content = cluster::kubeconfig(&self.url(), &self.authority, &Credentials::Token(token));
        let name = format!("through-{}-{}", self.server.address.port(), user.file_name());
        let path = self.directory.join(name);
        std::fs::write(&path, content)?;
        Ok(path)
    }

    /// A client of kube-rs for a user that goes through the proxy. As that of [`Cluster::client`], it does not ask
    /// again by itself; one that a program makes of the kubeconfig does.
    ///
    /// # Errors
    /// As [`FaultProxy::kubeconfig`].
    pub async fn client(&self, user: &User) -> Result<kube::Client> {
        cluster::client_from(&self.kubeconfig(user).await?).await
    }

    /// Base URL.
    pub fn url(&self) -> String {
        format!("https://{}", self.server.address)
    }

    /// Answers requests in place of the API server. Of several faults that match, the oldest one answers.
    pub fn answer(&self, matcher: Matcher, reply: Reply, times: Times) {
        self.fault(matcher, Action::Answer(reply), times);
    }

    /// Makes requests wait, before they are answered or go on, until [`FaultProxy::clear`].
    pub fn delay(&self, matcher: Matcher, delay: Duration) {
        self.fault(matcher, Action::Delay(delay), Times::Always);
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.shared.faults.lock().clear();
    }

    /// Cuts the connections of all watches that run now.
    pub fn close_watches(&self) {
        self.shared.watches.close();
    }

    /// Ends all watches that run now as an API server does that no longer has their past: with 410 Gone as an event.
    pub fn expire_watches(&self) {
        self.shared.watches.expire();
    }

    /// How many watches run now.
    pub fn running_watches(&self) -> usize {
        self.shared.watches.running()
    }

    /// How many requests have come that match, whoever has answered them.
    pub fn count(&self, matcher: &Matcher) -> usize {
        let counts = self.shared.counts.lock();
        let matching = counts.iter().filter(|((verb, path), _)| matcher.matches(verb, path));
        matching.map(|(_, count)| count).sum()
    }

    /// How many requests have come, by verb (as RBAC has it) and path.
    pub fn counts(&self) -> BTreeMap<(String, String), usize> {
        self.shared.counts.lock().clone()
    }

    fn fault(&self, matcher: Matcher, action: Action, times: Times) {
        self.shared.faults.lock().push(Fault { matcher, action, times });
    }
}

async fn answer(State(shared): State<Arc<Shared>>, mut request: Request) -> Response {
    let verb = matcher::verb(request.method(), request.uri());
    let path = request.uri().path().to_owned();
    *shared.counts.lock().entry((verb.to_owned(), path.clone())).or_default() += 1;
    let (delay, reply) = shared.faults_for(verb, &path);
    if !delay.is_zero() {
        sleep(delay).await;
    }
    if let Some(reply) = reply {
        return reply.into_response();
    }
    let token = format!("Bearer {}", shared.token_of_administrator);
    let is_administrator = request
        .headers()
        .get(AUTHORIZATION)
        .is_some_and(|value| value.as_bytes() == token.as_bytes());
    let client = if is_administrator {
        request.headers_mut().remove(AUTHORIZATION);
        &shared.administrator
    } else {
        &shared.anonymous
    };
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{}{path}", shared.api_server);
    match forward::forward(client, request, url).await {
        Ok(response) if verb == "watch" && response.status().is_success() => shared.watches.run(response),
        Ok(response) => response,
        Err(error) => (
            StatusCode::BAD_GATEWAY,
            format!("no answer from the API server: {error:?}"),
        )
            .into_response(),
    }
}

impl Shared {
    /// How long a request is to wait, and what it is answered, if it is not to go on.
    fn faults_for(&self, verb: &str, path: &str) -> (Duration, Option<Reply>) {
        let mut delay = Duration::ZERO;
        let mut reply = None;
        for fault in self.faults.lock().iter_mut() {
            if fault.times == Times::Next(0) || !fault.matcher.matches(verb, path) {
                continue;
            }
            match &fault.action {
                Action::Delay(time) => delay += *time,
                Action::Answer(_) if reply.is_some() => continue,
                Action::Answer(answer) => reply = Some(answer.clone()),
            }
            if let Times::Next(left) = &mut fault.times {
                *left -= 1;
            }
        }
        (delay, reply)
    }
}
