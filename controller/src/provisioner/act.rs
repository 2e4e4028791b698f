//! Doing what a plan says. The only part of provisioning that changes the cluster while the controller runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;
use kaito_api::names::labels;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client, ResourceExt};
use serde_json::{Map, Value, json};

use super::{Action, Observed, Owner, node_claim_resource, node_pool_resource};
use crate::apply::ApplyError;
use crate::names::FIELD_MANAGER;

/// What came of asking for a machine. Of other actions, nothing is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Performed {
    /// It was asked for just now.
    Created {
        /// `NodeClaim` or `NodePool`.
        kind: String,
        /// Name of what was made.
        name: String,
    },
    /// The API server refused it. The next look tries again.
    Refused {
        /// `NodeClaim` or `NodePool`.
        kind: String,
        /// Name of what was to be made.
        name: String,
        /// What the API server said.
        message: String,
    },
}

/// Performs all actions. Each may be performed again without harm.
///
/// # Errors
///
/// The API server does not do something else than making what asks for a machine; the other actions are performed first.
pub(crate) async fn perform(client: &Client, actions: &[Action]) -> Result<Vec<Performed>, ApplyError> {
    let (mut performed, mut failed) = (Vec::new(), Ok(()));
    for action in actions {
        match one(client, action).await {
            Ok(outcome) => performed.extend(outcome),
            Err(error) => failed = Err(error),
        }
    }
    failed.map(|()| performed)
}

/// What an owner has, asked of the API server and not of a cache, which may not know what was made a moment ago. With
/// this and [`super::Provisioner::release`], an owner that is deleted leaves nothing behind.
///
/// # Errors
///
/// The API server does not answer.
pub(crate) async fn belongings(client: &Client, owner: &Owner) -> Result<Observed, ApplyError> {
    let (claims, claims_are_served) = claims(client, owner).await?;
    let (pools, pools_are_served) = list(client, &node_pool_resource(), &owner.pool_labels()).await?;
    let mut nodes = Vec::new();
    let api: Api<Node> = Api::all(client.clone());
    for labels in [owner.labels(), owner.pool_labels()] {
        let found = api.list(&ListParams::default().labels(&selector(&labels))).await;
        let found = found.map_err(|answer| ApplyError::refuse::<Node>(&owner.name, answer))?;
        nodes.extend(found.items.into_iter().map(Arc::new));
    }
    Ok(Observed {
        claims,
        claims_are_served,
        pools,
        pools_are_served,
        node_classes: Vec::new(),
        nodes,
    })
}

/// The NodeClaims of an owner, asked of the API server, and whether there are NodeClaims in this cluster at all.
///
/// # Errors
///
/// The API server does not answer.
pub(crate) async fn claims(client: &Client, owner: &Owner) -> Result<(Vec<Arc<DynamicObject>>, bool), ApplyError> {
    list(client, &node_claim_resource(), &owner.labels()).await
}

async fn list(
    client: &Client,
    resource: &ApiResource,
    labels: &BTreeMap<String, String>,
) -> Result<(Vec<Arc<DynamicObject>>, bool), ApplyError> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), resource);
    match api.list(&ListParams::default().labels(&selector(labels))).await {
        Ok(found) => Ok((found.items.into_iter().map(Arc::new).collect(), true)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok((Vec::new(), false)),
        Err(answer) => Err(refuse(&resource.kind, &selector(labels), answer)),
    }
}

fn selector(labels: &BTreeMap<String, String>) -> String {
    let all: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    all.join(",")
}

async fn one(client: &Client, action: &Action) -> Result<Option<Performed>, ApplyError> {
    match action {
        Action::CreateClaim(claim) => Ok(create(client, &node_claim_resource(), claim).await),
        Action::CreatePool(pool) => Ok(create(client, &node_pool_resource(), pool).await),
        Action::ScalePool {
            name,
            replicas,
            resource_version,
        } => {
            let patch = json!({
                "metadata": {"resourceVersion": resource_version},
                "spec": {"replicas": replicas},
            });
            let resource = node_pool_resource();
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
            let answer = api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
            match unless_changed(answer) {
                Ok(()) => Ok(None),
                Err(answer) => Ok(Some(refused(&resource.kind, name, &answer))),
            }
        }
        Action::DeleteClaim(name) => delete(client, &node_claim_resource(), name).await,
        Action::DeletePool(name) => delete(client, &node_pool_resource(), name).await,
        Action::MarkAccelerator(node) => {
            let mark = json!({"metadata": {"labels": {labels::ACCELERATOR: "nvidia"}}});
            let answer = label(client, node, &mark).await;
            unless_changed(answer).map_err(|answer| ApplyError::refuse::<Node>(node, answer))?;
            Ok(None)
        }
        Action::Adopt {
            node,
            labels,
            resource_version,
        } => {
            let patch = json!({"metadata": {"resourceVersion": resource_version, "labels": labels}});
            // Somebody else may just have taken it: the change of the node brings another look.
            let answer = label(client, node, &patch).await;
            unless_changed(answer).map_err(|answer| ApplyError::refuse::<Node>(node, answer))?;
            Ok(None)
        }
        Action::Release {
            node,
            labels,
            resource_version,
        } => {
            let none: Map<String, Value> = labels.iter().map(|key| (key.clone(), Value::Null)).collect();
            let patch = json!({"metadata": {"resourceVersion": resource_version, "labels": none}});
            match label(client, node, &patch).await {
                Err(answer) if !is_gone(&answer) => Err(ApplyError::refuse::<Node>(node, answer)),
                _ => Ok(None),
            }
        }
    }
}

/// Created and not applied: the name follows from the owner, so a second attempt finds the first one, and a NodeClaim's
/// spec cannot be changed.
async fn create(client: &Client, resource: &ApiResource, object: &DynamicObject) -> Option<Performed> {
    let (kind, name) = (resource.kind.clone(), object.name_any());
    let api: Api<DynamicObject> = Api::all_with(client.clone(), resource);
    let parameters = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    match api.create(&parameters, object).await {
        Ok(_) => Some(Performed::Created { kind, name }),
        Err(kube::Error::Api(status)) if status.code == 409 => None,
        Err(answer) => Some(refused(&kind, &name, &answer)),
    }
}

async fn delete(client: &Client, resource: &ApiResource, name: &str) -> Result<Option<Performed>, ApplyError> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), resource);
    match api.delete(name, &DeleteParams::default()).await {
        Err(answer) if !is_gone(&answer) => Err(refuse(&resource.kind, name, answer)),
        _ => Ok(None),
    }
}

async fn label(client: &Client, node: &str, patch: &Value) -> Result<Node, kube::Error> {
    let api: Api<Node> = Api::all(client.clone());
    api.patch(node, &PatchParams::default(), &Patch::Merge(patch)).await
}

/// An object that is gone or has changed since it was looked at is left as it is.
fn unless_changed<K>(answer: Result<K, kube::Error>) -> Result<(), kube::Error> {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        Err(answer) => Err(answer),
        Ok(_) => Ok(()),
    }
}

fn is_gone(answer: &kube::Error) -> bool {
    matches!(answer, kube::Error::Api(status) if status.code == 404)
}

fn words(answer: &kube::Error) -> String {
    match answer {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

fn refused(kind: &str, name: &str, answer: &kube::Error) -> Performed {
    Performed::Refused {
        kind: kind.to_owned(),
        name: name.to_owned(),
        message: words(answer),
    }
}

fn refuse(kind: &str, name: &str, answer: kube::Error) -> ApplyError {
    ApplyError::Refuse {
        kind: kind.to_owned(),
        name: name.to_owned(),
        message: words(&answer),
        answer: Box::new(answer),
    }
}
