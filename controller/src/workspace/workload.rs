//! A Workspace that can be built: what it asks for, in types of which every value makes sense.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use k8s_openapi::api::core::v1::{PodTemplateSpec, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kaito_presets::{Gpus, Model, Parallelism, ParallelismPlan};

/// A Workspace that can be built.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    /// Its name, which is also that of its StatefulSet or Job, its container and its Service.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// What everything that is made for it refers to.
    pub owner: OwnerReference,
    /// Number of its revision.
    pub revision: i64,
    /// Whether its Service is a load balancer.
    pub load_balancer: bool,
    /// Where its pods run.
    pub placement: Placement,
    /// Labels of the InferenceSet that it belongs to, which its pods and their selector have, too.
    pub set_labels: BTreeMap<String, String>,
    /// Digests of the ConfigMaps and Secrets that pods read only when they start, by what they are for.
    pub inputs: BTreeMap<&'static str, String>,
    /// What its pods do.
    pub task: Task,
}

impl Workload {
    /// Number of pods, and of nodes for them.
    pub(crate) fn nodes(&self) -> NonZeroU32 {
        match &self.task {
            Task::Preset(serving) => serving.nodes,
            Task::Template(template) => template.nodes,
            Task::Tuning(_) => NonZeroU32::MIN,
        }
    }
}

/// Where pods run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    /// Labels that a node must have: the user's, and those by which its provisioner knows the Workspace's nodes.
    pub node_labels: BTreeMap<String, String>,
    /// Whether machines may be Azure's spot machines, whose taint is then tolerated.
    pub azure: bool,
}

/// What pods do.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// They serve a model.
    Preset(Box<Serving>),
    /// They run what the user wrote.
    Template(Box<Template>),
    /// They tune a model.
    Tuning(Box<Tuning>),
}

/// Pods of a template.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// The user's template.
    pub pods: PodTemplateSpec,
    /// Number of pods, one a node.
    pub nodes: NonZeroU32,
}

/// A model that is served.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    /// The model.
    pub model: Model,
    /// Its name in requests: that of the InferenceSet, else the model's.
    pub served_name: String,
    /// The program that serves it.
    pub runtime: Runtime,
    /// Image of that program, with registry and tag.
    pub image: String,
    /// Number of pods, one a node.
    pub nodes: NonZeroU32,
    /// GPUs of a pod.
    pub gpus: Gpus,
    /// The MIG profile of the slice that each pod gets, if GPUs are sliced.
    pub mig_profile: Option<String>,
    /// Where the weights are.
    pub weights: Weights,
    /// The user's options for the program.
    pub config: Option<ServingConfig>,
    /// Adapters beside the model.
    pub adapters: Vec<Adapter>,
    /// Secret with the token to download the model.
    pub token_secret: Option<String>,
    /// What vLLM optimises for; `None` for its default.
    pub performance_mode: Option<PerformanceMode>,
    /// Whether the pods measure their speed before they are ready.
    pub benchmark: bool,
}

impl Serving {
    /// Whether one copy of the model is spread over several pods.
    pub(crate) fn is_distributed(&self) -> bool {
        self.runtime == Runtime::Vllm && self.nodes.get() > 1
    }

    /// How vLLM spreads the model over GPUs and machines.
    pub(crate) fn parallelism(&self) -> Parallelism {
        ParallelismPlan::choose(self.model.weights(), &self.gpus, self.nodes).parallelism
    }

    /// Whether kernels are compiled when the model starts.
    pub(crate) fn needs_cuda_toolkit(&self) -> bool {
        self.runtime == Runtime::Vllm && self.model.needs_cuda_toolkit()
    }
}

/// The program that serves a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// vLLM.
    Vllm,
    /// Hugging Face's Transformers.
    Transformers,
}

/// Where weights are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Weights {
    /// Downloaded to the node's ordinary disk when a pod starts.
    Disk,
    /// Downloaded to the machine's own fast disk, by a claim that lives as long as the StatefulSet.
    Nvme,
    /// In a directory of the node, put there by whoever runs it.
    Node {
        /// The directory.
        path: String,
    },
}

/// Options that the user gives to the program that serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServingConfig {
    /// The ConfigMap, with the key `inference_config.yaml`.
    pub config_map: String,
    /// The largest context, in tokens, that its `vllm.max-model-len` says.
    pub max_model_len: Option<u64>,
}

/// What vLLM optimises for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PerformanceMode {
    /// Short answers times for few.
    Interactivity,
    /// Many tokens for all.
    Throughput,
}

/// An adapter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Adapter {
    /// Its name in requests.
    pub name: String,
    /// Where its weights are.
    pub source: AdapterSource,
    /// How much it counts, as the user wrote it; Transformers only.
    pub strength: Option<String>,
}

/// Where an adapter's weights are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AdapterSource {
    /// In an image.
    Image(ImageSource),
    /// In a volume. Its name is not heeded.
    Volume(Box<Volume>),
}

/// Data in an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageSource {
    /// The image.
    pub image: String,
    /// Secrets to pull it with.
    pub pull_secrets: Vec<String>,
}

/// A model that is tuned.
#[derive(Clone, Debug)]
pub(crate) struct Tuning {
    /// The model.
    pub model: Model,
    /// Image of the program that tunes, with registry and tag.
    pub image: String,
    /// Image with the weights, with registry and tag.
    pub weights_image: String,
    /// GPUs of the pod.
    pub gpus: NonZeroU32,
    /// What the training is told.
    pub config: TrainingConfig,
    /// Where the data are.
    pub input: TuningInput,
    /// Where the result goes.
    pub output: TuningOutput,
}

/// How a model is tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// Low-rank adaptation.
    Lora,
    /// The same of a model that is loaded in four bits.
    Qlora,
}

/// What the training is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrainingConfig {
    /// The ConfigMap of the Workspace's namespace, with the key `training_config.yaml`.
    pub config_map: String,
    /// Its text, when it is a copy of the installation's default that belongs to the Workspace.
    pub copy: Option<String>,
    /// The directory of results in the container, an absolute path below `/mnt`.
    pub output_directory: String,
}

/// Where the data of a tuning are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TuningInput {
    /// The user's name for them.
    pub name: String,
    /// Where they are.
    pub source: InputSource,
}

/// Where data are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum InputSource {
    /// At URLs.
    Urls(Vec<String>),
    /// In an image.
    Image(ImageSource),
    /// In a volume. Its name is not heeded.
    Volume(Box<Volume>),
}

/// Where the result of a tuning goes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TuningOutput {
    /// Into an image.
    Image {
        /// The image.
        image: String,
        /// Secret to push it with.
        push_secret: String,
    },
    /// Into a volume. Its name is not heeded.
    Volume(Box<Volume>),
}
