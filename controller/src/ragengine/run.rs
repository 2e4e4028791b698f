//! Running the controller: watches, a queue of engines, and reconciles.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::caches::{Caches, Guarded};
use super::dereference::Inputs;
use super::indexes::indexes;
use super::reconcile::Context;
use super::status::types;
use crate::conditions::find;
use crate::metrics::Phase;
use crate::provisioner::back_off::BackOff;
use crate::settings::ControllerSettings;
use crate::work::{Publisher, Reconciler, Reconciles, trigger};

/// Runs until `stop`, and then until the reconciles that have begun are done. Services are asked for their indexes every
/// `index_status_interval`; never when it is zero.
pub async fn run(controller: ControllerSettings, index_status_interval: Duration, stop: CancellationToken) {
    let scope = controller.scope();
    let ControllerSettings {
        client,
        settings,
        concurrency,
        metrics,
        ..
    } = controller;
    let queue = metrics.queue(Context::NAME);
    let (trigger, triggered) = trigger(queue.clone());
    let started = tokio::select! {
        started = Caches::start(&scope, &trigger) => started,
        () = stop.cancelled() => return,
    };
    let (caches, mut tasks) = started;
    let (indexes, questions) = indexes();
    if !index_status_interval.is_zero() {
        let keeping = Arc::clone(&indexes);
        tasks.spawn(keeping.keep_current(Arc::clone(&caches), trigger.clone(), questions, index_status_interval));
    }
    trigger.open();
    tasks.spawn(trigger.send_all(caches.engines.clone()));
    let engines = caches.engines.clone();
    let counted = engines.clone();
    metrics.count_engines_with(move || counted.state().iter().map(|engine| phase(engine)).collect());
    let context = Context {
        inputs: Inputs::new(client.clone(), Arc::clone(&caches)),
        publisher: Publisher::new(client.clone()),
        client,
        caches,
        settings,
        back_off: BackOff::default(),
        indexes,
    };
    Reconciles::new(context, queue, metrics)
        .run(engines, triggered, concurrency, stop)
        .await;
    tasks.shutdown().await;
}

/// What an engine is at. One whose pods are on their way is no error yet.
fn phase(engine: &Guarded) -> Phase {
    let Ok(engine) = &engine.0 else {
        return Phase::error;
    };
    let conditions = engine.status.as_ref().and_then(|status| status.conditions.as_ref());
    match Phase::of(&engine.metadata, conditions, types::READY) {
        Phase::error if find(conditions, types::READY).is_some_and(|ready| ready.reason == "PodsPending") => {
            Phase::pending
        }
        phase => phase,
    }
}
