//! One reconcile: dereference, validate, build, apply, status.

use std::sync::Arc;
use std::time::Duration;

use kaito_api::names::{RAGENGINE_FINALIZER, annotations};
use kaito_api::v1beta1::{RAGEngine, RAGEngineStatus, ResourceSpec};
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::DynamicObject;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use tokio::time::Instant;

use super::apply::{Applied, apply};
use super::build::build;
use super::caches::{Caches, Guarded, node_claim_resource};
use super::claims::Claims;
use super::delete::finalize;
use super::dereference::{DereferenceError, Inputs, References, dereference};
use super::indexes::Indexes;
use super::machines::{self, Plan, plan};
use super::revision::{self, Revision};
use super::status::{self, Observation, Publisher, Report, types};
use super::validate::{requested_gpus, validate};
use crate::apply::ApplyError;
use crate::conditions::{Finding, Truth, find};
use crate::names::FIELD_MANAGER;
use crate::settings::Settings;

/// What every reconcile has at hand.
pub(super) struct Context {
    /// The cluster.
    pub(super) client: Client,
    /// What is known of it.
    pub(super) caches: Arc<Caches>,
    /// Secrets and ConfigMaps.
    pub(super) inputs: Inputs,
    /// How the controller was started.
    pub(super) settings: Settings,
    /// Requests for machines.
    pub(super) claims: Claims,
    /// Statuses and events.
    pub(super) publisher: Publisher,
    /// What services have told of their indexes.
    pub(super) indexes: Arc<Indexes>,
}

/// Why a reconcile failed; it is tried again, later each time.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReconcileError {
    /// Something that the engine refers to cannot be read.
    #[error("cannot look up what the engine refers to")]
    Dereference(#[from] DereferenceError),
    /// Something cannot be made.
    #[error("cannot make the engine's objects")]
    Apply(#[from] ApplyError),
    /// The status cannot be written.
    #[error("cannot write the status")]
    Status(#[from] kube::Error),
}

/// Looks at one engine, and does what is to be done.
///
/// # Errors
///
/// The API server does not do what it was asked. What is wrong with the engine itself is in its status instead.
pub(super) async fn reconcile(object: &Guarded, context: &Context) -> Result<Action, ReconcileError> {
    let engine = match &object.0 {
        Ok(engine) => engine,
        Err(invalid) => {
            tracing::warn!(error = invalid.error, "an engine cannot be decoded");
            let report = status::undecodable(&invalid.error);
            context.publisher.publish(&invalid.metadata, None, &report).await?;
            return Ok(Action::await_change());
        }
    };
    if engine.metadata.deletion_timestamp.is_some() {
        finalize(&context.client, engine).await?;
        return Ok(Action::await_change());
    }
    let Context {
        client,
        caches,
        inputs,
        settings,
        ..
    } = context;
    let references = dereference(engine, caches, inputs, settings).await?;
    let revision = revision::ensure(client, engine, caches).await?;
    mark(client, engine, &revision).await?;
    let (machine, wait) = machine(engine, &references, context).await?;
    let built = match validate(engine, &references, revision.number, settings) {
        Ok(built) => built,
        Err(problem) => {
            publish(engine, context, &status::invalid(&problem)).await?;
            return Ok(Action::await_change());
        }
    };
    let uid = engine.uid().unwrap_or_default();
    let resources = build(&built, settings);
    // On the heap, because it is a large future and many may be under way.
    let applied = Box::pin(apply(client, &uid, resources, &references.live, caches)).await;
    let observation = Observation {
        engine: &built,
        references: &references,
        machine: &machine,
        deployment: applied.as_ref().map(|Applied { deployment }| deployment),
        indexes: context.indexes.of(&uid),
    };
    let report = observation.report(engine);
    warn_of_unused_gpu(engine, context).await;
    publish(engine, context, &report).await?;
    if report.finding(types::SERVICE).is_some_and(Finding::is_true) {
        context.indexes.ask(ObjectRef::from_obj(object), &uid);
    }
    applied?;
    Ok(wait.map_or_else(Action::await_change, Action::requeue))
}

async fn publish(engine: &RAGEngine, context: &Context, report: &Report) -> Result<(), kube::Error> {
    context
        .publisher
        .publish(&engine.metadata, engine.status.as_ref(), report)
        .await
}

/// Puts the finalizer on an engine that may have machines, and the revision on all, if that is not so already.
async fn mark(client: &Client, engine: &RAGEngine, revision: &Revision) -> Result<(), ApplyError> {
    let needs_finalizer = engine
        .spec
        .compute
        .as_ref()
        .and_then(ResourceSpec::instance_type)
        .is_some();
    let has_finalizer = engine
        .finalizers()
        .iter()
        .any(|finalizer| finalizer == RAGENGINE_FINALIZER);
    let annotated = |key: &str, value: &str| engine.annotations().get(key).is_some_and(|found| found == value);
    let number = revision.number.to_string();
    if (has_finalizer || !needs_finalizer)
        && annotated(annotations::RAGENGINE_HASH, &revision.hash)
        && annotated(annotations::RAGENGINE_REVISION, &number)
    {
        return Ok(());
    }
    let name = engine.name_any();
    let api: Api<RAGEngine> = Api::namespaced(client.clone(), &engine.namespace().unwrap_or_default());
    let object = json!({
        "apiVersion": RAGEngine::api_version(&()),
        "kind": RAGEngine::kind(&()),
        "metadata": {
            // An engine that was deleted in the meantime is not made again.
            "uid": engine.uid(),
            "finalizers": if needs_finalizer { vec![RAGENGINE_FINALIZER] } else { Vec::new() },
            "annotations": {
                annotations::RAGENGINE_HASH: revision.hash,
                annotations::RAGENGINE_REVISION: number,
            },
        },
    });
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch(&name, &parameters, &Patch::Apply(&object)).await {
        Ok(_) => Ok(()),
        Err(source) => Err(ApplyError::refuse::<RAGEngine>(&name, source)),
    }
}

/// Decides about the engine's machine, and does what is to be done. The duration says when to look again, if no watch
/// will tell.
async fn machine(
    engine: &RAGEngine,
    references: &References,
    context: &Context,
) -> Result<(Plan, Option<Duration>), ApplyError> {
    let current = context.publisher.current(&engine.metadata, engine.status.as_ref());
    let previous = current.worker_nodes.as_deref().unwrap_or_default();
    let mut plan = plan(engine, &references.machines, previous, &context.settings);
    let uid = engine.uid().unwrap_or_default();
    match std::mem::replace(&mut plan.action, machines::Action::None) {
        machines::Action::None => {
            if plan.resources.is_true() {
                context.claims.forget(&uid);
            }
        }
        machines::Action::Claim(claim) => {
            if let Err(left) = context.claims.ask(&uid, Instant::now()) {
                keep_last_words(&mut plan, &current);
                return Ok((plan, Some(left)));
            }
            create_claim(&context.client, &claim).await?;
        }
        machines::Action::MarkAccelerator(node) => mark_accelerator(&context.client, &node).await?,
    }
    Ok((plan, None))
}

/// The NodeClaim that told what went wrong is gone, and it is too early for another one: its words are still true.
fn keep_last_words(plan: &mut Plan, current: &RAGEngineStatus) {
    let last = find(current.conditions.as_ref(), types::RESOURCE).filter(|last| last.status == "False");
    if let Some(last) = last {
        let finding = Finding {
            truth: Truth::False,
            reason: last.reason.clone(),
            message: last.message.clone(),
        };
        plan.claim = Some(finding.clone());
        plan.resources = finding;
    }
}

/// Created and not applied: the name follows from the engine, so a second attempt finds the first one, and a NodeClaim's
/// spec cannot be changed.
async fn create_claim(client: &Client, claim: &DynamicObject) -> Result<(), ApplyError> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &node_claim_resource());
    match api
        .create(
            &PostParams {
                field_manager: Some(FIELD_MANAGER.to_owned()),
                ..PostParams::default()
            },
            claim,
        )
        .await
    {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        Err(source) => Err(ApplyError::Refuse {
            kind: "NodeClaim".to_owned(),
            name: claim.name_any(),
            message: source.to_string(),
            answer: Box::new(source),
        }),
    }
}

async fn mark_accelerator(client: &Client, node: &str) -> Result<(), ApplyError> {
    use k8s_openapi::api::core::v1::Node;
    let api: Api<Node> = Api::all(client.clone());
    let patch = json!({"metadata": {"labels": {kaito_api::names::labels::ACCELERATOR: "nvidia"}}});
    match api.patch(node, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(source) => Err(ApplyError::refuse::<Node>(node, source)),
    }
}

/// Once for each version of the spec: a machine with a GPU costs money that this image cannot make use of.
async fn warn_of_unused_gpu(engine: &RAGEngine, context: &Context) {
    let current = context.publisher.current(&engine.metadata, engine.status.as_ref());
    let is_new = current.observed_generation != engine.metadata.generation;
    let own_image = engine.spec.image.as_ref().is_some_and(|image| !image.is_empty());
    let unused = requested_gpus(&engine.spec, &context.settings).is_some() && engine.spec.embedding.local.is_some();
    if is_new && unused && !own_image && !context.settings.image_has_gpu {
        let message = format!(
            "the image {} computes on CPUs only, so the GPU of the machine is not used: name a machine without one, or an \
             image that can use it",
            context.settings.image
        );
        context.publisher.warn(&engine.metadata, "GpuNotUsed", message).await;
    }
}
