//! Rules about a Workspace.
//!
//! Not here, since they need more than the object and a catalogue row: whether a model fits into the GPUs' memory (see
//! [`super::Load`]), and whether nodes that the user brings are alike.

use super::annotations::{self, Runtime};
use super::{Environment, FieldError, Preset, PresetFacts, instance_type};
use crate::v1beta1::{InferenceSpec, PartitionMode, PartitionSpec, PresetSpec, TuningSpec, Workspace};

/// What is wrong with `new`. `old` is what it was before, or `None` when it is made; `preset` is what the catalogue
/// says of the model it names, if it names one.
///
/// What did not change, and what is being deleted, is not looked at: a Workspace that was once let in can always be
/// deleted.
pub fn validate_workspace(
    new: &Workspace,
    old: Option<&Workspace>,
    preset: Option<&Preset>,
    environment: &Environment,
) -> Vec<FieldError> {
    if new.metadata.deletion_timestamp.is_some() {
        return Vec::new();
    }
    let mut errors = annotations::check(new, old, environment);
    let runtime = Runtime::of(new, environment.vllm);
    match old {
        Some(old) if old.spec == new.spec && Runtime::of(old, environment.vllm) == runtime => {}
        Some(old) => errors.extend(check_change(new, old, preset, environment)),
        None => errors.extend(check_creation(new, preset, environment)),
    }
    errors
}

fn check_creation(new: &Workspace, preset: Option<&Preset>, environment: &Environment) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match &new.spec.resource {
        Some(resource) => {
            errors.extend(instance_type::check("resource", resource, None, environment));
            errors.extend(
                resource
                    .partition
                    .as_ref()
                    .and_then(|partition| check_partition(partition, environment)),
            );
        }
        None if environment.node_auto_provisioning => errors.push(FieldError::new(
            "resource",
            "resource is required when node auto-provisioning is enabled: set instanceType and labelSelector",
        )),
        None => {}
    }
    if let Some(inference) = &new.spec.inference {
        errors.extend(check_preset(inference, preset));
        errors.extend(check_runtime(inference, Runtime::of(new, environment.vllm), preset));
    }
    if let Some(tuning) = &new.spec.tuning {
        errors.extend(check_tuning(tuning, preset));
    }
    errors
}

/// The model cannot change, and one that has left the catalogue does not make its Workspaces unchangeable.
fn check_change(
    new: &Workspace,
    old: &Workspace,
    preset: Option<&Preset>,
    environment: &Environment,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(resource) = &new.spec.resource {
        let old = old.spec.resource.as_ref();
        errors.extend(instance_type::check("resource", resource, old, environment));
    }
    if let Some(inference) = &new.spec.inference {
        errors.extend(check_runtime(inference, Runtime::of(new, environment.vllm), preset));
    }
    errors
}

fn check_partition(partition: &PartitionSpec, environment: &Environment) -> Option<FieldError> {
    if environment.node_auto_provisioning {
        return Some(FieldError::new(
            "resource.partition",
            "partition is only supported when node auto-provisioning is disabled (BYO scenario); remove it",
        ));
    }
    let (enabled, gate) = match partition.mode {
        PartitionMode::Mig => (environment.mig, "enableMIG"),
        PartitionMode::Accelerator => (environment.accelerator, "enableAccelerator"),
    };
    (!enabled).then(|| {
        FieldError::new(
            "resource.partition.mode",
            format!("this mode needs the feature gate {gate}, which is off; ask who runs the controller"),
        )
    })
}

/// Whether the model can be had.
fn check_preset(inference: &InferenceSpec, preset: Option<&Preset>) -> Option<FieldError> {
    let named = inference.preset.as_ref()?;
    match preset? {
        Preset::Known(facts) => check_secret(named, facts),
        Preset::Deprecated => Some(deprecated("inference.preset.name", named)),
        Preset::Unknown => Some(FieldError::new(
            "inference.preset.name",
            format!(
                "Unsupported inference preset name {}; use one of the catalogue or an id of Hugging Face",
                named.name
            ),
        )),
    }
}

fn deprecated(field: &str, preset: &PresetSpec) -> FieldError {
    FieldError::new(
        field,
        format!(
            "Model {} is deprecated and no longer supported; choose another one",
            preset.name
        ),
    )
}

fn check_secret(preset: &PresetSpec, facts: &PresetFacts) -> Option<FieldError> {
    let given = preset
        .preset_options
        .as_ref()
        .and_then(|options| options.model_access_secret.as_deref())
        .is_some_and(|secret| !secret.is_empty());
    let message = match (facts.download_at_runtime, given) {
        (true, false) if facts.needs_token => format!(
            "This preset requires a modelAccessSecret: name a Secret whose key HF_TOKEN may download {}",
            preset.name
        ),
        (false, true) => {
            "This preset does not require a modelAccessSecret, since its weights are not downloaded; remove it"
                .to_owned()
        }
        _ => return None,
    };
    Some(FieldError::new(
        "inference.preset.presetOptions.modelAccessSecret",
        message,
    ))
}

/// Whether the program that serves can do what is asked of it.
fn check_runtime(inference: &InferenceSpec, runtime: Runtime, preset: Option<&Preset>) -> Vec<FieldError> {
    let adapters = inference.adapters.as_deref().unwrap_or_default();
    let mut errors = Vec::new();
    if runtime == Runtime::Vllm && adapters.iter().any(|adapter| adapter.strength.is_some()) {
        errors.push(FieldError::new(
            "inference.adapters",
            "Runtime validation: vLLM does not support adapter strength; remove strength, or set the annotation \
             kaito.sh/runtime to transformers",
        ));
    }
    let (Some(named), Some(Preset::Known(facts))) = (&inference.preset, preset) else {
        return errors;
    };
    if runtime == Runtime::Transformers && !facts.transformers {
        errors.push(FieldError::new(
            "inference.preset.name",
            format!(
                "Runtime validation: {} cannot be served by transformers; remove the annotation kaito.sh/runtime",
                named.name
            ),
        ));
    }
    if runtime == Runtime::Vllm && !adapters.is_empty() && !facts.adapters {
        errors.push(FieldError::new(
            "inference.adapters",
            format!(
                "Runtime validation: vLLM cannot serve adapters beside {}; remove them",
                named.name
            ),
        ));
    }
    errors
}

fn check_tuning(tuning: &TuningSpec, preset: Option<&Preset>) -> Option<FieldError> {
    let named = tuning.preset.as_ref()?;
    let field = "tuning.preset.name";
    match preset? {
        Preset::Known(facts) if facts.tunable => None,
        Preset::Known(_) => Some(FieldError::new(
            field,
            format!("Model {} cannot be tuned; choose another one", named.name),
        )),
        Preset::Deprecated => Some(deprecated(field, named)),
        Preset::Unknown => Some(FieldError::new(
            field,
            format!(
                "Unsupported tuning preset name {}; use one of the catalogue",
                named.name
            ),
        )),
    }
}
