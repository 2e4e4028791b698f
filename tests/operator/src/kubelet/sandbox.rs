//! One pod, from its volumes to the deletion of its object.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::{Container, Node as NodeObject, Pod, PodCondition, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Resource};
use serde_json::json;
use tokio::select;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::container::{Outcome, PlayedContainer, Role};
use super::environment::Place;
use super::localise::Localiser;
use super::node::Node;
use super::status::{self, Records, Stage};
use super::volumes::{self, Directories, Volumes};

/// Between two attempts to write to an API server that refuses or does not answer.
const RETRY: Duration = Duration::from_millis(200);
const DEFAULT_GRACE_PERIOD_SECONDS: i64 = 30;
/// Of a network reserved for documentation: what a node without an address is said to have.
const HOST_WITHOUT_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// What the containers of a pod share.
pub(super) struct Sandbox {
    pub(super) node: Arc<Node>,
    /// As it was when it was placed on the node.
    pub(super) pod: Pod,
    latest: watch::Receiver<Pod>,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) place: Place,
    started: Time,
    /// Goes away with the pod.
    pub(super) directory: PathBuf,
    pub(super) records: watch::Sender<Records>,
    /// Cancelled when the pod is to be deleted.
    pub(super) stopping: CancellationToken,
}

/// Plays a pod until it is deleted.
pub(super) async fn play(node: Arc<Node>, latest: watch::Receiver<Pod>, pod_ip: IpAddr, address: IpAddr) {
    let sandbox = Sandbox::new(node, latest, pod_ip, address).await;
    // Conditions that were written before, by this task.
    let mut conditions = Vec::new();
    select! {
        () = sandbox.run() => {}
        () = sandbox.stop_when_deleted() => {}
        () = sandbox.publish(&mut conditions) => {}
    }
    sandbox.remove(&conditions).await;
}

impl Sandbox {
    async fn new(node: Arc<Node>, latest: watch::Receiver<Pod>, pod_ip: IpAddr, address: IpAddr) -> Self {
        let pod = latest.borrow().clone();
        let metadata = pod.metadata.clone();
        let uid = metadata.uid.unwrap_or_default();
        let host_ip = host_ip(&node, &pod).await.unwrap_or(HOST_WITHOUT_ADDRESS);
        let place = Place {
            pod_ip,
            address,
            host_ip,
        };
        Self {
            directory: node.directory.path().join("pods").join(&uid),
            records: watch::Sender::new(Records::new(&pod)),
            stopping: CancellationToken::new(),
            namespace: metadata.namespace.unwrap_or_default(),
            name: metadata.name.unwrap_or_default(),
            started: status::now(),
            uid,
            place,
            latest,
            pod,
            node,
        }
    }

    /// Where a container's output is kept, also after the pod. `Api::wait_for` shows the end of it.
    pub(super) fn log(&self, container: &str) -> PathBuf {
        self.node.log(&self.namespace, &self.name, container)
    }

    /// The home and working directory of its programs.
    pub(super) fn home(&self) -> PathBuf {
        self.directory.join("home")
    }

    /// How long programs have to end.
    pub(super) fn grace_period(&self) -> Duration {
        let latest = self.latest.borrow();
        let seconds = latest.metadata.deletion_grace_period_seconds;
        let specified = || latest.spec.as_ref()?.termination_grace_period_seconds;
        let seconds = seconds.or_else(specified).unwrap_or(DEFAULT_GRACE_PERIOD_SECONDS);
        Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
    }

    /// Until all containers have ended, and the pod is deleted.
    async fn run(&self) {
        let volumes = Volumes::new(
            &self.node.client,
            &self.pod,
            self.directory.join("volumes"),
            self.node.directory.path().join("claims"),
        );
        let Some(directories) = self.mount(&volumes).await else {
            return;
        };
        if let Err(error) = std::fs::create_dir_all(self.home()) {
            eprintln!("there is no home for pod {}: {error}", self.name);
        }
        self.reach(Stage::Initialising);
        select! {
            () = self.run_containers(&directories) => {}
            () = self.follow(&volumes) => {}
        }
        self.stopping.cancelled().await;
    }

    async fn run_containers(&self, directories: &Directories) {
        let spec = self.pod.spec.as_ref();
        let init = spec
            .and_then(|spec| spec.init_containers.as_deref())
            .unwrap_or_default();
        for container in init {
            let played = self.container(container, Role::Init, directories);
            if played.run().await != (Outcome::Ended { well: true }) {
                return;
            }
        }
        self.reach(Stage::Initialised);
        let main = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
        let played = main
            .iter()
            .map(|container| self.container(container, Role::Main, directories));
        let played: Vec<_> = played.collect();
        join_all(played.iter().map(PlayedContainer::run)).await;
    }

    fn container<'a>(&'a self, container: &'a Container, role: Role, directories: &Directories) -> PlayedContainer<'a> {
        let mounts = volumes::mounts(container, directories);
        PlayedContainer {
            sandbox: self,
            container,
            role,
            localiser: Localiser::new(mounts, self.place.pod_ip, self.place.address),
        }
    }

    /// Waits until the volumes are there. `None` if the pod is deleted before.
    async fn mount(&self, volumes: &Volumes) -> Option<Directories> {
        let mut changes = self.node.changes.subscribe();
        let mut told = None;
        loop {
            changes.mark_unchanged();
            match volumes.write().await {
                Ok(directories) => return Some(directories),
                Err(complaint) if told.as_ref() != Some(&complaint) => {
                    self.tell("FailedMount", &complaint).await;
                    told = Some(complaint);
                }
                Err(_) => {}
            }
            select! {
                _ = changes.changed() => {}
                () = self.stopping.cancelled() => return None,
            }
        }
    }

    /// Writes the volumes' files again whenever an object has changed. Never ends.
    async fn follow(&self, volumes: &Volumes) {
        let mut changes = self.node.changes.subscribe();
        while changes.changed().await.is_ok() {
            // As a kubelet does, what is there is kept when its object has gone.
            let _ = volumes.write().await;
        }
        std::future::pending().await
    }

    fn reach(&self, stage: Stage) {
        self.records.send_modify(|records| records.stage = stage);
    }

    /// An event that says why the pod waits.
    async fn tell(&self, reason: &str, note: &str) {
        let reporter = Reporter {
            controller: "kubelet".to_owned(),
            instance: self.pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        };
        let event = Event {
            type_: EventType::Warning,
            reason: reason.to_owned(),
            note: Some(note.to_owned()),
            action: "Mounting".to_owned(),
            secondary: None,
        };
        let recorder = Recorder::new(self.node.client.clone(), reporter);
        if let Err(error) = recorder.publish(&event, &self.pod.object_ref(&())).await {
            eprintln!("cannot tell that {note}: {error}");
        }
    }

    /// Never ends by itself.
    async fn stop_when_deleted(&self) {
        let mut latest = self.latest.clone();
        // An error means that the pod is no longer followed, and then this task ends, too.
        let _ = latest.wait_for(|pod| pod.metadata.deletion_timestamp.is_some()).await;
        self.stopping.cancel();
        std::future::pending().await
    }

    /// Writes the status whenever it changes. Never ends by itself.
    async fn publish(&self, conditions: &mut Vec<PodCondition>) {
        let mut records = self.records.subscribe();
        loop {
            let status = self.status(&records.borrow_and_update(), conditions);
            *conditions = status.conditions.clone().unwrap_or_default();
            while let Err(error) = self.write(&status).await {
                if is_gone(&error) {
                    break;
                }
                if let kube::Error::Api(refusal) = &error {
                    eprintln!("the status of pod {} is refused: {refusal}", self.name);
                }
                sleep(RETRY).await;
            }
            if records.changed().await.is_err() {
                return;
            }
        }
    }

    fn status(&self, records: &Records, conditions: &[PodCondition]) -> PodStatus {
        status::of_pod(records, &self.place, &self.started, conditions)
    }

    async fn write(&self, status: &PodStatus) -> Result<(), kube::Error> {
        // Merges conditions by type, so that those of others stay; the UID keeps it from a pod of the same name.
        let patch = Patch::Strategic(json!({"metadata": {"uid": self.uid}, "status": status}));
        self.pods()
            .patch_status(&self.name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Writes the last status and deletes the object.
    async fn remove(&self, conditions: &[PodCondition]) {
        let last = self.status(&self.records.borrow(), conditions);
        // The object goes away anyway.
        let _ = self.write(&last).await;
        // Leaves what a program that outlived its pod still writes.
        let _ = std::fs::remove_dir_all(&self.directory);
        let deletion = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions {
                uid: Some(self.uid.clone()),
                ..Preconditions::default()
            }),
            ..DeleteParams::default()
        };
        while let Err(error) = self.pods().delete(&self.name, &deletion).await {
            if is_gone(&error) {
                break;
            }
            sleep(RETRY).await;
        }
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.node.client.clone(), &self.namespace)
    }
}

/// Not found, or another object by now.
fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(refusal) if matches!(refusal.code, 404 | 409))
}

async fn host_ip(node: &Node, pod: &Pod) -> Option<IpAddr> {
    let name = pod.spec.as_ref()?.node_name.as_ref()?;
    let found: NodeObject = Api::all(node.client.clone()).get(name).await.ok()?;
    let addresses = found.status?.addresses?;
    let internal = addresses.iter().find(|address| address.type_ == "InternalIP")?;
    internal.address.parse().ok()
}
