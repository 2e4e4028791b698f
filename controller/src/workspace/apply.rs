//! Making a Workspace's objects as they were built, and deleting those that are not wanted any more.

use std::fmt::Debug;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use kube::api::{DeleteParams, Preconditions};
use kube::{Api, Client, ResourceExt};

use super::build::{Resources, job, recreate::must_be_recreated};
use super::caches::Caches;
use super::dereference::Live;
use crate::apply::{Applicable, ApplyError, Owned};

/// What the API server has now.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// The pods that serve.
    pub(super) stateful_set: Option<StatefulSet>,
    /// The pod that tunes.
    pub(super) job: Option<Job>,
    /// Whether a Deployment of an old operator was deleted.
    pub(super) migrated: bool,
}

/// Applies them, and has the caches remember it. `owner` is the Workspace's uid.
///
/// # Errors
///
/// The API server refuses one of them, or there is one of the same name that is somebody else's.
pub(super) async fn apply(
    client: &Client,
    owner: &str,
    resources: Resources,
    live: &Live,
    caches: &Caches,
) -> Result<Applied, ApplyError> {
    // Without `..`, so that a new kind does not compile until it is applied.
    let Resources {
        stateful_set,
        services,
        job: tuning,
        training_config,
    } = resources;
    let owned = Owned { client, owner };
    let mut applied = Applied::default();
    if let Some(config) = training_config {
        owned.ensure(config, live.training_config.as_ref()).await?;
    }
    for service in services {
        let name = service.name_any();
        let before = live.services.iter().find(|live| live.name_any() == name);
        caches
            .services
            .remember(owned.ensure(service, before.map(AsRef::as_ref)).await?);
    }
    match stateful_set {
        Some(desired) => {
            let before = live.stateful_set.as_deref();
            if before.is_none() {
                applied.migrated = delete_deployment(&owned, &desired).await?;
            }
            match before.and_then(|live| Some((live, must_be_recreated(live, &desired)?))) {
                Some((live, field)) => {
                    tracing::info!(
                        object.name = live.name_any(),
                        field,
                        "a StatefulSet is made anew, since this cannot be changed"
                    );
                    delete_with_pods(&owned, live).await?;
                }
                None => {
                    let made = owned.ensure(desired, before).await?;
                    caches.stateful_sets.remember(made.clone());
                    applied.stateful_set = Some(made);
                }
            }
        }
        None => owned.remove(live.stateful_set.as_deref()).await?,
    }
    if let Some(desired) = tuning {
        match live.job.as_deref() {
            // The next look, after it is gone, makes the new one.
            Some(live) if job::must_be_recreated(live, &desired) => delete_with_pods(&owned, live).await?,
            // A Job is never changed: most of it cannot be.
            Some(live) => applied.job = Some(live.clone()),
            None => {
                let made = owned.ensure(desired, None).await?;
                caches.jobs.remember(made.clone());
                applied.job = Some(made);
            }
        }
    }
    Ok(applied)
}

/// Operators before StatefulSets served from a Deployment, whose pods hold the GPUs. Says whether there was one.
async fn delete_deployment(owned: &Owned<'_>, desired: &StatefulSet) -> Result<bool, ApplyError> {
    let name = desired.name_any();
    let api: Api<Deployment> = Api::namespaced(owned.client.clone(), &desired.namespace().unwrap_or_default());
    let found = api.get_opt(&name).await;
    let found = found.map_err(|answer| ApplyError::refuse::<Deployment>(&name, answer))?;
    match found.filter(|deployment| owned.owns(deployment)) {
        Some(deployment) => delete_with_pods(owned, &deployment).await.map(|()| true),
        None => Ok(false),
    }
}

/// Deletes an object that belongs to the Workspace and stays until its pods are gone, so that no two of them want the
/// same GPUs.
async fn delete_with_pods<K: Applicable + Debug>(owned: &Owned<'_>, seen: &K) -> Result<(), ApplyError> {
    if !owned.owns(seen) || seen.meta().deletion_timestamp.is_some() {
        return Ok(());
    }
    let name = seen.name_any();
    let api: Api<K> = Api::namespaced(owned.client.clone(), &seen.namespace().unwrap_or_default());
    let parameters = DeleteParams::foreground().preconditions(Preconditions {
        uid: seen.uid(),
        resource_version: None,
    });
    match api.delete(&name, &parameters).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        Err(answer) => Err(ApplyError::refuse::<K>(&name, answer)),
    }
}
