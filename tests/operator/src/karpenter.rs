//! Plays Karpenter, its cloud, and NVIDIA's device plugin: NodeClaims become nodes, or fail to, when a test says so.
//!
//! As with the real ones:
//!
//! * A NodeClaim is launched, registered, initialised and ready, in this order, and has a finalizer: its node goes first.
//! * A NodePool with `replicas` gets that many NodeClaims.
//! * A NodeClaim that cannot be launched says why, and is deleted a moment later.
//! * A NodeClaim whose node has gone is deleted.
//! * The device plugin runs on nodes with the label `accelerator: nvidia` and tells of their GPUs.
//!
//! Simpler than with the real ones: a machine that goes takes its pods with it at once, there is neither drift nor
//! consolidation, and NodeClasses are not looked at.

mod claims;
mod conditions;
mod plugin;
mod pools;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::Node;
use kaito_presets::Cloud;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::runtime::Controller;
use kube::runtime::controller::Action;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::cluster::Cluster;
use crate::nodes::PlayedBy;

/// How long it may take until a lost machine is lost, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);
/// After a refusal of the API server.
const RETRY: Duration = Duration::from_millis(200);

/// What a Karpenter makes of NodeClaims.
#[derive(Clone, Debug)]
pub struct Options {
    cloud: Cloud,
    nodes: PlayedBy,
    launch_delay: Duration,
    plugin_delay: Duration,
}

impl Options {
    /// Machines of Azure, without any delay.
    pub fn new(nodes: PlayedBy) -> Self {
        Self {
            cloud: Cloud::Azure,
            nodes,
            launch_delay: Duration::ZERO,
            plugin_delay: Duration::ZERO,
        }
    }

    /// Machines of another cloud: its instance types say how many GPUs they have. Unknown ones have none.
    #[must_use]
    pub fn cloud(mut self, cloud: Cloud) -> Self {
        self.cloud = cloud;
        self
    }

    /// How long it takes until a machine is there.
    #[must_use]
    pub fn launch_delay(mut self, delay: Duration) -> Self {
        self.launch_delay = delay;
        self
    }

    /// How long it takes from the label `accelerator: nvidia` until the node tells of its GPUs.
    #[must_use]
    pub fn plugin_delay(mut self, delay: Duration) -> Self {
        self.plugin_delay = delay;
        self
    }
}

/// A Karpenter at work. Drop it before its cluster.
pub struct Karpenter {
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

struct Shared {
    client: Client,
    options: Options,
    faults: Mutex<Faults>,
    /// When something was first seen, by what and the UID of its object: for what takes its time.
    since: Mutex<HashMap<(&'static str, String), Instant>>,
    /// Changes with the faults.
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Faults {
    launches_that_fail: usize,
    message: String,
    plugin_is_held: bool,
}

impl Karpenter {
    /// Starts it. The cluster must have Karpenter's definitions.
    ///
    /// # Errors
    /// When there is no client.
    pub async fn start(cluster: &Cluster, options: Options) -> Result<Self> {
        let shared = Arc::new(Shared {
            client: cluster.client_of_parts().await?,
            options,
            faults: Mutex::default(),
            since: Mutex::default(),
            changes: watch::Sender::new(0),
        });
        let task = tokio::spawn(run(shared.clone()));
        Ok(Self {
            shared,
            _task: AbortOnDropHandle::new(task),
        })
    }

    /// Lets the next launches fail with these words.
    pub fn fail_launches(&self, times: usize, message: &str) {
        let mut faults = self.shared.faults.lock();
        faults.launches_that_fail = times;
        message.clone_into(&mut faults.message);
    }

    /// From now on no node tells of its GPUs that has not yet.
    pub fn hold_plugin(&self) {
        self.shared.faults.lock().plugin_is_held = true;
    }

    /// Ends [`Karpenter::hold_plugin`].
    pub fn release_plugin(&self) {
        self.shared.faults.lock().plugin_is_held = false;
        self.shared.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The names of its nodes that are there.
    ///
    /// # Errors
    /// When the API server does not tell.
    pub async fn nodes(&self) -> Result<Vec<String>> {
        let nodes: Api<Node> = Api::all(self.shared.client.clone());
        let ours = ListParams::default().labels(claims::REGISTERED_LABEL);
        Ok(nodes.list(&ours).await?.iter().map(ResourceExt::name_any).collect())
    }

    /// Takes a machine away: its node, its pods and its NodeClaim vanish. Returns when they have.
    ///
    /// # Errors
    /// When it is none of this Karpenter's, or does not vanish.
    pub async fn lose_node(&self, node: &str) -> Result<()> {
        let nodes: Api<Node> = Api::all(self.shared.client.clone());
        let found = nodes.get(node).await?;
        let claim = found
            .owner_references()
            .first()
            .with_context(|| format!("node {node:?} is not of a NodeClaim"))?;
        let claims = self.shared.claims();
        let uid = claim.uid.clone();
        claims.delete(&claim.name, &kube::api::DeleteParams::default()).await?;
        let started = Instant::now();
        let is_there = async || -> Result<bool> {
            let left = claims.get_opt(&claim.name).await?;
            let claim_is_there = left.is_some_and(|left| left.uid().as_deref() == Some(uid.as_str()));
            Ok(claim_is_there || nodes.get_opt(node).await?.is_some())
        };
        while is_there().await? {
            ensure!(
                started.elapsed() < TIMEOUT,
                "after {TIMEOUT:?}, node {node:?} is still there"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Shared {
    fn claims(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &claim_resource())
    }

    fn pools(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &pool_resource())
    }

    /// Takes one failure, if there is one left.
    fn failure(&self) -> Option<String> {
        let mut faults = self.faults.lock();
        faults.launches_that_fail = faults.launches_that_fail.checked_sub(1)?;
        Some(faults.message.clone())
    }

    /// How much is left of a time that began when this was first asked for this object.
    fn left_of(&self, time: Duration, what: &'static str, uid: &str) -> Option<Duration> {
        let mut since = self.since.lock();
        let began = since.entry((what, uid.to_owned())).or_insert_with(Instant::now);
        let left = time.saturating_sub(began.elapsed());
        (!left.is_zero()).then_some(left)
    }
}

fn claim_resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("karpenter.sh", "v1", "NodeClaim"))
}

fn pool_resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("karpenter.sh", "v1", "NodePool"))
}

/// Plays until it is aborted.
async fn run(shared: Arc<Shared>) {
    let nodes: Api<Node> = Api::all(shared.client.clone());
    let changes = futures::stream::unfold(shared.changes.subscribe(), |mut changes| async move {
        changes.changed().await.ok()?;
        Some(((), changes))
    });
    let claims = Controller::new_with(shared.claims(), watcher::Config::default(), claim_resource())
        .owns(nodes, watcher::Config::default())
        .reconcile_all_on(changes)
        .run(
            |claim, shared| async move { claims::reconcile(&claim, &shared).await }.boxed(),
            |claim, error, _| retry(&claim, error),
            shared.clone(),
        )
        .for_each(|_| std::future::ready(()));
    let pools = Controller::new_with(shared.pools(), watcher::Config::default(), pool_resource())
        .owns_with(shared.claims(), claim_resource(), watcher::Config::default())
        .run(
            |pool, shared| async move { pools::reconcile(&pool, &shared).await }.boxed(),
            |pool, error, _| retry(&pool, error),
            shared.clone(),
        )
        .for_each(|_| std::future::ready(()));
    tokio::join!(claims, pools);
}

/// Conflicts and objects that have gone are of the trade; the rest is told.
fn retry(object: &DynamicObject, error: &kube::Error) -> Action {
    let is_usual = matches!(error, kube::Error::Api(refusal) if matches!(refusal.code, 404 | 409));
    if !is_usual {
        eprintln!("Karpenter and {}: {error}", object.name_any());
    }
    Action::requeue(RETRY)
}
