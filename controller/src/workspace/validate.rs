//! Checking what a Workspace asks for, once, so that builders cannot fail. Pure.
//!
//! The API server and the webhook have let the object in. It is looked at again because it may be older than their
//! rules, and because what builders take is typed.

mod adapters;
mod serving;
mod template;
pub(crate) mod tuning;
mod volume;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kaito_api::names::{annotations, labels};
use kaito_api::v1beta1::{InferenceSpec, PresetSpec, TuningSpec, Workspace};
use kaito_presets::{Model, SizingError};
use kube::{Resource, ResourceExt};

pub(crate) use adapters::InvalidAdapter;
use tuning::{InvalidTuning, TuningFacts};

use super::references::{GpuProblem, ModelReference, References};
use super::workload::{Placement, Task, Workload};
use crate::names::{LONGEST_WORKSPACE_NAME, is_service_name};
use crate::options::Cloud;
use crate::scheduling::node_labels;
use crate::settings::Settings;

/// What the options of the program that serves are for, in the annotation with their digest.
pub(crate) const CONFIG_INPUT: &str = "inference-config";

/// Why a Workspace cannot be built. Each is the user's to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidWorkspace {
    /// Its Service or its pods could not be made.
    #[error(
        "the name {0:?} cannot be used: make a new Workspace whose name has at most {LONGEST_WORKSPACE_NAME} lower-case letters, \
         digits and hyphens and begins with a letter"
    )]
    UseName(String),
    /// Neither serving nor tuning, or both.
    #[error("set exactly one of inference and tuning")]
    ChooseTask,
    /// Neither a preset nor a template, or both.
    #[error("set exactly one of inference.preset and inference.template")]
    ChooseModel,
    /// No such model.
    #[error("there is no preset {0:?}; use one of the catalogue or an id of Hugging Face")]
    FindModel(String),
    /// There was one.
    #[error("model {0} is deprecated and no longer supported; choose another one")]
    UseDeprecatedModel(String),
    /// It is not known enough of it.
    #[error("it is not known how to serve {preset:?}: {problem}")]
    DescribeModel {
        /// As the user wrote it.
        preset: String,
        /// What is missing.
        problem: String,
    },
    /// Only some models can be served by Transformers.
    #[error("{0:?} cannot be served by transformers; remove the annotation kaito.sh/runtime")]
    UseTransformers(String),
    /// Not every model can have adapters.
    #[error("vLLM cannot serve adapters beside {0:?}; remove them")]
    UseAdapters(String),
    /// An adapter that cannot be had.
    #[error(transparent)]
    CheckAdapter(#[from] InvalidAdapter),
    /// A gated model.
    #[error(
        "the authors of {0:?} ask for a token: set inference.preset.presetOptions.modelAccessSecret to a Secret whose \
         key HF_TOKEN may download it"
    )]
    NameToken(String),
    /// A gated model, and no token.
    #[error("the token for {preset:?} cannot be used: {problem}")]
    ReadToken {
        /// As the user wrote it.
        preset: String,
        /// Why.
        problem: String,
    },
    /// Nobody knows the GPUs.
    #[error(transparent)]
    FindGpus(#[from] GpuProblem),
    /// The model is too large.
    #[error(transparent)]
    FitModel(#[from] SizingError),
    /// The options cannot be read, and how many machines it takes depends on them.
    #[error("ConfigMap {name:?} of inference.config cannot be read: {problem}")]
    ReadConfig {
        /// Its name.
        name: String,
        /// Why.
        problem: String,
    },
    /// The options are wrong.
    #[error("ConfigMap {name:?} of inference.config cannot be used: {problem}")]
    CheckConfig {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The template is none.
    #[error("inference.template cannot be used: {0}")]
    CheckTemplate(String),
    /// The tuning cannot be done.
    #[error(transparent)]
    Tune(#[from] InvalidTuning),
    /// A tuning needs a model.
    #[error("set tuning.preset to the model that is to be tuned")]
    NameTuned,
    /// Nobody knows yet what the training is told.
    #[error("the options of training are not known; make the ConfigMap that tuning.config names")]
    FindTraining,
}

/// Checks a Workspace.
///
/// # Errors
///
/// It asks for something that cannot be built.
pub(crate) fn validate(
    workspace: &Workspace,
    references: &References,
    revision: i64,
    settings: &Settings,
) -> Result<Workload, InvalidWorkspace> {
    let name = workspace.name_any();
    // A Job shortens the names of its pods, and has no Service.
    if workspace.spec.tuning.is_none() && !is_service_name(&name, LONGEST_WORKSPACE_NAME) {
        return Err(InvalidWorkspace::UseName(name));
    }
    let task = match (&workspace.spec.inference, &workspace.spec.tuning) {
        (Some(inference), None) => inference_task(workspace, inference, references, settings)?,
        (None, Some(tuning)) => tuning_task(&name, tuning, references, settings)?,
        _ => return Err(InvalidWorkspace::ChooseTask),
    };
    Ok(Workload {
        name,
        namespace: workspace.namespace().unwrap_or_default(),
        owner: owner_reference(workspace),
        revision,
        load_balancer: annotation(workspace, annotations::ENABLE_LOAD_BALANCER)
            .is_some_and(|value| value.eq_ignore_ascii_case("true")),
        placement: placement(workspace, references, settings),
        set_labels: set_labels(workspace),
        inputs: inputs(references),
        task,
    })
}

/// What everything that is made for a Workspace refers to.
pub(crate) fn owner_reference(workspace: &Workspace) -> OwnerReference {
    OwnerReference {
        api_version: Workspace::api_version(&()).into_owned(),
        kind: Workspace::kind(&()).into_owned(),
        name: workspace.name_any(),
        uid: workspace.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

fn inference_task(
    workspace: &Workspace,
    inference: &InferenceSpec,
    references: &References,
    settings: &Settings,
) -> Result<Task, InvalidWorkspace> {
    match (&inference.preset, &inference.template) {
        (Some(preset), None) => {
            let request = serving::Request {
                workspace,
                inference,
                preset,
                references,
                settings,
            };
            Ok(Task::Preset(Box::new(serving::serving(&request)?)))
        }
        (None, Some(template)) => Ok(Task::Template(Box::new(template::template(workspace, template)?))),
        _ => Err(InvalidWorkspace::ChooseModel),
    }
}

fn tuning_task(
    name: &str,
    spec: &TuningSpec,
    references: &References,
    settings: &Settings,
) -> Result<Task, InvalidWorkspace> {
    let preset = spec.preset.as_ref().ok_or(InvalidWorkspace::NameTuned)?;
    let gpus = references.gpus.clone().ok_or(GpuProblem::NameInstanceType)??;
    let facts = TuningFacts {
        workspace: name,
        model: model(preset, references)?,
        gpus: gpus.count,
        config: references
            .training_config
            .as_ref()
            .ok_or(InvalidWorkspace::FindTraining)?,
        registry: &settings.preset_registry,
    };
    Ok(Task::Tuning(Box::new(tuning::tuning(spec, &facts)?)))
}

/// The model that a preset names.
fn model<'a>(preset: &PresetSpec, references: &'a References) -> Result<&'a Model, InvalidWorkspace> {
    let name = || preset.name.clone();
    match &references.model {
        Some(ModelReference::Found(model)) => Ok(model),
        Some(ModelReference::Deprecated) => Err(InvalidWorkspace::UseDeprecatedModel(name())),
        Some(ModelReference::Undescribed { problem }) => Err(InvalidWorkspace::DescribeModel {
            preset: name(),
            problem: problem.clone(),
        }),
        Some(ModelReference::Unknown) | None => Err(InvalidWorkspace::FindModel(name())),
    }
}

/// The user's labels, and those by which the Workspace's nodes are known.
fn placement(workspace: &Workspace, references: &References, settings: &Settings) -> Placement {
    let mut all = workspace.spec.resource.as_ref().map(node_labels).unwrap_or_default();
    all.extend(references.placement.clone());
    Placement {
        node_labels: all,
        azure: settings.cloud == Cloud::Azure,
    }
}

/// Labels that the set of Workspaces, of which this is one, finds pods by.
fn set_labels(workspace: &Workspace) -> BTreeMap<String, String> {
    let of_sets = [
        labels::CREATED_BY_INFERENCE_SET,
        labels::MULTI_ROLE_INFERENCE,
        labels::INFERENCE_ROLE,
    ];
    let mut all = workspace.labels().clone();
    all.retain(|key, _| of_sets.contains(&key.as_str()));
    all
}

/// The options of the program that serves, which it reads when it starts. The token is not among them: a new one must
/// not make a model load again that was downloaded with the old one.
fn inputs(references: &References) -> BTreeMap<&'static str, String> {
    let config = references.config.as_ref();
    config
        .and_then(|config| config.digest.clone())
        .map(|digest| (CONFIG_INPUT, digest))
        .into_iter()
        .collect()
}

fn annotation<'a>(workspace: &'a Workspace, name: &str) -> Option<&'a str> {
    workspace.annotations().get(name).map(String::as_str)
}

#[cfg(test)]
mod tests;
