//! Looking up what a Workspace refers to. The only step that reads the cluster.
//!
//! Most of it comes out of the caches that watches keep; Secrets and ConfigMaps are read by name, once for each version
//! of them.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, Service};
use kaito_api::names::{annotations, keys, labels};
use kaito_api::v1beta1::{PresetSpec, TuningSpec, Workspace};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::caches::Caches;
use super::learn;
use super::references::gpus::gpus;
use super::references::tuning::{TrainingReference, TrainingSource};
use super::references::{ConfigReference, ModelReference, References, SecretState, named};
use super::validate::CONFIG_INPUT;
use super::validate::tuning::copy_name;
use crate::names::INPUT_PREFIX;
use crate::presets::{ASK_AGAIN, Hub, Published, has_nvme};
use crate::provisioner::{Observed, Owner, OwnerKind, Provisioner, is_ready};
use crate::scheduling::node_labels;
use crate::settings::Settings;
use crate::work::{Contents, InputProblem, ReadError, Version};

/// What was made for a Workspace before, and what it looks at.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// Its StatefulSet.
    pub(super) stateful_set: Option<Arc<StatefulSet>>,
    /// Its Services.
    pub(super) services: Vec<Arc<Service>>,
    /// Its Job.
    pub(super) job: Option<Arc<Job>>,
    /// Its copy of the default training options.
    pub(super) training_config: Option<ConfigMap>,
    /// Its pods.
    pub(super) pods: Vec<Arc<Pod>>,
}

/// What was found of a model.
#[derive(Default)]
struct Description {
    model: Option<ModelReference>,
    learnt: Option<Published>,
    ask_again: Option<Duration>,
}

impl Description {
    fn of(model: ModelReference) -> Self {
        Self {
            model: Some(model),
            ..Self::default()
        }
    }
}

/// Looks things up.
pub(super) struct Lookup<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) owner: &'a Owner,
    pub(super) caches: &'a Caches,
    pub(super) contents: &'a Contents,
    pub(super) hub: &'a Hub,
    pub(super) provisioner: &'a dyn Provisioner,
    pub(super) settings: &'a Settings,
}

/// Who the machines of a Workspace are for.
pub(super) fn owner(workspace: &Workspace) -> Owner {
    let annotation = |name: &str| workspace.annotations().get(name).cloned();
    let namespace = workspace.namespace().unwrap_or_default();
    let set = workspace.labels().get(labels::CREATED_BY_INFERENCE_SET);
    Owner {
        kind: OwnerKind::Workspace,
        name: workspace.name_any(),
        uid: workspace.uid().unwrap_or_default(),
        image_family: annotation(annotations::NODE_IMAGE_FAMILY),
        node_class: annotation(annotations::NODE_CLASS_NAME),
        inference_set: set.map(|set| (set.clone(), namespace.clone())),
        namespace,
    }
}

impl Lookup<'_> {
    /// What the Workspace refers to.
    ///
    /// # Errors
    ///
    /// The API server does not answer.
    pub(super) async fn references(&self, live: &Live) -> Result<References, ReadError> {
        let preset = named::preset(self.workspace);
        let uses_gpus = preset.is_some();
        let description = match preset {
            Some(preset) => self.model(preset).await?,
            None => Description::default(),
        };
        Ok(References {
            model: description.model,
            learnt: description.learnt,
            ask_again: description.ask_again,
            gpus: self
                .workspace
                .spec
                .resource
                .as_ref()
                .filter(|_| uses_gpus)
                .map(|resource| {
                    let labels = self.ready_node().map(|node| node.labels().clone());
                    gpus(resource, labels.as_ref(), self.settings)
                }),
            config: match &self.workspace.spec.inference {
                Some(_) => self.config(live).await?,
                None => None,
            },
            training_config: match &self.workspace.spec.tuning {
                Some(tuning) => self.training(tuning).await?,
                None => None,
            },
            token: match named::token_secret(self.workspace) {
                Some(name) => Some(self.token(name).await?),
                None => None,
            },
            nvme: self.has_nvme(live),
            placement: self.provisioner.placement(self.owner),
        })
    }

    /// What was made for the Workspace before.
    pub(super) fn live(&self) -> Live {
        let (name, namespace) = (&self.owner.name, &self.owner.namespace);
        let headless = format!("{name}-headless");
        let services = [name, &headless];
        Live {
            stateful_set: self.caches.stateful_sets.get(&ObjectRef::new(name).within(namespace)),
            services: services
                .into_iter()
                .filter_map(|name| self.caches.services.get(&ObjectRef::new(name).within(namespace)))
                .collect(),
            job: self.caches.jobs.get(&ObjectRef::new(name).within(namespace)),
            training_config: None,
            pods: self.caches.pods_of(name, namespace),
        }
    }

    /// What a provisioner looks at.
    pub(super) fn observed(&self) -> Observed {
        let caches = self.caches;
        Observed {
            claims: caches.node_claims.state(),
            claims_are_served: caches.node_claims_are_served(),
            pools: caches.node_pools.state(),
            pools_are_served: caches.node_pools_are_served(),
            node_classes: caches
                .node_classes
                .as_ref()
                .map(kube::runtime::reflector::Store::state)
                .unwrap_or_default(),
            nodes: caches.nodes.state(),
        }
    }

    /// A model of the catalogue, else one whose facts are in a ConfigMap: the one that an annotation names, or the one
    /// with what the hub said before. Else the hub is asked.
    async fn model(&self, preset: &PresetSpec) -> Result<Description, ReadError> {
        let id = match ModelReference::of_catalogue(&preset.name) {
            Ok(known) => return Ok(Description::of(known)),
            Err(id) => id,
        };
        if let Some(name) = named::model_facts(self.workspace) {
            let found = self.config_map(name).await?;
            return Ok(Description::of(ModelReference::described(&id, Some(name), found)));
        }
        let name = learn::name(&self.owner.name);
        if let Some(found) = self.config_map(&name).await? {
            return Ok(Description::of(ModelReference::described(
                &id,
                Some(&name),
                Some(found),
            )));
        }
        let token = match named::token_secret(self.workspace) {
            Some(secret) => {
                let namespace = &self.owner.namespace;
                let text = self.contents.secret_text(namespace, secret, keys::HUGGING_FACE_TOKEN);
                text.await?
            }
            None => None,
        };
        Ok(match self.hub.ask(&id, token.as_deref()).await {
            Ok(published) => Description {
                model: Some(ModelReference::published(&id, &published)),
                learnt: Some(published),
                ask_again: None,
            },
            Err(error) => Description {
                model: Some(ModelReference::untold(&error)),
                learnt: None,
                ask_again: Some(ASK_AGAIN),
            },
        })
    }

    async fn config(&self, live: &Live) -> Result<Option<ConfigReference>, ReadError> {
        let Some(name) = named::config(self.workspace) else {
            return Ok(None);
        };
        let found = self.config_map(name).await?;
        Ok(Some(ConfigReference::new(name, found, started_with(live))))
    }

    /// The ConfigMap that a tuning names, else one of the default's name that KAITO has put into the namespace, else the
    /// default itself.
    async fn training(&self, tuning: &TuningSpec) -> Result<Option<TrainingReference>, ReadError> {
        let own = &self.owner.namespace;
        let is_there = |name: &str| self.caches.config_map_version(own, name).is_some();
        let Some(source) = TrainingSource::of(tuning, is_there) else {
            return Ok(None);
        };
        let namespace = match source {
            TrainingSource::Named(_) => own,
            TrainingSource::Default(_) => &self.settings.namespace,
        };
        let found = match self.caches.config_map_version(namespace, source.name()) {
            Some(version) => {
                let place = place(namespace, source.name(), version);
                self.contents.config_map(place).await?
            }
            None => None,
        };
        Ok(Some(TrainingReference::new(source, namespace, found)))
    }

    /// The Workspace's copy of the default options.
    pub(super) async fn training_copy(&self) -> Result<Option<ConfigMap>, ReadError> {
        self.config_map(&copy_name(&self.owner.name)).await
    }

    async fn config_map(&self, name: &str) -> Result<Option<ConfigMap>, ReadError> {
        let namespace = &self.owner.namespace;
        match self.caches.config_map_version(namespace, name) {
            Some(version) => self.contents.config_map(place(namespace, name, version)).await,
            None => Ok(None),
        }
    }

    async fn token(&self, name: &str) -> Result<SecretState, ReadError> {
        let namespace = &self.owner.namespace;
        let found = self.caches.secrets.get(&ObjectRef::new(name).within(namespace));
        let Some(version) = found.and_then(|found| found.resource_version()) else {
            return Ok(SecretState::Missing);
        };
        let place = place(namespace, name, version);
        Ok(match self.contents.secret(place, keys::HUGGING_FACE_TOKEN).await? {
            Ok(_) => SecretState::Found,
            Err(InputProblem::NoKey) => SecretState::WithoutKey,
            Err(InputProblem::Missing) => SecretState::Missing,
        })
    }

    /// A node that is ready and has the labels that the user asks for: one that the Workspace uses already, if it does.
    fn ready_node(&self) -> Option<Arc<Node>> {
        let wanted = self
            .workspace
            .spec
            .resource
            .as_ref()
            .map(node_labels)
            .unwrap_or_default();
        let mut fitting = self.caches.nodes.state_filter(|node| {
            let has = |(key, value): (&String, &String)| node.labels().get(key) == Some(value);
            is_ready(node) && wanted.iter().all(has)
        });
        let status = self.workspace.status.as_ref();
        let used = status
            .and_then(|status| status.worker_nodes.clone())
            .unwrap_or_default();
        fitting.sort_by_key(|node| (!used.contains(&node.name_any()), node.name_any()));
        fitting.into_iter().next()
    }

    /// What runs stays as it is: the disk of a StatefulSet cannot be changed, and downloading a model takes long.
    fn has_nvme(&self, live: &Live) -> bool {
        if let Some(spec) = live.stateful_set.as_ref().and_then(|live| live.spec.as_ref()) {
            return spec
                .volume_claim_templates
                .as_ref()
                .is_some_and(|claims| !claims.is_empty());
        }
        let resource = self.workspace.spec.resource.as_ref();
        let name = resource.and_then(|resource| resource.instance_type());
        name.is_some_and(|name| has_nvme(self.settings.cloud, name)) && !self.caches.storage_classes.is_empty()
    }
}

fn place(namespace: &str, name: &str, version: String) -> Version {
    Version {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        version,
    }
}

/// The digest of the options that pods were started with.
fn started_with(live: &Live) -> Option<String> {
    let template = &live.stateful_set.as_ref()?.spec.as_ref()?.template;
    let annotations = template.metadata.as_ref()?.annotations.as_ref()?;
    annotations.get(&format!("{INPUT_PREFIX}{CONFIG_INPUT}")).cloned()
}
