//! What builders need to know of how the controller was started.

use std::collections::BTreeMap;

use kube::Client;

use crate::metrics::Metrics;
use crate::options::{
    Cloud, FeatureGates, ImageFamily, KarpenterOptions, MachineOptions, ModelOptions, NodeProvisioner, Options,
};
use crate::work::Scope;

/// Facts that are the same for every resource while the controller runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace of the installation.
    pub namespace: String,
    /// Image of engines that name none.
    pub image: String,
    /// Whether that image can use GPUs.
    pub image_has_gpu: bool,
    /// Registry and path of the images that serve and tune models, without a slash at the end.
    pub preset_registry: String,
    /// What is on and off.
    pub feature_gates: FeatureGates,
    /// The cloud that machines are of.
    pub cloud: Cloud,
    /// Who makes machines.
    pub provisioner: NodeProvisioner,
    /// What a Karpenter is told, when it is the one.
    pub karpenter: KarpenterOptions,
    /// Operating system of machines that do not say.
    pub image_family: ImageFamily,
    /// GPUs of each machine type that has some, by its name in lower case.
    pub gpus: BTreeMap<String, u32>,
    /// What is known of models.
    pub models: fn(&str) -> Option<ServedModel>,
}

/// A model as a Workspace serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedModel {
    /// Its name in requests.
    pub name: String,
    /// Tokens that it can read and write, if known.
    pub window: Option<u64>,
}

impl Settings {
    /// The settings that options say, for an installation in `namespace`.
    pub fn new(options: &Options, namespace: String) -> Self {
        let image = &options.image;
        Self {
            image: format!("{}/{}:{}", image.rag_registry, image.rag_image, image.rag_tag),
            image_has_gpu: image.rag_image_has_gpu,
            ..Self::without_engines(&options.models, &options.machines, namespace)
        }
    }

    /// The same of an installation that runs no engines, and so needs no image of them.
    pub fn without_engines(models: &ModelOptions, machines: &MachineOptions, namespace: String) -> Self {
        Self {
            namespace,
            image: String::new(),
            image_has_gpu: false,
            preset_registry: models.preset_registry.trim_end_matches('/').to_owned(),
            feature_gates: models.feature_gates,
            cloud: machines.cloud_provider,
            provisioner: machines.node_provisioner,
            karpenter: machines.karpenter.clone(),
            image_family: machines.default_node_image_family,
            gpus: crate::presets::gpus(machines.cloud_provider),
            models: crate::presets::served_model,
        }
    }

    /// GPUs of a machine of this type; `None` when it has none, or is not known.
    pub fn gpus_of(&self, instance_type: &str) -> Option<u32> {
        self.gpus.get(&instance_type.to_ascii_lowercase()).copied()
    }
}

/// How to run one of the controllers.
#[derive(Clone)]
pub struct ControllerSettings {
    /// The cluster.
    pub client: Client,
    /// What builders need to know.
    pub settings: Settings,
    /// The one namespace to look at; all when `None`.
    pub watch_namespace: Option<String>,
    /// Reconciles at a time.
    pub concurrency: u16,
    /// Where to count.
    pub metrics: Metrics,
}

impl ControllerSettings {
    /// Where it looks.
    pub(crate) fn scope(&self) -> Scope {
        Scope {
            client: self.client.clone(),
            namespace: self.watch_namespace.clone(),
            installation: self.settings.namespace.clone(),
        }
    }
}
