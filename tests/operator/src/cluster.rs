//! A real Kubernetes control plane for one test: etcd and kube-apiserver, and on demand the controllers, the scheduler
//! and kwok, which plays kubelets for nodes that do not exist. There is no kube-proxy and no DNS, so a webhook is
//! registered with its `url`. `.setup/setup.sh cluster` builds the programs.

mod api;
mod authority;
mod parts;
mod process;
mod programs;
mod requests;
mod user;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

pub use api::{Answer, Api};
pub use programs::find_or_skip as programs_or_skip;
pub use requests::Request;
pub use user::User;

pub(crate) use api::http;
pub(crate) use process::log_end;
pub(crate) use user::{Credentials, kubeconfig, service_account_token};

use crate::ports::free_ports;
use authority::{Authority, Identity};
use parts::Parts;
use process::Process;

/// How long a part may take until it is ready, on a machine that builds something at the same time.
const START_TIMEOUT: Duration = Duration::from_secs(120);
const AUDIT_POLICY: &str = include_str!("../../cluster/audit-policy.yaml");
const KWOK_CONFIGURATION: &str = include_str!("../../cluster/kwok.yaml");

/// A running control plane. Stopped, and its data deleted, when dropped.
pub struct Cluster {
    kwok: Option<Process>,
    scheduler: Option<Process>,
    controllers: Option<Process>,
    api_server: Option<Process>,
    etcd: Process,
    etcd_address: SocketAddr,
    address: SocketAddr,
    authority: Authority,
    admin: Identity,
    parts: Parts,
    // Last, so that nothing writes to it any more when it is deleted.
    directory: TempDir,
}

/// A new cluster, or `None` and one loud line when its programs are not installed and REQUIRE_CLUSTER is not set.
///
/// # Errors
/// When the programs are missing and REQUIRE_CLUSTER is set, or the cluster does not start.
pub async fn cluster_or_skip() -> Result<Option<Cluster>> {
    match programs::find_or_skip()? {
        Some(programs) => Ok(Some(Cluster::start_with(programs).await?)),
        None => Ok(None),
    }
}

impl Cluster {
    /// Starts etcd and an API server and waits until it is ready.
    ///
    /// # Errors
    /// When the programs are missing or do not start; the error has their log.
    pub async fn start() -> Result<Self> {
        Self::start_with(programs::find()?).await
    }

    async fn start_with(programs: PathBuf) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("kaito-cluster-").tempdir()?;
        let host = own_loopback_address();
        let authority = Authority::new()?;
        write_files(&authority, host, directory.path())?;
        let parts = Parts {
            programs,
            directory: directory.path().to_owned(),
        };
        let [clients, peers, address] = free_ports(host.into())?;
        let mut cluster = Self {
            kwok: None,
            scheduler: None,
            controllers: None,
            api_server: None,
            etcd: parts.etcd(clients, peers).start()?,
            etcd_address: clients,
            address,
            admin: authority.client("kaito-tests", "system:masters")?,
            authority,
            parts,
            directory,
        };
        cluster.start_api_server().await?;
        Ok(cluster)
    }

    /// Starts the API server where it was before, and waits until it is ready.
    ///
    /// # Errors
    /// When it runs already, or does not become ready; the error then has its log.
    pub async fn start_api_server(&mut self) -> Result<()> {
        if self.api_server.is_some() {
            bail!("the API server runs already");
        }
        let process = self.parts.api_server(self.address, self.etcd_address).start()?;
        self.api_server = Some(process);
        let api = self.admin()?;
        self.wait_until("the API server is ready", async || Ok(api.is_ready().await))
            .await
    }

    /// Kills the API server at once, as a power cut would; etcd keeps its data.
    ///
    /// # Errors
    /// When it does not run.
    pub fn stop_api_server(&mut self) -> Result<()> {
        drop(self.api_server.take().context("the API server does not run")?);
        Ok(())
    }

    /// Starts kube-controller-manager and kube-scheduler: Deployments get their Pods, namespaces their default
    /// ServiceAccount, Pods their node, and what belongs to a deleted owner is deleted.
    ///
    /// # Errors
    /// When they do not start.
    pub async fn start_controllers(&mut self) -> Result<()> {
        let kubeconfig = self.kubeconfig_of_parts().await?;
        self.controllers = Some(self.parts.controller_manager(&kubeconfig).start()?);
        self.scheduler = Some(self.parts.scheduler(&kubeconfig).start()?);
        let api = self.admin()?;
        self.wait_until("the default ServiceAccount is there", async || {
            api.exists("/api/v1/namespaces/default/serviceaccounts/default").await
        })
        .await
    }

    /// Starts kwok, which makes nodes with the annotation `kwok.x-k8s.io/node: fake` ready, and the Pods on them unless
    /// they have the annotation `kaito-tests/kubelet: none`.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_kwok(&mut self) -> Result<()> {
        let kubeconfig = self.kubeconfig_of_parts().await?;
        self.kwok = Some(self.parts.kwok(&kubeconfig).start()?);
        Ok(())
    }

    /// A client that may do everything. Its user agent is `kaito-tests`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn admin(&self) -> Result<Api> {
        Api::new(self, &Credentials::Certificate(self.admin.clone()), "kaito-tests")
    }

    /// A client for a user that calls itself by this user agent.
    ///
    /// # Errors
    /// When a ServiceAccount does not exist, or the API server does not give a token for it.
    pub async fn api(&self, user: &User, user_agent: &str) -> Result<Api> {
        Api::new(self, &user.credentials(self).await?, user_agent)
    }

    /// Writes a kubeconfig for a user, for programs that are to be this user, and returns its path.
    ///
    /// # Errors
    /// When a ServiceAccount does not exist, or the API server does not give a token for it.
    pub async fn kubeconfig(&self, user: &User) -> Result<PathBuf> {
        user.write_kubeconfig(self).await
    }

    /// A client of kube-rs for a user. It does not ask again when it is refused with 429 or 503, as clients of kube-rs
    /// otherwise do.
    ///
    /// # Errors
    /// When a ServiceAccount does not exist, or the API server does not give a token for it.
    pub async fn client(&self, user: &User) -> Result<kube::Client> {
        client_from(&self.kubeconfig(user).await?).await
    }

    /// What the user agents that start with this prefix have asked of the API server so far, in the order of its
    /// answers. A watch is in it from its beginning, a large answer perhaps a moment after it has come. Requests of
    /// the control plane itself are not recorded.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn requests(&self, user_agent: &str) -> Result<Vec<Request>> {
        requests::read(&self.path(requests::AUDIT_LOG), user_agent)
    }

    /// Base URL of the API server.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The loopback address of the API server, which other clusters do not have.
    pub fn host(&self) -> IpAddr {
        self.address.ip()
    }

    /// Where the cluster keeps its files, the logs `<part>.log` among them. Deleted with the cluster.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A client for what plays a part of the cluster: its requests are not recorded.
    pub(crate) async fn client_of_parts(&self) -> Result<kube::Client> {
        client_from(&self.kubeconfig_of_parts().await?).await
    }

    /// For a server at an address that what trusts the API server trusts too.
    pub(crate) fn server_identity(&self, address: IpAddr) -> Result<Identity> {
        self.authority.server(address)
    }

    /// The certificate of the authority that the API server's certificate is from, as PEM.
    pub(crate) fn authority_certificate(&self) -> &str {
        self.authority.certificate()
    }

    /// What the administrator shows to the API server.
    pub(crate) fn admin_credentials(&self) -> Credentials {
        Credentials::Certificate(self.admin.clone())
    }

    /// Of a user of its own, so that the audit policy can tell it from those under test.
    async fn kubeconfig_of_parts(&self) -> Result<PathBuf> {
        self.kubeconfig(&User::person("control-plane", "system:masters")).await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Asks until the answer is yes, a part has ended, or the time is up.
    async fn wait_until(&mut self, what: &str, mut is_so: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if is_so().await? {
                return Ok(());
            }
            for process in self.processes() {
                process.check()?;
            }
            if Instant::now() > deadline {
                let logs = process::log_ends(self.directory());
                bail!("{START_TIMEOUT:?} have passed, and it is not so that {what}:\n{logs}");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn processes(&mut self) -> impl Iterator<Item = &mut Process> {
        [
            &mut self.api_server,
            &mut self.controllers,
            &mut self.scheduler,
            &mut self.kwok,
        ]
        .into_iter()
        .filter_map(Option::as_mut)
        .chain([&mut self.etcd])
    }
}

/// A client of kube-rs from a file.
pub(crate) async fn client_from(kubeconfig: &Path) -> Result<kube::Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.default_retry = false;
    Ok(kube::Client::try_from(config)?)
}

/// A loopback address that nobody else has. A port that is free on it stays free: outgoing connections take theirs on
/// other addresses.
pub(crate) fn own_loopback_address() -> Ipv4Addr {
    Ipv4Addr::new(
        127,
        rand::random_range(1..=254),
        rand::random_range(0..=255),
        rand::random_range(1..=254),
    )
}

fn write_files(authority: &Authority, host: Ipv4Addr, directory: &Path) -> Result<()> {
    let server = authority.server(IpAddr::V4(host))?;
    let tokens = authority::TokenKey::new()?;
    for (name, content) in [
        ("authority.crt", authority.certificate()),
        ("api-server.crt", &server.certificate),
        ("api-server.key", &server.key),
        ("service-account.key", &tokens.private),
        ("service-account.pub", &tokens.public),
        ("audit-policy.yaml", AUDIT_POLICY),
        ("kwok.yaml", KWOK_CONFIGURATION),
    ] {
        std::fs::write(directory.join(name), content)?;
    }
    Ok(())
}
