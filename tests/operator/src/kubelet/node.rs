//! What all pods share, and who follows the pods: one task each.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Node as NodeObject, Pod, Secret};
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::environment::Environment;
use super::logs::Starts;
use super::program::Programs;
use super::{Addresses, Options, PlayedPod, claims, sandbox};
use crate::cluster::own_loopback_address;
use crate::nodes::{BY_KUBELET, PLAYED_BY};

/// What [`PLAYED_BY`] says on pods that kwok leaves alone.
const NOT_BY_KWOK: &str = "none";
/// After an API server that does not tell what node a pod is on.
const RETRY: Duration = Duration::from_millis(200);

/// The next pod's number: no two pods of one test process have the same address.
static NEXT_POD: AtomicU16 = AtomicU16::new(1);

/// What all pods of a kubelet share.
pub(super) struct Node {
    pub(super) client: Client,
    pub(super) http: reqwest::Client,
    pub(super) options: Options,
    /// Variables for every program.
    pub(super) environment: Mutex<Environment>,
    pub(super) programs: Programs,
    /// Of volumes and homes.
    pub(super) directory: TempDir,
    pub(super) logs: PathBuf,
    pub(super) starts: Starts,
    /// Changes whenever a Secret, a ConfigMap or a claim may have changed.
    pub(super) changes: watch::Sender<u64>,
    /// By UID.
    pub(super) pods: Mutex<HashMap<String, PlayedPod>>,
    /// Of pods that are, or have been.
    pub(super) addresses: Addresses,
}

impl Node {
    pub(super) fn log(&self, namespace: &str, pod: &str, container: &str) -> PathBuf {
        self.logs.join(format!("pod-{namespace}-{pod}-{container}.log"))
    }

    /// Says that what pods wait for may have come.
    pub(super) fn note_change(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn new_addresses(&self) -> (IpAddr, IpAddr) {
        let [high, low] = NEXT_POD.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let pod_ip = IpAddr::V4(Ipv4Addr::new(10, 244, high, low));
        let address = IpAddr::V4(own_loopback_address());
        self.addresses.insert(pod_ip, address);
        (pod_ip, address)
    }
}

/// Plays until it is aborted, and its pods with it.
pub(super) async fn run(node: Arc<Node>) {
    tokio::join!(
        follow_pods(&node),
        follow_objects::<Secret>(&node),
        follow_objects::<ConfigMap>(&node),
        claims::follow(&node),
    );
}

/// Notes each change of the objects of one kind, whatever it is.
async fn follow_objects<K>(node: &Node)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let all: Api<PartialObjectMeta<K>> = Api::all(node.client.clone());
    let mut events = pin!(watcher(all, watcher::Config::default()).default_backoff());
    while let Some(event) = events.next().await {
        // An error is followed by a new list.
        if event.is_ok() {
            node.note_change();
        }
    }
}

/// A pod's latest state, for the task that plays it.
struct Followed {
    latest: watch::Sender<Pod>,
    _task: AbortOnDropHandle<()>,
}

async fn follow_pods(node: &Arc<Node>) {
    let all: Api<Pod> = Api::all(node.client.clone());
    let chosen = watcher::Config::default().labels(&node.options.selector);
    let mut events = pin!(watcher(all, chosen).default_backoff());
    let mut followed: HashMap<String, Followed> = HashMap::new();
    let mut listed = HashSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(pod)) => {
                listed.extend(pod.uid());
                follow(node, &mut followed, pod).await;
            }
            Ok(Event::InitDone) => followed.retain(|uid, _| listed.contains(uid)),
            Ok(Event::Apply(pod)) => follow(node, &mut followed, pod).await,
            Ok(Event::Delete(pod)) => drop(pod.uid().and_then(|uid| followed.remove(&uid))),
            // Followed by a new list.
            Err(_) => {}
        }
        node.pods.lock().retain(|uid, _| followed.contains_key(uid));
    }
}

async fn follow(node: &Arc<Node>, followed: &mut HashMap<String, Followed>, pod: Pod) {
    let Some(uid) = pod.metadata.uid.clone() else {
        return;
    };
    if let Some(known) = followed.get(&uid) {
        known.latest.send_replace(pod);
        return;
    }
    if !is_ours(node, &pod).await {
        return;
    }
    let (ip, address) = node.new_addresses();
    let metadata = &pod.metadata;
    let played = PlayedPod {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
        uid: uid.clone(),
        ip,
        address,
        processes: Vec::new(),
    };
    node.pods.lock().insert(uid.clone(), played);
    let (latest, receiver) = watch::channel(pod);
    let task = tokio::spawn(sandbox::play(node.clone(), receiver, ip, address));
    let task = Followed {
        latest,
        _task: AbortOnDropHandle::new(task),
    };
    followed.insert(uid, task);
}

/// Whether it is on a node, and not for kwok.
async fn is_ours(node: &Node, pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let name = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    let Some(name) = name.filter(|_| !matches!(phase, Some("Succeeded" | "Failed"))) else {
        return false;
    };
    if pod
        .annotations()
        .get(PLAYED_BY)
        .is_some_and(|value| value == NOT_BY_KWOK)
    {
        return true;
    }
    let nodes: Api<NodeObject> = Api::all(node.client.clone());
    loop {
        match nodes.get_opt(name).await {
            Ok(found) => {
                let played_by = found.and_then(|found| found.annotations().get(PLAYED_BY).cloned());
                return played_by.as_deref() == Some(BY_KUBELET);
            }
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}
