//! Making an engine's objects as they were built, and deleting those that are not wanted any more.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;

use super::build::{Policy, Resources};
use super::caches::Caches;
use super::dereference::Live;
use crate::apply::{Applicable, ApplyError, apply as apply_one, delete, take_over};
use crate::names::FIELD_MANAGER;

/// What the API server has now.
#[derive(Debug)]
pub(crate) struct Applied {
    /// The Deployment.
    pub deployment: Deployment,
}

/// Applies them, and has the caches remember it. `owner` is the engine's uid.
///
/// # Errors
///
/// The API server refuses one of them, or there is one of the same name that is somebody else's.
pub(crate) async fn apply(
    client: &Client,
    owner: &str,
    resources: Resources,
    live: &Live,
    caches: &Caches,
) -> Result<Applied, ApplyError> {
    // Without `..`, so that a new kind does not compile until it is applied.
    let Resources {
        deployment,
        service,
        policy,
        network_policy,
        budget,
    } = resources;
    let one = One { client, owner };
    match policy {
        Policy::Copy(policy) => {
            one.ensure(*policy, live.policy.as_ref()).await?;
        }
        Policy::AsItIs => {}
        Policy::None => one.remove(live.policy.as_ref()).await?,
    }
    caches
        .services
        .remember(one.ensure(service, live.service.as_deref()).await?);
    let live_policy = live.network_policy.as_deref();
    if let Some(applied) = one.ensure_or_remove(network_policy, live_policy).await? {
        caches.network_policies.remember(applied);
    }
    if let Some(applied) = one.ensure_or_remove(budget, live.budget.as_deref()).await? {
        caches.budgets.remember(applied);
    }
    one.clear_rolling_update(&deployment, live.deployment.as_deref())
        .await?;
    let deployment = one.ensure(deployment, live.deployment.as_deref()).await?;
    caches.deployments.remember(deployment.clone());
    Ok(Applied { deployment })
}

struct One<'a> {
    client: &'a Client,
    owner: &'a str,
}

impl One<'_> {
    async fn ensure<K: Applicable>(&self, desired: K, live: Option<&K>) -> Result<K, ApplyError> {
        if let Some(live) = live {
            if !self.owns(live) {
                return Err(ApplyError::Foreign {
                    kind: K::kind(&()).into_owned(),
                    name: live.name_any(),
                });
            }
            return apply_one(self.client, desired, Some(live)).await;
        }
        let namespace = desired.namespace().unwrap_or_default();
        take_over::<K>(self.client, &namespace, &desired.name_any(), self.owner).await?;
        apply_one(self.client, desired, None).await
    }

    async fn ensure_or_remove<K: Applicable>(
        &self,
        desired: Option<K>,
        live: Option<&K>,
    ) -> Result<Option<K>, ApplyError> {
        match desired {
            Some(desired) => self.ensure(desired, live).await.map(Some),
            None => self.remove(live).await.map(|()| None),
        }
    }

    /// What somebody else has said of rolling updates makes the strategy Recreate invalid, and server-side apply cannot
    /// say that it should not be there.
    async fn clear_rolling_update(&self, desired: &Deployment, live: Option<&Deployment>) -> Result<(), ApplyError> {
        let strategy = |deployment: &Deployment| deployment.spec.as_ref().and_then(|spec| spec.strategy.clone());
        let recreates = strategy(desired).is_some_and(|wanted| wanted.type_.as_deref() == Some("Recreate"));
        let Some(live) = live.filter(|live| {
            self.owns(*live) && recreates && strategy(live).is_some_and(|found| found.rolling_update.is_some())
        }) else {
            return Ok(());
        };
        let name = live.name_any();
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), &live.namespace().unwrap_or_default());
        let patch = json!({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": null}}});
        let parameters = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        match api.patch(&name, &parameters, &Patch::Merge(&patch)).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(answer) => Err(ApplyError::refuse::<Deployment>(&name, answer)),
        }
    }

    async fn remove<K: Applicable>(&self, live: Option<&K>) -> Result<(), ApplyError> {
        match live {
            Some(live) if self.owns(live) && live.meta().deletion_timestamp.is_none() => {
                delete(self.client, live).await
            }
            _ => Ok(()),
        }
    }

    fn owns<K: Resource>(&self, object: &K) -> bool {
        object
            .owner_references()
            .iter()
            .any(|owner| owner.controller == Some(true) && owner.uid == self.owner)
    }
}
