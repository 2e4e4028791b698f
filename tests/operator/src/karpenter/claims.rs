//! From a NodeClaim to its node, one step at a time, and back.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::{Shared, conditions, plugin};
use crate::nodes::NewNode;

/// The label of nodes that Karpenter has made.
pub(super) const REGISTERED_LABEL: &str = "karpenter.sh/registered";
const FINALIZER: &str = "karpenter.sh/termination";
/// How long a NodeClaim says that it has failed, before it is deleted.
const FAILED_CLAIM_STAYS: Duration = Duration::from_millis(500);

/// Takes the next step.
pub(super) async fn reconcile(seen: &DynamicObject, shared: &Shared) -> kube::Result<Action> {
    let (name, uid) = (seen.name_any(), seen.uid().unwrap_or_default());
    // What the watch has brought may be older than our own last step, which would then be taken twice.
    let found = shared.claims().get_opt(&name).await?;
    let Some(claim) = found.filter(|found| found.metadata.uid == seen.metadata.uid) else {
        return Ok(Action::await_change());
    };
    let claim = &claim;
    if claim.metadata.deletion_timestamp.is_some() {
        return terminate(claim, shared).await;
    }
    if !claim.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
        set_finalizers(claim, shared, &[FINALIZER]).await?;
    }
    match conditions::status_of(claim, "Launched") {
        Some("True") => {}
        Some("False") => {
            if let Some(left) = shared.left_of(FAILED_CLAIM_STAYS, "failed", &uid) {
                return Ok(Action::requeue(left));
            }
            shared.claims().delete(&name, &DeleteParams::default()).await?;
            return Ok(Action::await_change());
        }
        _ => {
            if let Some(left) = shared.left_of(shared.options.launch_delay, "launching", &uid) {
                return Ok(Action::requeue(left));
            }
            if let Some(message) = shared.failure() {
                let status = json!({"conditions": conditions::failed(&message)});
                set_status(claim, shared, &status).await?;
                return Ok(Action::await_change());
            }
            let status = json!({"providerID": provider_id(claim), "conditions": conditions::reached(1)});
            set_status(claim, shared, &status).await?;
        }
    }
    let nodes: Api<Node> = Api::all(shared.client.clone());
    let is_registered = conditions::status_of(claim, "Registered") == Some("True");
    let node = match nodes.get_opt(&node_name(claim)).await? {
        Some(node) => node,
        None if is_registered => {
            // The machine has gone, and a claim is for one machine.
            shared.claims().delete(&name, &DeleteParams::default()).await?;
            return Ok(Action::await_change());
        }
        None => {
            let node = node(claim, shared).map_err(kube::Error::SerdeError)?;
            nodes.create(&PostParams::default(), &node).await?
        }
    };
    if conditions::status_of(claim, "Ready") != Some("True") {
        let status = json!({
            "nodeName": node.name_any(), "providerID": provider_id(claim), "conditions": conditions::reached(4),
        });
        set_status(claim, shared, &status).await?;
    }
    plugin::tell_of_gpus(&node, shared).await
}

/// Ends the machine, and everything on it, and lets the NodeClaim go.
async fn terminate(claim: &DynamicObject, shared: &Shared) -> kube::Result<Action> {
    let name = node_name(claim);
    let nodes: Api<Node> = Api::all(shared.client.clone());
    ignore_missing(nodes.delete(&name, &DeleteParams::default()).await)?;
    // A control plane does it by itself after 40 seconds.
    let pods: Api<Pod> = Api::all(shared.client.clone());
    let placed = ListParams::default().fields(&format!("spec.nodeName={name}"));
    for pod in pods.list(&placed).await? {
        let pods: Api<Pod> = Api::namespaced(shared.client.clone(), &pod.namespace().unwrap_or_default());
        let now = DeleteParams::default().grace_period(0);
        ignore_missing(pods.delete(&pod.name_any(), &now).await)?;
    }
    ignore_missing(set_finalizers(claim, shared, &[]).await)?;
    Ok(Action::await_change())
}

fn ignore_missing<T>(result: kube::Result<T>) -> kube::Result<()> {
    match result {
        Err(kube::Error::Api(refusal)) if refusal.code == 404 => Ok(()),
        other => other.map(drop),
    }
}

/// With the UID, so that another claim of the same name is left alone.
async fn set_finalizers(claim: &DynamicObject, shared: &Shared, finalizers: &[&str]) -> kube::Result<()> {
    let patch = Patch::Merge(json!({"metadata": {"uid": claim.uid(), "finalizers": finalizers}}));
    let claims = shared.claims();
    claims
        .patch(&claim.name_any(), &PatchParams::default(), &patch)
        .await
        .map(drop)
}

async fn set_status(claim: &DynamicObject, shared: &Shared, status: &Value) -> kube::Result<()> {
    let patch = Patch::Merge(json!({"metadata": {"uid": claim.uid()}, "status": status}));
    let claims = shared.claims();
    claims
        .patch_status(&claim.name_any(), &PatchParams::default(), &patch)
        .await
        .map(drop)
}

/// Another claim of the same name has another machine.
fn node_name(claim: &DynamicObject) -> String {
    let uid = claim.uid().unwrap_or_default();
    let (short, _) = uid.split_once('-').unwrap_or((&uid, ""));
    format!("{}-{short}", claim.name_any())
}

fn provider_id(claim: &DynamicObject) -> String {
    format!("kaito-tests:///{}", node_name(claim))
}

fn node(claim: &DynamicObject, shared: &Shared) -> serde_json::Result<Node> {
    let mut labels: BTreeMap<String, String> = claim.labels().clone();
    labels.extend(required(claim));
    for key in [REGISTERED_LABEL, "karpenter.sh/initialized"] {
        labels.insert(key.to_owned(), "true".to_owned());
    }
    let node = NewNode {
        name: node_name(claim),
        labels,
        taints: claim.data.pointer("/spec/taints").cloned().unwrap_or_else(|| json!([])),
        provider_id: Some(provider_id(claim)),
        played_by: shared.options.nodes,
    };
    let mut object = node.object()?;
    object.metadata.owner_references = Some(vec![OwnerReference {
        api_version: "karpenter.sh/v1".to_owned(),
        kind: "NodeClaim".to_owned(),
        name: claim.name_any(),
        uid: claim.uid().unwrap_or_default(),
        ..OwnerReference::default()
    }]);
    Ok(object)
}

/// The labels that the requirements leave no choice about.
fn required(claim: &DynamicObject) -> BTreeMap<String, String> {
    let requirements = claim.data.pointer("/spec/requirements").and_then(Value::as_array);
    let requirements = requirements.into_iter().flatten().filter_map(|requirement| {
        let key = requirement.get("key")?.as_str()?;
        let values = requirement.get("values")?.as_array()?;
        let is_in = requirement.get("operator")?.as_str()? == "In";
        match values.as_slice() {
            [value] if is_in => Some((key.to_owned(), value.as_str()?.to_owned())),
            _ => None,
        }
    });
    requirements.collect()
}
