//! Running the controller: watches, a queue of Workspaces, and reconciles.

use std::sync::Arc;

use kube::Client;
use kube::runtime::reflector::ObjectRef;
use tokio_util::sync::CancellationToken;

use super::caches::{Caches, Scope};
use super::figures::figures;
use super::reconcile::Context;
use crate::metrics::Metrics;
use crate::options::NodeProvisioner;
use crate::presets::{Hub, HubUrl};
use crate::provisioner::back_off::BackOff;
use crate::provisioner::{self, karpenter};
use crate::settings::Settings;
use crate::watch::chain;
use crate::work::{Contents, Publisher, Reconciler, Reconciles, trigger};

/// How to run.
pub struct ControllerSettings {
    /// The cluster.
    pub client: Client,
    /// What builders need to know.
    pub settings: Settings,
    /// Where models are asked for that are not in the catalogue.
    pub hub: HubUrl,
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
        hub,
        watch_namespace,
        concurrency,
        metrics,
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
    let scope = Scope {
        client: client.clone(),
        namespace: watch_namespace,
        installation: settings.namespace.clone(),
        node_class: uses_node_classes.then(|| karpenter::node_classes::resource(&settings.karpenter)),
    };
    let started = tokio::select! {
        started = Caches::start(&scope, &trigger) => started,
        () = stop.cancelled() => return,
    };
    let (caches, mut tasks) = started;
    trigger.open();
    {
        let (caches, trigger) = (Arc::clone(&caches), trigger.clone());
        tasks.spawn(async move {
            let all = caches.workspaces.state();
            let all = all
                .iter()
                .map(|workspace| ObjectRef::from_obj(workspace.as_ref()))
                .collect();
            trigger.send(|| all).await;
        });
    }
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
        hub: Hub::new(&hub),
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
