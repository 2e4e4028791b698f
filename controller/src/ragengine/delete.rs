//! What is left to do when an engine is deleted: its NodeClaims have no owner that Kubernetes could see, so a finalizer
//! keeps the engine until they are told to go. Everything else goes with the engine by itself.

use kaito_api::names::{RAGENGINE_FINALIZER, labels};
use kaito_api::v1beta1::RAGEngine;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::caches::node_claim_resource;
use crate::apply::ApplyError;

/// Deletes the NodeClaims of an engine that is being deleted, and then lets it go. Does not wait for machines to end.
///
/// # Errors
///
/// The API server refuses.
pub(super) async fn finalize(client: &Client, engine: &RAGEngine) -> Result<(), ApplyError> {
    if !engine
        .finalizers()
        .iter()
        .any(|finalizer| finalizer == RAGENGINE_FINALIZER)
    {
        return Ok(());
    }
    delete_claims(client, engine).await?;
    let name = engine.name_any();
    let api: Api<RAGEngine> = Api::namespaced(client.clone(), &engine.namespace().unwrap_or_default());
    let others: Vec<_> = engine
        .finalizers()
        .iter()
        .filter(|finalizer| *finalizer != RAGENGINE_FINALIZER)
        .collect();
    // With the version that was seen, so that nobody else's finalizer is lost.
    let patch = json!({"metadata": {"resourceVersion": engine.resource_version(), "finalizers": others}});
    match api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(source) => Err(ApplyError::refuse::<RAGEngine>(&name, source)),
    }
}

/// Asked of the API server and not of the cache, which may not know a claim that was made a moment ago.
async fn delete_claims(client: &Client, engine: &RAGEngine) -> Result<(), ApplyError> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &node_claim_resource());
    let (name, namespace) = (engine.name_any(), engine.namespace().unwrap_or_default());
    let selector = format!(
        "{}={name},{}={namespace}",
        labels::RAGENGINE,
        labels::RAGENGINE_NAMESPACE
    );
    let claims = match api.list(&ListParams::default().labels(&selector)).await {
        Ok(claims) => claims.items,
        // There are no NodeClaims in this cluster, or not any more.
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
        Err(source) => return Err(ApplyError::refuse::<RAGEngine>(&name, source)),
    };
    for claim in claims
        .iter()
        .filter(|claim| claim.metadata.deletion_timestamp.is_none())
    {
        match api.delete(&claim.name_any(), &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(source) => return Err(ApplyError::refuse::<RAGEngine>(&claim.name_any(), source)),
        }
    }
    Ok(())
}
