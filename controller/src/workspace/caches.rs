//! What the controller keeps in memory of the cluster: the Workspaces, what it made for them, and what they refer to.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Node, PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::storage::v1::StorageClass;
use kaito_api::names::labels;
use kaito_api::v1beta1::Workspace;
use kube::core::{ApiResource, DeserializeGuard, DynamicObject, PartialObjectMeta};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Config;
use kube::{Api, ResourceExt};
use tokio::task::JoinSet;

use super::triggers;
use crate::names::{FIELD_MANAGER, MANAGED_BY};
use crate::provisioner::{node_claim_resource, node_pool_resource};
use crate::watch::{Cache, Served, Source, served};
use crate::work::{Optional, Scope, Trigger, Watchers, empty, itself, metadata_alone, owner, slim_node};

/// A Workspace, or what is known of one that cannot be decoded.
pub(crate) type Guarded = DeserializeGuard<Workspace>;

/// The StorageClass of machines' own fast disks.
pub(crate) const NVME_STORAGE_CLASS: &str = "kaito-local-nvme-disk";

/// The caches. Each is complete when [`Caches::start`] has returned.
pub(crate) struct Caches {
    /// Workspaces.
    pub workspaces: Store<Guarded>,
    /// StatefulSets that we made.
    pub stateful_sets: Cache<StatefulSet>,
    /// Services that we made.
    pub services: Cache<Service>,
    /// Jobs that we made.
    pub jobs: Cache<Job>,
    /// Revisions of Workspaces.
    pub revisions: Store<ControllerRevision>,
    /// Pods of Workspaces.
    pub pods: Store<Pod>,
    /// Metadata of all ConfigMaps.
    pub config_maps: Store<PartialObjectMeta<ConfigMap>>,
    /// Metadata of the ConfigMaps of the installation's namespace, among them the default trainings.
    pub templates: Store<PartialObjectMeta<ConfigMap>>,
    /// Metadata of all Secrets.
    pub secrets: Store<PartialObjectMeta<Secret>>,
    /// Claims of Workspaces for disks.
    pub volume_claims: Store<PersistentVolumeClaim>,
    /// All nodes.
    pub nodes: Store<Node>,
    /// All NodeClaims.
    pub node_claims: Store<DynamicObject>,
    /// All NodePools.
    pub node_pools: Store<DynamicObject>,
    /// NodeClasses of the kind that the installation uses.
    pub node_classes: Option<Store<DynamicObject>>,
    /// The StorageClass of machines' own disks, if there is one.
    pub storage_classes: Store<StorageClass>,
    node_claims_served: Served,
    node_pools_served: Served,
}

impl Caches {
    /// Begins to watch and returns when every cache has what there is. From then on `trigger` passes changes on. The
    /// watches end with the tasks. `node_class` is the kind of NodeClasses, where they are used.
    pub(crate) async fn start(
        scope: &Scope,
        node_class: Option<&ApiResource>,
        trigger: &Trigger<Guarded>,
    ) -> (Arc<Self>, JoinSet<()>) {
        let (workspaces, workspace_writer) = empty(());
        let (stateful_sets, stateful_set_writer) = empty(());
        let (services, service_writer) = empty(());
        let (jobs, job_writer) = empty(());
        let (revisions, revision_writer) = empty(());
        let (pods, pod_writer) = empty(());
        let (config_maps, config_map_writer) = empty(());
        let (templates, template_writer) = empty(());
        let (secrets, secret_writer) = empty(());
        let (volume_claims, volume_claim_writer) = empty(());
        let (nodes, node_writer) = empty(());
        let (node_claims, node_claim_writer) = empty(node_claim_resource());
        let (node_pools, node_pool_writer) = empty(node_pool_resource());
        let (storage_classes, storage_class_writer) = empty(());
        let (serving_node_claims, node_claims_served) = served();
        let (serving_node_pools, node_pools_served) = served();
        let (node_classes, node_class_writer) = node_class.cloned().map(empty).unzip();
        let caches = Arc::new(Self {
            workspaces,
            stateful_sets: Cache::new(stateful_sets),
            services: Cache::new(services),
            jobs: Cache::new(jobs),
            revisions,
            pods,
            config_maps,
            templates,
            secrets,
            volume_claims,
            nodes,
            node_claims,
            node_pools,
            node_classes,
            storage_classes,
            node_claims_served: node_claims_served.clone(),
            node_pools_served: node_pools_served.clone(),
        });

        let all = Config::default;
        let ours = || all().labels(&format!("{MANAGED_BY}={FIELD_MANAGER},{}", labels::WORKSPACE));
        let of_workspaces = || all().labels(labels::WORKSPACE);
        let mut watchers = Watchers::new(&scope.client, trigger, &caches);
        watchers.objects(Source::new(scope.api(), all()), workspace_writer, itself);
        watchers.applied(
            Source::new(scope.api(), ours()),
            stateful_set_writer,
            &caches.stateful_sets,
        );
        watchers.applied(Source::new(scope.api(), ours()), service_writer, &caches.services);
        watchers.applied(Source::new(scope.api(), ours()), job_writer, &caches.jobs);
        let recorded = all().labels(labels::WORKSPACE_REVISION_OF);
        let numbers = Source::new(scope.api(), recorded).slim(|revision: &mut ControllerRevision| revision.data = None);
        watchers.objects(numbers, revision_writer, owner);
        let states = Source::new(scope.api(), of_workspaces()).slim(|pod: &mut Pod| pod.spec = None);
        watchers.objects(states, pod_writer, triggers::pod);
        let metadata = Source::new(scope.api(), all()).slim(metadata_alone);
        watchers.objects(metadata, secret_writer, triggers::secret);
        let metadata = Source::new(scope.api(), all()).slim(metadata_alone);
        watchers.objects(metadata, config_map_writer, triggers::config_map);
        let installation = Api::namespaced(scope.client.clone(), &scope.installation);
        let metadata = Source::new(installation, all()).slim(metadata_alone);
        watchers.objects(metadata, template_writer, triggers::template);
        watchers.objects(
            Source::new(scope.api(), of_workspaces()),
            volume_claim_writer,
            |_, _| Vec::new(),
        );
        let nodes = Source::new(Api::all(scope.client.clone()), all()).slim(slim_node);
        watchers.objects(nodes, node_writer, triggers::node);
        let fast_disk = all().fields(&format!("metadata.name={NVME_STORAGE_CLASS}"));
        let storage = Source::new(Api::all(scope.client.clone()), fast_disk);
        watchers.objects(storage, storage_class_writer, triggers::storage_class);
        let claims = Optional {
            definition: "nodeclaims.karpenter.sh".to_owned(),
            serving: serving_node_claims,
            served: node_claims_served,
            dynamic_type: node_claim_resource(),
            writer: node_claim_writer,
        };
        let source = Source::new(Api::all_with(scope.client.clone(), &node_claim_resource()), all());
        watchers.optional(claims, source, triggers::node_claim);
        let pools = Optional {
            definition: "nodepools.karpenter.sh".to_owned(),
            serving: serving_node_pools,
            served: node_pools_served,
            dynamic_type: node_pool_resource(),
            writer: node_pool_writer,
        };
        let source = Source::new(Api::all_with(scope.client.clone(), &node_pool_resource()), all());
        watchers.optional(pools, source, triggers::machine);
        let classes_served = node_class.zip(node_class_writer).map(|(kind, writer)| {
            let (serving, classes_served) = served();
            let classes = Optional {
                definition: format!("{}.{}", kind.plural, kind.group),
                serving,
                served: classes_served.clone(),
                dynamic_type: kind.clone(),
                writer,
            };
            let source = Source::new(Api::all_with(scope.client.clone(), kind), all());
            watchers.optional(classes, source, triggers::node_class);
            classes_served
        });
        let tasks = watchers.run();
        caches.wait_until_complete(classes_served).await;
        (caches, tasks)
    }

    async fn wait_until_complete(&self, node_classes_served: Option<Served>) {
        // A cache is never abandoned by its writer while the tasks live, so these waits cannot fail.
        macro_rules! wait {
            ($($store:expr),*) => { $( let _ = $store.wait_until_ready().await; )* };
        }
        wait!(self.workspaces, self.revisions, self.pods, self.nodes, self.secrets);
        wait!(
            self.config_maps,
            self.templates,
            self.volume_claims,
            self.storage_classes
        );
        wait!(self.stateful_sets.store(), self.services.store(), self.jobs.store());
        if self.node_claims_served.known().await {
            wait!(self.node_claims);
        }
        if self.node_pools_served.known().await {
            wait!(self.node_pools);
        }
        if let (Some(served), Some(classes)) = (node_classes_served, &self.node_classes)
            && served.known().await
        {
            wait!(classes);
        }
    }

    /// Whether there are NodeClaims in this cluster.
    pub(crate) fn node_claims_are_served(&self) -> bool {
        self.node_claims_served.now()
    }

    /// Whether there are NodePools in this cluster.
    pub(crate) fn node_pools_are_served(&self) -> bool {
        self.node_pools_served.now()
    }

    /// The version of a ConfigMap, if there is one of this name.
    pub(crate) fn config_map_version(&self, namespace: &str, name: &str) -> Option<String> {
        let reference = ObjectRef::new(name).within(namespace);
        let found = self
            .config_maps
            .get(&reference)
            .or_else(|| self.templates.get(&reference));
        found?.resource_version()
    }

    /// The pods of a Workspace.
    pub(crate) fn pods_of(&self, name: &str, namespace: &str) -> Vec<Arc<Pod>> {
        self.pods.state_filter(|pod| {
            pod.metadata.namespace.as_deref() == Some(namespace)
                && pod
                    .labels()
                    .get(labels::WORKSPACE)
                    .is_some_and(|workspace| workspace == name)
        })
    }
}
