//! What a tuning refers to, as it is now.

use k8s_openapi::api::core::v1::ConfigMap;
use kaito_api::names::keys;
use kaito_api::v1beta1::TuningSpec;

use crate::work::{InputProblem, config_map_digest};
use crate::workspace::validate::tuning::{default_config_map, method};

/// The ConfigMap with the options of training.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrainingReference {
    /// Where it is.
    pub source: TrainingSource,
    /// What it says under `training_config.yaml`, if it can be read and has that key.
    pub text: Option<String>,
    /// Why it cannot be read.
    pub problem: Option<String>,
}

/// Where the options of training are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TrainingSource {
    /// In a ConfigMap of the Workspace's namespace: the one that it names, or else one with the name of the
    /// installation's default for the method that somebody has put there, as KAITO did.
    Named(String),
    /// In the installation's default for the method, of which the Workspace gets a copy.
    Default(String),
}

impl TrainingReference {
    /// What is known of the ConfigMap in `source`, which is looked for in `namespace`.
    pub(crate) fn new(source: TrainingSource, namespace: &str, found: Option<ConfigMap>) -> Self {
        let key = keys::TRAINING_CONFIG;
        let problem = match config_map_digest(found.as_ref(), key) {
            Ok(_) => None,
            Err(InputProblem::Missing) => Some(format!("there is none in namespace {namespace:?}: create it")),
            Err(InputProblem::NoKey) => Some(format!("it has no key {key:?}: add it")),
        };
        Self {
            text: found.and_then(|found| found.data?.remove(key)),
            source,
            problem,
        }
    }
}

impl TrainingSource {
    /// Where the options of `tuning` are, when `is_there` says which ConfigMaps are in its namespace. `None` when it
    /// names no ConfigMap and there is no such method, and so no default.
    pub(crate) fn of(tuning: &TuningSpec, is_there: impl Fn(&str) -> bool) -> Option<Self> {
        if let Some(name) = tuning.config.as_deref().filter(|name| !name.is_empty()) {
            return Some(Self::Named(name.to_owned()));
        }
        let default = default_config_map(method(tuning.method.as_deref()).ok()?);
        Some(if is_there(default) {
            Self::Named(default.to_owned())
        } else {
            Self::Default(default.to_owned())
        })
    }

    /// Name of the ConfigMap.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Named(name) | Self::Default(name) => name,
        }
    }
}
