//! What the controller keeps in memory of the cluster: the sets, their Workspaces and their revisions.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::Service;
use kaito_api::names::labels;
use kaito_api::v1beta1::{InferenceSet, Workspace};
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use kube::runtime::watcher::Config;
use tokio::task::JoinSet;

use crate::watch::{Cache, Source};
use crate::work::{Scope, Trigger, Watchers, empty, itself, owner};

/// A set, or what is known of one that cannot be decoded.
pub(super) type Guarded = DeserializeGuard<InferenceSet>;
/// The same of a Workspace.
pub(super) type GuardedWorkspace = DeserializeGuard<Workspace>;

/// The caches. Each is complete when [`Caches::start`] has returned.
pub(super) struct Caches {
    /// Sets.
    pub(super) sets: Store<Guarded>,
    /// Workspaces of sets.
    pub(super) workspaces: Store<GuardedWorkspace>,
    /// Services of sets.
    pub(super) services: Cache<Service>,
    /// Revisions of sets.
    pub(super) revisions: Store<ControllerRevision>,
}

impl Caches {
    /// Begins to watch and returns when every cache has what there is. From then on `trigger` passes changes on. The
    /// watches end with the tasks.
    pub(super) async fn start(scope: &Scope, trigger: &Trigger<Guarded>) -> (Arc<Self>, JoinSet<()>) {
        let (sets, set_writer) = empty(());
        let (workspaces, workspace_writer) = empty(());
        let (services, service_writer) = empty(());
        let (revisions, revision_writer) = empty(());
        let caches = Arc::new(Self {
            sets,
            workspaces,
            services: Cache::new(services),
            revisions,
        });
        let mut watchers = Watchers::new(&scope.client, trigger, &caches);
        watchers.objects(Source::new(scope.api(), Config::default()), set_writer, itself);
        let ours = Config::default().labels(labels::CREATED_BY_INFERENCE_SET);
        watchers.objects(Source::new(scope.api(), ours), workspace_writer, owner);
        let ours = Config::default().labels(labels::CREATED_BY_INFERENCE_SET);
        let source = Source::new(scope.api(), ours);
        watchers.applied(source, service_writer, &caches.services);
        let recorded = Config::default().labels(labels::INFERENCE_SET_REVISION_OF);
        let numbers = Source::new(scope.api(), recorded).slim(|revision: &mut ControllerRevision| revision.data = None);
        watchers.objects(numbers, revision_writer, owner);
        let tasks = watchers.run();
        // A cache is never abandoned by its writer while the tasks live, so these waits cannot fail.
        let _ = caches.sets.wait_until_ready().await;
        let _ = caches.workspaces.wait_until_ready().await;
        let _ = caches.services.store().wait_until_ready().await;
        let _ = caches.revisions.wait_until_ready().await;
        (caches, tasks)
    }
}
