//! Running the controller: watches, a queue of sets, and reconciles.

use std::sync::Arc;

use kube::Client;
use kube::runtime::reflector::ObjectRef;
use tokio_util::sync::CancellationToken;

use super::caches::Caches;
use super::reconcile::Context;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::work::{Publisher, Reconciler, Reconciles, trigger};

/// How to run.
pub struct ControllerSettings {
    /// The cluster.
    pub client: Client,
    /// How the controller was started.
    pub settings: Settings,
    /// The one namespace to look at; all when `None`.
    pub watch_namespace: Option<String>,
    /// Reconciles at a time.
    pub concurrency: u16,
    /// Where to count.
    pub metrics: Metrics,
}

/// Runs until `stop`, and then until the reconciles that have begun are done.
pub async fn run(controller: ControllerSettings, stop: CancellationToken) {
    let ControllerSettings {
        client,
        settings,
        watch_namespace,
        concurrency,
        metrics,
    } = controller;
    let queue = metrics.queue(Context::NAME);
    let (trigger, triggered) = trigger(queue.clone());
    let started = tokio::select! {
        started = Caches::start(&client, watch_namespace.as_deref(), &trigger) => started,
        () = stop.cancelled() => return,
    };
    let (caches, mut tasks) = started;
    trigger.open();
    {
        let (caches, trigger) = (Arc::clone(&caches), trigger.clone());
        tasks.spawn(async move {
            let all = caches.sets.state();
            let all = all.iter().map(|set| ObjectRef::from_obj(set.as_ref())).collect();
            trigger.send(|| all).await;
        });
    }
    let sets = caches.sets.clone();
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
