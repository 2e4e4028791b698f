//! The ConfigMap with a RAGEngine's guardrails policy.

use super::FieldError;
use crate::names::{DEFAULT_GUARDRAILS_CONFIG_MAP, keys};
use crate::v1beta1::RAGEngine;

/// The ConfigMap that must exist, and hold a policy, before an engine with guardrails is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardrailsPolicy {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether the installation brings it, rather than the user.
    pub is_default: bool,
}

/// What was found of a ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It exists and has these keys.
    Found(Vec<String>),
    /// It does not exist.
    Missing,
    /// It could not be asked for; why.
    Unreadable(String),
}

impl GuardrailsPolicy {
    /// The ConfigMap that `engine` needs, or `None` when it has no guardrails. `release_namespace` is the controller's.
    pub fn of(engine: &RAGEngine, release_namespace: &str) -> Option<Self> {
        let guardrails = engine
            .spec
            .guardrails
            .as_ref()
            .filter(|guardrails| guardrails.enabled)?;
        let own = guardrails
            .config_map_ref
            .as_ref()
            .map(|reference| reference.name.as_str())
            .filter(|name| !name.is_empty());
        Some(match own {
            Some(name) => Self {
                namespace: engine.metadata.namespace.clone().unwrap_or_default(),
                name: name.to_owned(),
                is_default: false,
            },
            None => Self {
                namespace: release_namespace.to_owned(),
                name: DEFAULT_GUARDRAILS_CONFIG_MAP.to_owned(),
                is_default: true,
            },
        })
    }

    /// What is wrong, given what was found. What the policy says is not looked at: the service does that, and says so.
    pub fn check(&self, found: &Lookup) -> Option<FieldError> {
        let Self { namespace, name, .. } = self;
        let which = if self.is_default {
            "default guardrails ConfigMap"
        } else {
            "guardrails ConfigMap"
        };
        let key = keys::GUARDRAILS_POLICY;
        let remedy = if self.is_default {
            "reinstall the chart, or name a ConfigMap of your own in guardrails.configMapRef".to_owned()
        } else {
            format!("make it with: kubectl create configmap {name} -n {namespace} --from-file={key}=<policy file>")
        };
        let message = match found {
            Lookup::Found(all) if all.iter().any(|one| one == key) => return None,
            Lookup::Found(_) => format!("{which} {name:?} in namespace {namespace:?} has no key {key:?}; {remedy}"),
            Lookup::Missing => format!("{which} {name:?} does not exist in namespace {namespace:?}; {remedy}"),
            Lookup::Unreadable(reason) => format!(
                "{which} {name:?} in namespace {namespace:?} could not be read: {reason}; try: kubectl get configmap \
                 {name} -n {namespace}"
            ),
        };
        Some(FieldError::new("spec.guardrails.configMapRef.name", message))
    }
}
