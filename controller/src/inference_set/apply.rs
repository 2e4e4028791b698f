//! Doing what is planned.

use kaito_api::v1beta1::Workspace;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};

use super::plan::Plan;
use crate::apply::{ApplyError, delete, with_type};

/// Field manager of Workspaces that are made for a set. Not the one of all else: with that one the Workspaces' own
/// controller puts its marks on them, and server-side apply would take the one's fields away for the other's.
const FIELD_MANAGER: &str = "kaito-inference-set";

/// Deletes, changes and makes Workspaces. One that fails does not keep the others; the first failure is told.
pub(super) async fn perform(client: &Client, plan: &Plan) -> Result<(), ApplyError> {
    let mut outcome = Ok(());
    for workspace in &plan.delete {
        outcome = outcome.and(delete(client, workspace.as_ref()).await);
    }
    for workspace in &plan.change {
        outcome = outcome.and(apply(client, workspace).await);
    }
    for workspace in &plan.create {
        outcome = outcome.and(create(client, workspace).await);
    }
    outcome
}

async fn create(client: &Client, workspace: &Workspace) -> Result<(), ApplyError> {
    let name = workspace.name_any();
    // The set has none of this name, so it would be somebody else's.
    let found = api(client, workspace).get_metadata_opt(&name).await;
    if found
        .map_err(|answer| ApplyError::refuse::<Workspace>(&name, answer))?
        .is_some()
    {
        return Err(ApplyError::Foreign {
            kind: "Workspace".to_owned(),
            name,
        });
    }
    apply(client, workspace).await
}

async fn apply(client: &Client, workspace: &Workspace) -> Result<(), ApplyError> {
    let name = workspace.name_any();
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    let patch = Patch::Apply(with_type(workspace));
    let answer = api(client, workspace).patch(&name, &parameters, &patch).await;
    answer
        .map(|_| ())
        .map_err(|answer| ApplyError::refuse::<Workspace>(&name, answer))
}

fn api(client: &Client, workspace: &Workspace) -> Api<Workspace> {
    Api::namespaced(client.clone(), &workspace.namespace().unwrap_or_default())
}
