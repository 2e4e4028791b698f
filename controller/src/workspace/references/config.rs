//! The options of the program that serves.

use k8s_openapi::api::core::v1::ConfigMap;
use kaito_api::names::keys;

use crate::work::{InputProblem, config_map_digest};

/// A ConfigMap with options for the program that serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConfigReference {
    /// Its name.
    pub name: String,
    /// Digest of what it says; when it cannot be read now, that of what pods were started with.
    pub digest: Option<String>,
    /// What it says under `inference_config.yaml`, if it can be read and has that key.
    pub text: Option<String>,
    /// Why it cannot be read.
    pub problem: Option<String>,
}

impl ConfigReference {
    /// What is known of the ConfigMap `name`, when pods were started with options of this digest.
    pub(crate) fn new(name: &str, found: Option<ConfigMap>, started_with: Option<String>) -> Self {
        let key = keys::INFERENCE_CONFIG;
        let (digest, problem) = match config_map_digest(found.as_ref(), key) {
            Ok(digest) => (Some(digest), None),
            Err(InputProblem::Missing) => (started_with, Some("it does not exist: create it".to_owned())),
            Err(InputProblem::NoKey) => (started_with, Some(format!("it has no key {key:?}: add it"))),
        };
        Self {
            name: name.to_owned(),
            digest,
            text: found.and_then(|found| found.data?.remove(key)),
            problem,
        }
    }
}
