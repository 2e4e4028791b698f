//! Plays the kubelet for chosen pods: their containers' programs run as local processes, without containers.
//!
//! A pod is played when it has the labels that the options choose, has a node, and either it has the annotation
//! `kaito-tests/kubelet: none`, which keeps kwok away, or its node has `kaito-tests/kubelet: plays` ([`crate::nodes`]).
//! What is as in a cluster: environment, volumes' contents, probes, restarts, phases, conditions, deletion with its grace
//! period, and logs through the API server for pods on such nodes. What is not:
//!
//! * An image stands for a program of this machine; see [`Options::program`]. Init containers without one, and those
//!   that restart always, count as succeeded; other containers without one wait with `ImagePullBackOff`.
//! * Mount paths do not exist. In variables and arguments they are replaced by local directories, and addresses to
//!   listen on by the pod's own loopback address, which no other pod has. Variables for Services are not set.
//! * A pod's `status.podIP` is made up, since Kubernetes refuses loopback addresses in EndpointSlices. The
//!   [`crate::service_proxy`] leads from one to the other.
//! * Probes are made at least every 200 ms and from the beginning, and a program that ends is started again after
//!   200 ms to 2 s. A probe by a command runs what [`Options::exec`] says; without that, and if it is of another kind but
//!   HTTP, it passes. Of hooks, only `preStop.sleep` is heeded, for half a second.
//! * Volumes other than emptyDir, claims, Secrets and ConfigMaps are empty directories. Claims of a StorageClass with
//!   the provisioner [`PROVISIONER`] get a volume.
//! * Logs begin with the container's latest start, and cannot be followed.

mod claims;
mod container;
mod environment;
mod localise;
mod logs;
mod node;
mod objects;
mod probe;
mod program;
mod projected_files;
mod sandbox;
mod status;
mod volumes;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::cluster::Cluster;
use crate::forward::Server;
use logs::Starts;
use node::Node;
use program::Programs;

/// The provisioner that a StorageClass names to get its volumes from the kubelet.
pub const PROVISIONER: &str = "kaito-tests/kubelet";

/// Which pods a kubelet plays, and how.
#[derive(Clone, Debug)]
pub struct Options {
    selector: String,
    programs: BTreeMap<String, PathBuf>,
    commands: Vec<(String, PathBuf)>,
    environment: BTreeMap<String, String>,
    timing: Timing,
}

#[derive(Clone, Debug)]
struct Timing {
    probe_period: Duration,
    patience: Duration,
}

/// A kubelet. Its pods' programs end when it is dropped; the pods stay as they are. Drop it before its cluster.
pub struct Kubelet {
    node: Arc<Node>,
    server: Server,
    _task: AbortOnDropHandle<()>,
}

/// A pod that is played.
#[derive(Clone, Debug)]
pub struct PlayedPod {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// Its `status.podIP`.
    pub ip: IpAddr,
    /// Where its programs listen.
    pub address: IpAddr,
    /// The process ids of the programs that run.
    pub processes: Vec<u32>,
}

/// Leads from a pod's `status.podIP` to the address that it listens on.
#[derive(Clone, Default)]
pub(crate) struct Addresses(Arc<Mutex<HashMap<IpAddr, IpAddr>>>);

impl Options {
    /// For pods with labels, as kubectl's `--selector` has them. PATH is the test's own.
    pub fn new(selector: &str) -> Self {
        let path = std::env::var("PATH").unwrap_or_default();
        Self {
            selector: selector.to_owned(),
            programs: BTreeMap::new(),
            commands: Vec::new(),
            environment: BTreeMap::from([("PATH".to_owned(), path)]),
            timing: Timing {
                probe_period: Duration::from_millis(200),
                patience: Duration::from_secs(2),
            },
        }
    }

    /// What a container runs that has this name, or this image, with or without its tag. It is called with the
    /// container's `args`; with `command`, it is called in place of its first word.
    #[must_use]
    pub fn program(mut self, container_or_image: &str, program: impl Into<PathBuf>) -> Self {
        self.programs.insert(container_or_image.to_owned(), program.into());
        self
    }

    /// What a probe runs whose command has this text in it, in place of its first word and with the environment of its
    /// container. It passes with exit code 0.
    #[must_use]
    pub fn exec(mut self, text: &str, program: impl Into<PathBuf>) -> Self {
        self.commands.push((text.to_owned(), program.into()));
        self
    }

    /// A variable for each program, unless its container has one of that name. Mount paths and addresses to listen on
    /// are replaced in it, too, so that it can say what an image says by itself.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The longest time between two probes; 200 ms unless told otherwise.
    #[must_use]
    pub fn probe_period(mut self, period: Duration) -> Self {
        self.timing.probe_period = period;
        self
    }

    /// How long a startup or liveness probe must have failed, beside how often, until the program is started again;
    /// two seconds unless told otherwise. Probes come faster than in a cluster, but a busy machine is not faster.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.timing.patience = patience;
        self
    }
}

impl Kubelet {
    /// Starts to play. The cluster must have its controllers and a node.
    ///
    /// # Errors
    /// When there is no client or no directory for it.
    pub async fn start(cluster: &Cluster, options: Options) -> Result<Self> {
        let node = Arc::new(Node {
            client: cluster.client_of_parts().await?,
            http: probe::client()?,
            environment: Mutex::new(options.environment.clone()),
            options,
            programs: Programs::new(),
            directory: tempfile::Builder::new()
                .prefix("kubelet-")
                .tempdir_in(cluster.directory())?,
            logs: cluster.directory().to_owned(),
            starts: Starts::default(),
            changes: watch::Sender::new(0),
            pods: Mutex::default(),
            addresses: Addresses::default(),
        });
        let server = logs::serve(cluster, node.clone()).await?;
        let task = tokio::spawn(node::run(node.clone()));
        Ok(Self {
            node,
            server,
            _task: AbortOnDropHandle::new(task),
        })
    }

    /// The pods that are played now, by namespace and name.
    pub fn pods(&self) -> Vec<PlayedPod> {
        let mut pods: Vec<PlayedPod> = self.node.pods.lock().values().cloned().collect();
        for pod in &mut pods {
            pod.processes = self.node.programs.of_pod(&pod.uid);
        }
        pods.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
        pods
    }

    /// As [`Options::variable`], for programs that start from now on: such as `http_proxy`, since the
    /// [`crate::service_proxy`] starts after the kubelet.
    pub fn set_variable(&self, name: &str, value: &str) {
        self.node.environment.lock().insert(name.to_owned(), value.to_owned());
    }

    /// What a container's program has printed since its first start. It outlives the pod.
    pub fn log(&self, namespace: &str, pod: &str, container: &str) -> String {
        program::read_log(&self.node.log(namespace, pod, container))
    }

    /// Where the API server asks for logs: what its nodes say, see [`crate::nodes`].
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Where the pod listens that has this `status.podIP`.
    pub fn address_of(&self, pod_ip: IpAddr) -> Option<IpAddr> {
        self.node.addresses.address_of(pod_ip)
    }

    pub(crate) fn addresses(&self) -> Addresses {
        self.node.addresses.clone()
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        // At once; the tasks end when the runtime comes to it.
        self.node.programs.close();
    }
}

impl Addresses {
    pub(crate) fn address_of(&self, pod_ip: IpAddr) -> Option<IpAddr> {
        self.0.lock().get(&pod_ip).copied()
    }

    fn insert(&self, pod_ip: IpAddr, address: IpAddr) {
        self.0.lock().insert(pod_ip, address);
    }
}
