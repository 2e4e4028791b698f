//! The ConfigMaps with options that a Workspace names.

use kaito_api::admission::{
    FieldError, Preset, Runtime, max_model_len, validate_inference_config, validate_training_config,
};
use kaito_api::names::keys;
use kaito_api::v1beta1::Workspace;

use crate::webhook::config_maps::Found;

/// A ConfigMap with options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// Its name.
    pub(super) name: String,
    purpose: Purpose,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Purpose {
    Inference,
    /// With this method.
    Tuning(String),
}

/// The ConfigMaps that `new` names and that have to be looked at. One that was named before is not: it may have been
/// changed or deleted since, and the Workspace must stay changeable. Those of the transformers runtime are not, as
/// in KAITO: their form is free.
pub(super) fn named(new: &Workspace, old: Option<&Workspace>, vllm: bool) -> Vec<Options> {
    let here = of(new, vllm);
    let before = old.map(|old| of(old, vllm)).unwrap_or_default();
    here.into_iter().filter(|options| !before.contains(options)).collect()
}

fn of(workspace: &Workspace, vllm: bool) -> Vec<Options> {
    let is_vllm = Runtime::of(workspace, vllm) == Runtime::Vllm;
    let inference = workspace.spec.inference.as_ref().filter(|_| is_vllm);
    let inference = inference
        .and_then(|inference| inference.config.clone())
        .map(|name| Options {
            name,
            purpose: Purpose::Inference,
        });
    let tuning = workspace.spec.tuning.as_ref();
    let tuning = tuning.and_then(|tuning| {
        let method = tuning.method.clone().unwrap_or_default();
        tuning.config.clone().map(|name| Options {
            name,
            purpose: Purpose::Tuning(method),
        })
    });
    let options = inference.into_iter().chain(tuning);
    options.filter(|options| !options.name.is_empty()).collect()
}

impl Options {
    /// The largest context, in tokens, that they allow vLLM, if they say.
    pub(super) fn context_tokens(&self, found: &Found) -> Option<u64> {
        match (&self.purpose, found) {
            (Purpose::Inference, Found::Data(data)) => max_model_len(data.get(keys::INFERENCE_CONFIG)?),
            _ => None,
        }
    }

    /// What is wrong, given what was found in `namespace`, and what is known of the model.
    pub(super) fn check(&self, namespace: &str, found: &Found, preset: Option<&Preset>) -> Vec<FieldError> {
        let (field, key) = match self.purpose {
            Purpose::Inference => ("inference.config", keys::INFERENCE_CONFIG),
            Purpose::Tuning(_) => ("tuning.config", keys::TRAINING_CONFIG),
        };
        let name = &self.name;
        let error = |message: String| {
            vec![FieldError {
                field: field.to_owned(),
                message,
            }]
        };
        let data = match found {
            Found::Data(data) => data,
            Found::Missing => {
                return error(format!(
                    "ConfigMap {name:?} does not exist in namespace {namespace:?}; make it with: kubectl create \
                     configmap {name} -n {namespace} --from-file={key}=<options file>"
                ));
            }
            Found::Unreadable(reason) => {
                return error(format!(
                    "ConfigMap {name:?} in namespace {namespace:?} could not be read: {reason}; try: kubectl get \
                     configmap {name} -n {namespace}"
                ));
            }
        };
        let text = data.get(key).map(String::as_str);
        match &self.purpose {
            Purpose::Inference => validate_inference_config(text, token_limit(preset)),
            Purpose::Tuning(method) => validate_training_config(text, method),
        }
    }
}

fn token_limit(preset: Option<&Preset>) -> Option<u64> {
    match preset {
        Some(Preset::Known(facts)) => facts.token_limit,
        Some(Preset::Deprecated | Preset::Unknown) | None => None,
    }
}
