//! Running the controller: watches, a queue of sets, and reconciles.

use tokio_util::sync::CancellationToken;

use super::caches::{Caches, Guarded};
use super::reconcile::Context;
use super::status::types;
use crate::metrics::Phase;
use crate::settings::ControllerSettings;
use crate::work::{Publisher, Reconciler, Reconciles, trigger};

/// Runs until `stop`, and then until the reconciles that have begun are done.
pub async fn run(controller: ControllerSettings, stop: CancellationToken) {
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
    trigger.open();
    tasks.spawn(trigger.send_all(caches.sets.clone()));
    let sets = caches.sets.clone();
    let counted = sets.clone();
    metrics.count_sets_with(move || counted.state().iter().map(|set| phase(set)).collect());
    let context = Context {
        publisher: Publisher::new(client.clone()),
        client,
        caches,
        settings,
    };
    Reconciles::new(context, queue, metrics)
        .run(sets, triggered, concurrency, stop)
        .await;
    tasks.shutdown().await;
}

/// What a set is at.
fn phase(set: &Guarded) -> Phase {
    let Ok(set) = &set.0 else {
        return Phase::error;
    };
    let conditions = set.status.as_ref().and_then(|status| status.conditions.as_ref());
    Phase::of(&set.metadata, conditions, types::READY)
}
