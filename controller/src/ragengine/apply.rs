//! Making an engine's objects as they were built, and deleting those that are not wanted any more.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::build::{Policy, Resources};
use super::caches::Caches;
use super::dereference::Live;
use crate::apply::{ApplyError, Owned};
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
        workspace,
    } = resources;
    let one = Owned { client, owner };
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
    one.ensure_or_remove(workspace, live.workspace.as_ref()).await?;
    clear_rolling_update(one, &deployment, live.deployment.as_deref()).await?;
    let deployment = one.ensure(deployment, live.deployment.as_deref()).await?;
    caches.deployments.remember(deployment.clone());
    Ok(Applied { deployment })
}

/// What somebody else has said of rolling updates makes the strategy Recreate invalid, and server-side apply cannot
/// say that it should not be there.
async fn clear_rolling_update(
    owned: Owned<'_>,
    desired: &Deployment,
    live: Option<&Deployment>,
) -> Result<(), ApplyError> {
    let strategy = |deployment: &Deployment| deployment.spec.as_ref().and_then(|spec| spec.strategy.clone());
    let recreates = strategy(desired).is_some_and(|wanted| wanted.type_.as_deref() == Some("Recreate"));
    let Some(live) = live.filter(|live| {
        owned.owns(*live) && recreates && strategy(live).is_some_and(|found| found.rolling_update.is_some())
    }) else {
        return Ok(());
    };
    let name = live.name_any();
    let api: Api<Deployment> = Api::namespaced(owned.client.clone(), &live.namespace().unwrap_or_default());
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
