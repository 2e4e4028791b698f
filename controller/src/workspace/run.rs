//! Running the controller: watches, a queue of Workspaces, and reconciles.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::caches::Caches;
use super::figures::figures;
use super::reconcile::Context;
use crate::options::NodeProvisioner;
use crate::presets::{Hub, HubUrl};
use crate::provisioner::back_off::BackOff;
use crate::provisioner::{self, karpenter};
use crate::settings::ControllerSettings;
use crate::watch::chain;
use crate::work::{Contents, Publisher, Reconciler, Reconciles, trigger};

/// Runs until `stop`, and then until the reconciles that have begun are done. `hub` is asked about models that are not in
/// the catalogue.
pub async fn run(controller: ControllerSettings, hub: &HubUrl, stop: CancellationToken) {
    let scope = controller.scope();
    let ControllerSettings {
        client,
        settings,
        concurrency,
        metrics,
        ..
    } = controller;
    if settings.provisioner == NodeProvisioner::Karpenter
        && let Err(error) = karpenter::node_classes::create(&client, &settings.karpenter).await
    {
        // Workspaces say that the NodeClass is not there, and a restart tries again.
        tracing::error!(error = %chain(&error), "the NodeClasses cannot be made");
    }
    let queue = metrics.queue(Context::NAME);
    let (trigger, triggered) = trigger(queue.clone());
    let uses_node_classes = settings.provisioner == NodeProvisioner::Karpenter;
    let node_class = uses_node_classes.then(|| karpenter::node_classes::resource(&settings.karpenter));
    let started = tokio::select! {
        started = Caches::start(&scope, node_class.as_ref(), &trigger) => started,
        () = stop.cancelled() => return,
    };
    let (caches, mut tasks) = started;
    trigger.open();
    tasks.spawn(trigger.send_all(caches.workspaces.clone()));
    let workspaces = caches.workspaces.clone();
    let counted = Arc::clone(&caches);
    metrics.count_workspaces_with(move || {
        let all = counted.workspaces.state();
        let decoded = all.iter().filter_map(|workspace| workspace.0.as_ref().ok());
        figures(decoded, &counted.volume_claims.state())
    });
    let context = Context {
        contents: Contents::new(client.clone()),
        publisher: Publisher::new(client.clone()),
        provisioner: provisioner::of(&settings),
        hub: Hub::new(hub),
        client,
        caches,
        settings,
        back_off: BackOff::default(),
    };
    Reconciles::new(context, queue, metrics)
        .run(workspaces, triggered, concurrency, stop)
        .await;
    tasks.shutdown().await;
}
