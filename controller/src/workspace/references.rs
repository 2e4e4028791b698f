//! What a Workspace refers to, as it is now: found by the one step that reads the cluster, judged by the next.

mod config;
pub(crate) mod gpus;
mod model;
pub(super) mod named;
pub(crate) mod tuning;

use std::collections::BTreeMap;
use std::time::Duration;

use kaito_presets::Gpus;

pub(crate) use config::ConfigReference;
pub(crate) use gpus::GpuProblem;
pub(crate) use model::ModelReference;
use tuning::TrainingReference;

use crate::presets::Published;

/// What a Workspace refers to, as it is now.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// The model that its preset names.
    pub model: Option<ModelReference>,
    /// What the hub was asked about it and said just now.
    pub learnt: Option<Published>,
    /// When the hub is to be asked again, since it said nothing.
    pub ask_again: Option<Duration>,
    /// The GPUs of one of its machines, as far as it may use them. `None` for templates, which say for themselves.
    pub gpus: Option<Result<Gpus, GpuProblem>>,
    /// The ConfigMap of `inference.config`.
    pub config: Option<ConfigReference>,
    /// The Secret of `presetOptions.modelAccessSecret`.
    pub token: Option<SecretState>,
    /// The ConfigMap of `tuning.config`, or the installation's default for the method.
    pub training_config: Option<TrainingReference>,
    /// Whether weights can be on a machine's own fast disk: machines of the type have one, and its StorageClass is
    /// there.
    pub nvme: bool,
    /// Labels by which its provisioner knows the Workspace's nodes.
    pub placement: BTreeMap<String, String>,
}

/// A Secret with a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretState {
    /// It is there and has the key.
    Found,
    /// It is there and has no such key.
    WithoutKey,
    /// It is not there.
    Missing,
}
