//! A model that is to be served by a preset.

use std::num::NonZeroU32;

use kaito_api::admission::{self, max_model_len, validate_inference_config};
use kaito_api::names::{annotations, keys, labels};
use kaito_api::v1beta1::{InferenceSpec, PartitionMode, PresetSpec, Workspace};
use kaito_presets::{DEFAULT_CONTEXT_TOKENS, Gpus, Model, ModelCatalogue, ServingRuntime, size};
use kube::ResourceExt;

use super::{InvalidWorkspace, adapters, annotation};
use crate::settings::Settings;
use crate::workspace::references::{ConfigReference, GpuProblem, References, SecretState};
use crate::workspace::workload::{PerformanceMode, Runtime, Serving, ServingConfig, Weights};

/// Directory of a node below which its models are.
const NODE_MODELS: &str = "/opt/kaito/models";

/// What is asked for, and what is known about it.
pub(super) struct Request<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) inference: &'a InferenceSpec,
    pub(super) preset: &'a PresetSpec,
    pub(super) references: &'a References,
    pub(super) settings: &'a Settings,
}

pub(super) fn serving(request: &Request<'_>) -> Result<Serving, InvalidWorkspace> {
    let Request {
        workspace,
        inference,
        preset,
        references,
        settings,
    } = request;
    let model = super::model(preset, references)?.clone();
    let runtime = runtime(workspace, &model, preset, settings)?;
    let token_secret = token(request, &model)?;
    let adapters = adapters::adapters(inference.adapters.as_deref().unwrap_or_default(), runtime)?;
    if runtime == Runtime::Vllm && !adapters.is_empty() && !model.allows_adapters() {
        return Err(InvalidWorkspace::UseAdapters(preset.name.clone()));
    }
    let config = config(request, runtime, &model)?;
    let gpus = references.gpus.clone().ok_or(GpuProblem::NameInstanceType)??;
    let context = config.as_ref().and_then(|config| config.max_model_len);
    let annotated = |name| annotation(workspace, name);
    Ok(Serving {
        nodes: nodes(workspace, &model, runtime, &gpus, context)?,
        served_name: served_name(workspace, &model),
        image: format!(
            "{}/{}",
            settings.preset_registry,
            ModelCatalogue::builtin().base_image().reference()
        ),
        mig_profile: mig_profile(workspace),
        weights: weights(workspace, preset, references),
        performance_mode: annotated(annotations::PERFORMANCE_MODE).and_then(performance_mode),
        benchmark: runtime == Runtime::Vllm && annotated(annotations::DISABLE_BENCHMARK) != Some("true"),
        model,
        runtime,
        gpus,
        config,
        adapters,
        token_secret,
    })
}

/// The number of machines that was chosen once and is kept: machines were made for it.
pub(super) fn chosen_nodes(workspace: &Workspace) -> Option<NonZeroU32> {
    let count = workspace.status.as_ref()?.target_node_count?;
    u32::try_from(count).ok().and_then(NonZeroU32::new)
}

/// The number of machines that the user wants at least.
pub(super) fn requested_nodes(workspace: &Workspace) -> NonZeroU32 {
    let count = workspace.spec.resource.as_ref().map(|resource| resource.count);
    count
        .and_then(|count| u32::try_from(count).ok())
        .and_then(NonZeroU32::new)
        .unwrap_or(NonZeroU32::MIN)
}

fn nodes(
    workspace: &Workspace,
    model: &Model,
    runtime: Runtime,
    gpus: &Gpus,
    context: Option<u64>,
) -> Result<NonZeroU32, InvalidWorkspace> {
    if let Some(chosen) = chosen_nodes(workspace) {
        return Ok(chosen);
    }
    let requested = requested_nodes(workspace);
    let runtime = match runtime {
        Runtime::Vllm => ServingRuntime::Vllm,
        Runtime::Transformers => ServingRuntime::Transformers,
    };
    let is_unchecked = annotation(workspace, annotations::BYPASS_RESOURCE_CHECKS).is_some();
    match size(
        model,
        runtime,
        gpus,
        requested,
        context.unwrap_or(DEFAULT_CONTEXT_TOKENS),
    ) {
        Ok(sizing) => Ok(sizing.nodes),
        Err(_) if is_unchecked => Ok(requested),
        Err(problem) => Err(problem.into()),
    }
}

fn runtime(
    workspace: &Workspace,
    model: &Model,
    preset: &PresetSpec,
    settings: &Settings,
) -> Result<Runtime, InvalidWorkspace> {
    match admission::Runtime::of(workspace, settings.feature_gates.vllm) {
        admission::Runtime::Vllm => Ok(Runtime::Vllm),
        admission::Runtime::Transformers if model.transformers().is_some() => Ok(Runtime::Transformers),
        admission::Runtime::Transformers => Err(InvalidWorkspace::UseTransformers(preset.name.clone())),
    }
}

/// Pods without the token of a gated model would fail one after the other, so none is made; but those that are there
/// have downloaded it.
fn token(request: &Request<'_>, model: &Model) -> Result<Option<String>, InvalidWorkspace> {
    let preset = request.preset;
    let options = preset.preset_options.as_ref();
    let secret = options
        .and_then(|options| options.model_access_secret.clone())
        .filter(|secret| !secret.is_empty());
    if !model.needs_token() || chosen_nodes(request.workspace).is_some() {
        return Ok(secret);
    }
    let Some(name) = &secret else {
        return Err(InvalidWorkspace::NameToken(preset.name.clone()));
    };
    let key = keys::HUGGING_FACE_TOKEN;
    let problem = match &request.references.token {
        Some(SecretState::Found) => return Ok(secret),
        Some(SecretState::WithoutKey) => format!("Secret {name:?} has no key {key:?}; add it"),
        Some(SecretState::Missing) | None => format!("there is no Secret {name:?}; make it, with the key {key:?}"),
    };
    Err(InvalidWorkspace::ReadToken {
        preset: preset.name.clone(),
        problem,
    })
}

/// How many machines there are depends on the options, so they have to be known until that is chosen; afterwards pods
/// wait for the ConfigMap by themselves.
fn config(request: &Request<'_>, runtime: Runtime, model: &Model) -> Result<Option<ServingConfig>, InvalidWorkspace> {
    let Some(reference) = &request.references.config else {
        return Ok(None);
    };
    let ConfigReference {
        name, text, problem, ..
    } = reference;
    let mut config = ServingConfig {
        config_map: name.clone(),
        max_model_len: None,
    };
    match (problem, runtime) {
        (_, Runtime::Transformers) => {}
        (Some(problem), Runtime::Vllm) if chosen_nodes(request.workspace).is_none() => {
            return Err(InvalidWorkspace::ReadConfig {
                name: name.clone(),
                problem: problem.clone(),
            });
        }
        (Some(_), Runtime::Vllm) => {}
        (None, Runtime::Vllm) => {
            let errors = validate_inference_config(text.as_deref(), Some(model.token_limit()));
            if let Some(error) = errors.into_iter().next() {
                return Err(InvalidWorkspace::CheckConfig {
                    name: name.clone(),
                    problem: error.message,
                });
            }
            config.max_model_len = text.as_deref().and_then(max_model_len);
        }
    }
    Ok(Some(config))
}

/// Those who ask an InferenceSet ask for it, whichever of its Workspaces answers. The parts of a MultiRoleInference have
/// a set each, and are asked for the model.
fn served_name(workspace: &Workspace, model: &Model) -> String {
    let labels = workspace.labels();
    labels
        .get(labels::CREATED_BY_INFERENCE_SET)
        .filter(|set| !set.is_empty() && !labels.contains_key(labels::MULTI_ROLE_INFERENCE))
        .cloned()
        .unwrap_or_else(|| model.served_name())
}

fn mig_profile(workspace: &Workspace) -> Option<String> {
    let partition = workspace.spec.resource.as_ref()?.partition.as_ref()?;
    partition
        .profile
        .clone()
        .filter(|_| partition.mode == PartitionMode::Mig)
}

fn weights(workspace: &Workspace, preset: &PresetSpec, references: &References) -> Weights {
    let is_local = annotation(workspace, annotations::USE_LOCAL_WEIGHTS) == Some("true");
    match node_directory(&preset.name).filter(|_| is_local) {
        Some(path) => Weights::Node { path },
        None if references.nvme => Weights::Nvme,
        None => Weights::Disk,
    }
}

/// The directory of a node in which a preset's weights are, if its name can be a directory's.
fn node_directory(preset: &str) -> Option<String> {
    let name = preset.trim().to_lowercase().replace(['/', '\\'], "-");
    let is_directory = !matches!(name.as_str(), "" | "." | "..");
    is_directory.then(|| format!("{NODE_MODELS}/{name}"))
}

fn performance_mode(text: &str) -> Option<PerformanceMode> {
    match text {
        "interactivity" => Some(PerformanceMode::Interactivity),
        "throughput" => Some(PerformanceMode::Throughput),
        _ => None,
    }
}
