//! What is left to do when an engine is deleted: its NodeClaims have no owner that Kubernetes could see, so a finalizer
//! keeps the engine until they are told to go. Everything else goes with the engine by itself.

use kaito_api::names::RAGENGINE_FINALIZER;
use kaito_api::v1beta1::RAGEngine;
use kube::{Client, ResourceExt};

use super::machines::owner;
use crate::apply::ApplyError;
use crate::provisioner::act::{claims, perform};
use crate::provisioner::release_claims;
use crate::work::let_go;

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
    let owner = owner(engine);
    // Asked of the API server and not of the cache, which may not know a claim that was made a moment ago.
    let (claims, _) = claims(client, &owner).await?;
    perform(client, &release_claims(&claims, &owner)).await?;
    let_go(client, engine, RAGENGINE_FINALIZER).await
}
