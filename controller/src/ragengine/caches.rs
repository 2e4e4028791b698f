//! What the controller keeps in memory of the cluster: the engines, what it made for them, and what they refer to.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::{ConfigMap, Node, PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kaito_api::names::{DEFAULT_GUARDRAILS_CONFIG_MAP, labels};
use kaito_api::v1beta1::{InferenceSet, RAGEngine, Workspace};
use kube::core::{DeserializeGuard, DynamicObject, PartialObjectMeta};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Config;
use kube::{Api, ResourceExt};
use tokio::task::JoinSet;

use super::triggers;
use crate::names::{FIELD_MANAGER, MANAGED_BY};
use crate::provisioner::node_claim_resource;
use crate::watch::{Cache, Served, Source, served};
use crate::work::{Optional, Scope, Trigger, Watchers, empty, itself, metadata_alone, owner, slim_node};

/// An engine, or what is known of one that cannot be decoded.
pub(crate) type Guarded = DeserializeGuard<RAGEngine>;

/// The caches. Each is complete when [`Caches::start`] has returned.
pub(crate) struct Caches {
    /// Engines.
    pub engines: Store<Guarded>,
    /// Deployments that we made.
    pub deployments: Cache<Deployment>,
    /// Services that we made.
    pub services: Cache<Service>,
    /// NetworkPolicies that we made.
    pub network_policies: Cache<NetworkPolicy>,
    /// PodDisruptionBudgets that we made.
    pub budgets: Cache<PodDisruptionBudget>,
    /// Revisions of engines.
    pub revisions: Store<ControllerRevision>,
    /// Pods of engines.
    pub pods: Store<Pod>,
    /// Metadata of all ConfigMaps.
    pub config_maps: Store<PartialObjectMeta<ConfigMap>>,
    /// Metadata of the default guardrails policy, in the installation's namespace.
    pub default_policy: Store<PartialObjectMeta<ConfigMap>>,
    /// Metadata of all Secrets.
    pub secrets: Store<PartialObjectMeta<Secret>>,
    /// All PersistentVolumeClaims.
    pub volume_claims: Store<PersistentVolumeClaim>,
    /// All nodes.
    pub nodes: Store<Node>,
    /// NodeClaims of engines.
    pub node_claims: Store<DynamicObject>,
    /// All Workspaces.
    pub workspaces: Store<DeserializeGuard<Workspace>>,
    /// All InferenceSets.
    pub inference_sets: Store<DeserializeGuard<InferenceSet>>,
    node_claims_served: Served,
    workspaces_served: Served,
    inference_sets_served: Served,
}

/// Whether labels say that something belongs to an engine.
pub(crate) fn is_of(labels: &BTreeMap<String, String>, name: &str, namespace: &str) -> bool {
    let has = |key: &str, value: &str| labels.get(key).is_some_and(|found| found == value);
    has(labels::RAGENGINE, name) && has(labels::RAGENGINE_NAMESPACE, namespace)
}

impl Caches {
    /// Begins to watch and returns when every cache has what there is. From then on `trigger` passes changes on. The
    /// watches end with the tasks.
    pub(crate) async fn start(scope: &Scope, trigger: &Trigger<Guarded>) -> (Arc<Self>, JoinSet<()>) {
        let (engines, engine_writer) = empty(());
        let (deployments, deployment_writer) = empty(());
        let (services, service_writer) = empty(());
        let (network_policies, network_policy_writer) = empty(());
        let (budgets, budget_writer) = empty(());
        let (revisions, revision_writer) = empty(());
        let (pods, pod_writer) = empty(());
        let (config_maps, config_map_writer) = empty(());
        let (default_policy, default_policy_writer) = empty(());
        let (secrets, secret_writer) = empty(());
        let (volume_claims, volume_claim_writer) = empty(());
        let (nodes, node_writer) = empty(());
        let (node_claims, node_claim_writer) = empty(node_claim_resource());
        let (workspaces, workspace_writer) = empty(());
        let (inference_sets, inference_set_writer) = empty(());
        let (serving_node_claims, node_claims_served) = served();
        let (serving_workspaces, workspaces_served) = served();
        let (serving_inference_sets, inference_sets_served) = served();
        let caches = Arc::new(Self {
            engines,
            deployments: Cache::new(deployments),
            services: Cache::new(services),
            network_policies: Cache::new(network_policies),
            budgets: Cache::new(budgets),
            revisions,
            pods,
            config_maps,
            default_policy,
            secrets,
            volume_claims,
            nodes,
            node_claims,
            workspaces,
            inference_sets,
            node_claims_served: node_claims_served.clone(),
            workspaces_served: workspaces_served.clone(),
            inference_sets_served: inference_sets_served.clone(),
        });

        let all = Config::default;
        let ours = || all().labels(&format!("{MANAGED_BY}={FIELD_MANAGER}"));
        let mut watchers = Watchers::new(&scope.client, trigger, &caches);
        watchers.objects(Source::new(scope.api(), all()), engine_writer, itself);
        watchers.applied(Source::new(scope.api(), ours()), deployment_writer, &caches.deployments);
        watchers.applied(Source::new(scope.api(), ours()), service_writer, &caches.services);
        watchers.applied(
            Source::new(scope.api(), ours()),
            network_policy_writer,
            &caches.network_policies,
        );
        watchers.applied(Source::new(scope.api(), ours()), budget_writer, &caches.budgets);
        let of_engines = all().labels(labels::RAGENGINE_REVISION_OF);
        let numbers =
            Source::new(scope.api(), of_engines).slim(|revision: &mut ControllerRevision| revision.data = None);
        watchers.objects(numbers, revision_writer, owner);
        let of_engines = all().labels(labels::RAGENGINE);
        let states = Source::new(scope.api(), of_engines).slim(|pod: &mut Pod| pod.spec = None);
        watchers.objects(states, pod_writer, triggers::pod);
        let metadata = Source::new(scope.api(), all()).slim(metadata_alone);
        watchers.objects(metadata, secret_writer, triggers::secret);
        let metadata = Source::new(scope.api(), all()).slim(metadata_alone);
        watchers.objects(metadata, config_map_writer, triggers::config_map);
        let default = all().fields(&format!("metadata.name={DEFAULT_GUARDRAILS_CONFIG_MAP}"));
        let installation = Api::namespaced(scope.client.clone(), &scope.installation);
        let metadata = Source::new(installation, default).slim(metadata_alone);
        watchers.objects(metadata, default_policy_writer, triggers::default_policy);
        let phases = Source::new(scope.api(), all()).slim(|claim: &mut PersistentVolumeClaim| claim.spec = None);
        watchers.objects(phases, volume_claim_writer, triggers::volume_claim);
        let nodes = Source::new(Api::all(scope.client.clone()), all()).slim(slim_node);
        watchers.objects(nodes, node_writer, triggers::node);
        let optional = Optional {
            definition: "nodeclaims.karpenter.sh".to_owned(),
            serving: serving_node_claims,
            served: node_claims_served,
            dynamic_type: node_claim_resource(),
            writer: node_claim_writer,
        };
        let of_engines = all().labels(labels::RAGENGINE);
        let claims = Api::all_with(scope.client.clone(), &node_claim_resource());
        watchers.optional(optional, Source::new(claims, of_engines), triggers::node_claim);
        let optional = Optional {
            definition: "workspaces.kaito.sh".to_owned(),
            serving: serving_workspaces,
            served: workspaces_served,
            dynamic_type: (),
            writer: workspace_writer,
        };
        watchers.optional(optional, Source::new(scope.api(), all()), triggers::workspace);
        let optional = Optional {
            definition: "inferencesets.kaito.sh".to_owned(),
            serving: serving_inference_sets,
            served: inference_sets_served,
            dynamic_type: (),
            writer: inference_set_writer,
        };
        watchers.optional(optional, Source::new(scope.api(), all()), triggers::inference_set);
        let tasks = watchers.run();
        caches.wait_until_complete().await;
        (caches, tasks)
    }

    async fn wait_until_complete(&self) {
        // A cache is never abandoned by its writer while the tasks live, so these waits cannot fail.
        macro_rules! wait {
            ($($store:expr),*) => { $( let _ = $store.wait_until_ready().await; )* };
        }
        wait!(
            self.engines,
            self.revisions,
            self.pods,
            self.nodes,
            self.secrets,
            self.volume_claims
        );
        wait!(self.config_maps, self.default_policy);
        wait!(self.deployments.store(), self.services.store());
        wait!(self.network_policies.store(), self.budgets.store());
        if self.node_claims_served.known().await {
            wait!(self.node_claims);
        }
        if self.workspaces_served.known().await {
            wait!(self.workspaces);
        }
        if self.inference_sets_served.known().await {
            wait!(self.inference_sets);
        }
    }

    /// Whether there are NodeClaims in this cluster.
    pub(crate) fn node_claims_are_served(&self) -> bool {
        self.node_claims_served.now()
    }

    /// Whether there is such a ConfigMap.
    pub(crate) fn has_config_map(&self, namespace: &str, name: &str) -> bool {
        self.config_maps.get(&ObjectRef::new(name).within(namespace)).is_some()
    }

    /// The pods of an engine.
    pub(crate) fn pods_of(&self, name: &str, namespace: &str) -> Vec<Arc<Pod>> {
        self.pods.state_filter(|pod| {
            pod.metadata.namespace.as_deref() == Some(namespace)
                && pod.labels().get(labels::RAGENGINE).is_some_and(|engine| engine == name)
        })
    }
}
