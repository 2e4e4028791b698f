//! What a Workspace consists of, without a cluster: for plans, reviews and tests.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use k8s_openapi::api::core::v1::ConfigMap;
use kaito_api::names::keys;
use kaito_api::v1beta1::Workspace;
use kube::ResourceExt;
use serde_json::Value;

use super::build::{Resources, build};
use super::dereference::owner;
use super::references::gpus::gpus;
use super::references::tuning::{TrainingReference, TrainingSource};
use super::references::{ConfigReference, ModelReference, References, SecretState, named};
use super::validate::{InvalidWorkspace, validate};
use crate::apply::with_type;
use crate::presets::has_nvme;
use crate::provisioner;
use crate::settings::Settings;

/// What is taken to be in the cluster. Secrets that a Workspace names are, and so are enough machines.
#[derive(Clone, Debug, Default)]
pub struct Assumptions {
    /// The StorageClass for the machines' own fast disks.
    nvme_storage_class: bool,
    /// ConfigMaps, by namespace and name.
    config_maps: BTreeMap<(String, String), ConfigMap>,
}

/// Options of training that the chart installs, by the name of their ConfigMap.
const TRAINING_TEMPLATES: [(&str, &str); 2] = [
    (
        "lora-params-template",
        include_str!("../../../charts/workspace/files/lora-params-template.yaml"),
    ),
    (
        "qlora-params-template",
        include_str!("../../../charts/workspace/files/qlora-params-template.yaml"),
    ),
];

impl Assumptions {
    /// What the chart puts into the namespace that it is installed in.
    pub fn installed_in(namespace: &str) -> Self {
        let mut assumptions = Self::default();
        for (name, text) in TRAINING_TEMPLATES {
            let mut template = ConfigMap::default();
            template.metadata.name = Some(name.to_owned());
            template.metadata.namespace = Some(namespace.to_owned());
            template.data = Some([(keys::TRAINING_CONFIG.to_owned(), text.to_owned())].into());
            assumptions.add(template);
        }
        assumptions
    }

    /// Whether the StorageClass for the machines' own fast disks is there.
    #[must_use]
    pub fn local_disks(mut self, are_used: bool) -> Self {
        self.nvme_storage_class = are_used;
        self
    }

    /// A ConfigMap that is there, too.
    pub fn add(&mut self, config_map: ConfigMap) {
        let place = (config_map.namespace().unwrap_or_default(), config_map.name_any());
        self.config_maps.insert(place, config_map);
    }

    fn config_map(&self, namespace: &str, name: &str) -> Option<ConfigMap> {
        self.config_maps.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }
}

/// Why a Workspace has no objects: what it asks for cannot be built. The message says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct RenderError(#[from] InvalidWorkspace);

/// The objects that the controller would apply for a new Workspace, with `apiVersion` and `kind`: those that run first,
/// then those that are looked up.
///
/// # Errors
///
/// The Workspace cannot be built.
pub fn render(
    workspace: &Workspace,
    assumptions: &Assumptions,
    settings: &Settings,
) -> Result<Vec<Value>, RenderError> {
    let references = references(workspace, assumptions, settings);
    let workload = validate(workspace, &references, FIRST_REVISION, settings)?;
    Ok(objects(&build(&workload)))
}

/// How many machines a Workspace needs, whatever its name is. `None` when that cannot be said without the cluster.
pub(crate) fn machines(workspace: &Workspace, settings: &Settings) -> Option<NonZeroU32> {
    let mut named = workspace.clone();
    named.metadata.name = Some("model".to_owned());
    let references = references(&named, &Assumptions::default(), settings);
    let workload = validate(&named, &references, FIRST_REVISION, settings).ok()?;
    Some(workload.nodes())
}

/// Number of the revision of a new Workspace.
const FIRST_REVISION: i64 = 1;

/// What the cluster would say of a Workspace.
pub(super) fn references(workspace: &Workspace, assumptions: &Assumptions, settings: &Settings) -> References {
    let namespace = workspace.namespace().unwrap_or_default();
    let config_map = |name: &str| assumptions.config_map(&namespace, name);
    let preset = named::preset(workspace);
    let resource = workspace.spec.resource.as_ref();
    References {
        learnt: None,
        ask_again: None,
        model: preset.map(|preset| {
            ModelReference::of_catalogue(&preset.name).unwrap_or_else(|id| {
                let name = named::model_facts(workspace);
                ModelReference::described(&id, name, name.and_then(config_map))
            })
        }),
        gpus: resource
            .filter(|_| preset.is_some())
            .map(|resource| gpus(resource, None, settings)),
        config: workspace
            .spec
            .inference
            .as_ref()
            .and_then(|_| named::config(workspace))
            .map(|name| ConfigReference::new(name, config_map(name), None)),
        training_config: workspace.spec.tuning.as_ref().and_then(|tuning| {
            let source = TrainingSource::of(tuning, |name| config_map(name).is_some())?;
            let place = match source {
                TrainingSource::Named(_) => &namespace,
                TrainingSource::Default(_) => &settings.namespace,
            };
            let found = assumptions.config_map(place, source.name());
            Some(TrainingReference::new(source, place, found))
        }),
        token: named::token_secret(workspace).map(|_| SecretState::Found),
        nvme: assumptions.nvme_storage_class
            && resource
                .and_then(|resource| resource.instance_type())
                .is_some_and(|name| has_nvme(settings.cloud, name)),
        placement: provisioner::of(settings).placement(&owner(workspace)),
    }
}

/// The objects with `apiVersion` and `kind`.
pub(super) fn objects(resources: &Resources) -> Vec<Value> {
    // Without `..`, so that a new kind does not compile until it is shown.
    let Resources {
        stateful_set,
        services,
        job,
        training_config,
    } = resources;
    let objects = stateful_set
        .iter()
        .map(with_type)
        .chain(services.iter().map(with_type))
        .chain(job.iter().map(with_type))
        .chain(training_config.iter().map(with_type));
    objects.collect()
}
