//! Plays the provisioner of the StorageClasses that name it, and follows all claims.

use std::pin::pin;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::api::PostParams;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde_json::json;

use super::PROVISIONER;
use super::node::Node;

/// Kubernetes' own controller writes it when a volume is wanted: at once, or when the pod has a node.
const WANTED_OF: &str = "volume.kubernetes.io/storage-provisioner";

/// Never ends.
pub(super) async fn follow(node: &Node) {
    let all: Api<PersistentVolumeClaim> = Api::all(node.client.clone());
    let mut events = pin!(watcher(all, watcher::Config::default()).default_backoff());
    while let Some(event) = events.next().await {
        if let Ok(Event::Apply(claim) | Event::InitApply(claim)) = &event
            && wants_volume(claim)
        {
            provision(node, claim).await;
        }
        if event.is_ok() {
            node.note_change();
        }
    }
}

fn wants_volume(claim: &PersistentVolumeClaim) -> bool {
    let annotations = claim.metadata.annotations.as_ref();
    let wanted_of = annotations.and_then(|annotations| annotations.get(WANTED_OF));
    let is_bound = claim.spec.as_ref().is_some_and(|spec| spec.volume_name.is_some());
    wanted_of.is_some_and(|provisioner| provisioner == PROVISIONER) && !is_bound
}

async fn provision(node: &Node, claim: &PersistentVolumeClaim) {
    let spec = claim.spec.clone().unwrap_or_default();
    let uid = claim.metadata.uid.as_deref().unwrap_or_default();
    let path = node.directory.path().join("claims").join(uid);
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {
            "name": format!("pvc-{uid}"),
            "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER},
        },
        "spec": {
            "capacity": spec.resources.and_then(|resources| resources.requests),
            "accessModes": spec.access_modes,
            "storageClassName": spec.storage_class_name,
            "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": claim.object_ref(&()),
            "hostPath": {"path": path},
        },
    });
    let volume: PersistentVolume = match serde_json::from_value(volume) {
        Ok(volume) => volume,
        Err(error) => return eprintln!("cannot make a volume for claim {uid}: {error}"),
    };
    let volumes: Api<PersistentVolume> = Api::all(node.client.clone());
    match volumes.create(&PostParams::default(), &volume).await {
        // There is one already, and the claim will soon be bound to it.
        Err(kube::Error::Api(refusal)) if refusal.code == 409 => {}
        Err(error) => eprintln!("cannot make a volume for claim {uid}: {error}"),
        Ok(_) => {}
    }
}
