//! One reconcile: dereference, validate, build, apply, status.

use std::sync::Arc;
use std::time::Duration;

use kaito_api::names::{RAGENGINE_FINALIZER, annotations, labels};
use kaito_api::v1beta1::{RAGEngine, RAGEngineStatus, ResourceSpec};
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, ResourceExt};
use tokio::time::Instant;

use super::apply::{Applied, apply};
use super::build::build;
use super::caches::{Caches, Guarded};
use super::delete::finalize;
use super::dereference::{Inputs, References, dereference};
use super::indexes::Indexes;
use super::machines::{Plan, plan};
use super::status::{self, Observation, Report, types};
use super::validate::{owner_reference, requested_gpus, validate};
use crate::apply::ApplyError;
use crate::conditions::{Finding, Truth, find};
use crate::provisioner::act::{Performed, perform};
use crate::provisioner::back_off::{BackOff, REFUSED_AGAIN};
use crate::settings::Settings;
use crate::work::{Marks, Publisher, ReconcileError, Reconciler, Recorded, Revision, ensure_revision, mark};

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
    pub(super) back_off: BackOff,
    /// Statuses and events.
    pub(super) publisher: Publisher<Report>,
    /// What services have told of their indexes.
    pub(super) indexes: Arc<Indexes>,
}

impl Reconciler for Context {
    const NAME: &'static str = "ragengine";
    type Object = Guarded;

    async fn reconcile(&self, engine: &Guarded) -> Result<Action, ReconcileError> {
        Box::pin(reconcile(engine, self)).await
    }

    fn forget(&self, namespace: &str, name: &str) {
        self.publisher.forget(namespace, name);
    }
}

/// Looks at one engine, and does what is to be done.
///
/// # Errors
///
/// The API server does not do what it was asked. What is wrong with the engine itself is in its status instead.
async fn reconcile(object: &Guarded, context: &Context) -> Result<Action, ReconcileError> {
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
    let revision = record(client, engine, caches).await?;
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

/// Records the engine's spec, and puts the finalizer on an engine that may have machines.
async fn record(client: &Client, engine: &RAGEngine, caches: &Caches) -> Result<Revision, ApplyError> {
    let recorded = Recorded {
        name: engine.name_any(),
        namespace: engine.namespace().unwrap_or_default(),
        owner: owner_reference(engine),
        label: labels::RAGENGINE_REVISION_OF,
        hash_annotation: annotations::RAGENGINE_HASH,
        data: serde_json::to_value(&engine.spec).unwrap_or_default(),
    };
    let revision = ensure_revision(client, recorded, &caches.revisions).await?;
    let compute = engine.spec.compute.as_ref();
    let marks = Marks {
        finalizer: compute
            .and_then(ResourceSpec::instance_type)
            .map(|_| RAGENGINE_FINALIZER),
        revision: &revision,
        hash: annotations::RAGENGINE_HASH,
        number: annotations::RAGENGINE_REVISION,
    };
    mark(client, engine, &marks).await?;
    Ok(revision)
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
    let Some(action) = plan.action.take() else {
        if plan.resources.is_true() {
            context.back_off.forget(&uid);
        }
        return Ok((plan, None));
    };
    if action.asks_for_machines()
        && let Err(left) = context.back_off.ask(&uid, Instant::now())
    {
        keep_last_words(&mut plan, &current);
        return Ok((plan, Some(left)));
    }
    let mut wait = None;
    for performed in perform(&context.client, &[action]).await? {
        if let Performed::Refused { kind, name, message } = performed {
            plan.refused(&format!("the API server refuses {kind} {name:?}: {message}"));
            wait = Some(REFUSED_AGAIN);
        }
    }
    Ok((plan, wait))
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
        context
            .publisher
            .tell(&engine.metadata, EventType::Warning, "GpuNotUsed", message)
            .await;
    }
}
