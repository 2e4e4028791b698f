//! Checking what a tuning asks for. Pure.

use std::num::NonZeroU32;

use kaito_api::admission::{training_output_directory, validate_training_config};
use kaito_api::names::{LORA_CONFIG_MAP, QLORA_CONFIG_MAP};
use kaito_api::v1beta1::{DataDestination, DataSource, TuningSpec};
use kaito_presets::{Model, ModelCatalogue};

use super::volume::volume;
use crate::workspace::references::tuning::{TrainingReference, TrainingSource};
use crate::workspace::workload::{ImageSource, InputSource, Method, TrainingConfig, Tuning, TuningInput, TuningOutput};

/// Why a model cannot be tuned as it is asked for. Each is the user's to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidTuning {
    /// No image with its weights.
    #[error("{model:?} cannot be tuned; the models that can are {}", .tunable.join(", "))]
    Tune {
        /// The model.
        model: String,
        /// Those that can be tuned.
        tunable: Vec<String>,
    },
    /// Neither of the two.
    #[error("tuning.method {0:?} must be lora or qlora")]
    Method(String),
    /// None of the three, or several.
    #[error("tuning.input needs exactly one of urls, image and volumeSource")]
    ChooseInput,
    /// Neither of the two, or both.
    #[error("tuning.output needs exactly one of image and volumeSource")]
    ChooseOutput,
    /// A registry takes no image from nobody.
    #[error("tuning.output.image needs tuning.output.imagePushSecret, the Secret to push it with")]
    FindPushSecret,
    /// The volume is none.
    #[error("{field} cannot be used: {problem}")]
    Volume {
        /// The field.
        field: &'static str,
        /// Why.
        problem: String,
    },
    /// The options of training cannot be read.
    #[error("the ConfigMap {config_map:?} with the options of training cannot be read: {problem}")]
    ReadConfig {
        /// Its name.
        config_map: String,
        /// Why.
        problem: String,
    },
    /// The options of training make no sense.
    #[error("the ConfigMap {config_map:?} cannot be used: {}", .problems.join("; "))]
    UseConfig {
        /// Its name.
        config_map: String,
        /// What is wrong.
        problems: Vec<String>,
    },
}

/// What has to be known beside the fields of a tuning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TuningFacts<'a> {
    /// Name of the Workspace.
    pub workspace: &'a str,
    /// The model that its preset names.
    pub model: &'a Model,
    /// GPUs of the machine, of the user's own, too.
    pub gpus: NonZeroU32,
    /// The options of training.
    pub config: &'a TrainingReference,
    /// Registry and path of images, without a slash at the end.
    pub registry: &'a str,
}

/// Checks a tuning.
///
/// # Errors
///
/// It asks for something that cannot be built.
pub(crate) fn tuning(spec: &TuningSpec, facts: &TuningFacts) -> Result<Tuning, InvalidTuning> {
    let catalogue = ModelCatalogue::builtin();
    let registry = facts.registry;
    let weights = facts.model.tuning().ok_or_else(|| InvalidTuning::Tune {
        model: facts.model.facts().id.to_string(),
        tunable: tunable(catalogue),
    })?;
    let method = method(spec.method.as_deref())?;
    Ok(Tuning {
        model: facts.model.clone(),
        image: format!("{registry}/{}", catalogue.base_image().reference()),
        weights_image: format!("{registry}/{}", weights.reference()),
        gpus: facts.gpus,
        config: config(facts, method)?,
        input: input(&spec.input)?,
        output: output(&spec.output)?,
    })
}

/// The method of this name, in any case.
///
/// # Errors
///
/// There is none.
pub(crate) fn method(name: Option<&str>) -> Result<Method, InvalidTuning> {
    let name = name.unwrap_or_default();
    match name.to_ascii_lowercase().as_str() {
        "lora" => Ok(Method::Lora),
        "qlora" => Ok(Method::Qlora),
        _ => Err(InvalidTuning::Method(name.to_owned())),
    }
}

/// ConfigMap with the options of tunings of this method that name none.
pub(crate) fn default_config_map(method: Method) -> &'static str {
    match method {
        Method::Lora => LORA_CONFIG_MAP,
        Method::Qlora => QLORA_CONFIG_MAP,
    }
}

/// Name of a Workspace's copy of the default options. KAITO's has the default's own name, so that tunings of one
/// namespace share it and nobody may delete it.
pub(crate) fn copy_name(workspace: &str) -> String {
    format!("{workspace}-training-config")
}

fn tunable(catalogue: &ModelCatalogue) -> Vec<String> {
    let models = catalogue.models().iter().filter(|model| model.tuning().is_some());
    models.map(|model| model.facts().id.to_string()).collect()
}

fn config(facts: &TuningFacts, method: Method) -> Result<TrainingConfig, InvalidTuning> {
    let TrainingReference { source, text, problem } = facts.config;
    let (TrainingSource::Named(name) | TrainingSource::Default(name)) = source;
    if let Some(problem) = problem {
        return Err(InvalidTuning::ReadConfig {
            config_map: name.clone(),
            problem: problem.clone(),
        });
    }
    let text = text.as_deref();
    let refuse = |problems: Vec<String>| InvalidTuning::UseConfig {
        config_map: name.clone(),
        problems,
    };
    let method = match method {
        Method::Lora => "lora",
        Method::Qlora => "qlora",
    };
    let problems = validate_training_config(text, method);
    if !problems.is_empty() {
        return Err(refuse(problems.into_iter().map(|problem| problem.message).collect()));
    }
    let output_directory = training_output_directory(text).map_err(|problem| refuse(vec![problem.message]))?;
    Ok(match source {
        TrainingSource::Named(name) => TrainingConfig {
            config_map: name.clone(),
            copy: None,
            output_directory,
        },
        TrainingSource::Default(_) => TrainingConfig {
            config_map: copy_name(facts.workspace),
            copy: text.map(str::to_owned),
            output_directory,
        },
    })
}

fn input(source: &DataSource) -> Result<TuningInput, InvalidTuning> {
    let urls = source.urls.as_ref().filter(|urls| !urls.is_empty());
    let image = source.image.as_ref().filter(|image| !image.is_empty());
    let found = match (urls, image, &source.volume_source) {
        (Some(urls), None, None) => InputSource::Urls(urls.clone()),
        (None, Some(image), None) => InputSource::Image(ImageSource {
            image: image.clone(),
            pull_secrets: source.image_pull_secrets.clone().unwrap_or_default(),
        }),
        (None, None, Some(raw)) => {
            InputSource::Volume(Box::new(volume(raw).map_err(|problem| InvalidTuning::Volume {
                field: "tuning.input.volumeSource",
                problem,
            })?))
        }
        _ => return Err(InvalidTuning::ChooseInput),
    };
    Ok(TuningInput {
        name: source.name.clone().unwrap_or_default(),
        source: found,
    })
}

fn output(destination: &DataDestination) -> Result<TuningOutput, InvalidTuning> {
    let image = destination.image.as_ref().filter(|image| !image.is_empty());
    match (image, &destination.volume_source) {
        (Some(image), None) => {
            let secret = destination
                .image_push_secret
                .clone()
                .filter(|secret| !secret.is_empty());
            Ok(TuningOutput::Image {
                image: image.clone(),
                push_secret: secret.ok_or(InvalidTuning::FindPushSecret)?,
            })
        }
        (None, Some(raw)) => {
            let volume = volume(raw).map_err(|problem| InvalidTuning::Volume {
                field: "tuning.output.volumeSource",
                problem,
            })?;
            Ok(TuningOutput::Volume(Box::new(volume)))
        }
        _ => Err(InvalidTuning::ChooseOutput),
    }
}

#[cfg(test)]
mod tests;
