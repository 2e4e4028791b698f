//! `kaito-controller presets`: planning without a cluster.
//!
//! What is printed is made by functions of the catalogues alone; only here a file is read and something is printed.

mod arguments;
mod estimate;
mod models;
mod table;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use kaito_presets::{HubId, Model, ModelCatalogue, Resolution};

pub use arguments::PresetsCommand;

use crate::presets::{ModelFactsError, model_from_facts};
use arguments::{Action, ModelArguments};

/// The answer to a question is no.
const NO: u8 = 1;
/// The question makes no sense, as with clap.
const USAGE: u8 = 2;

/// What is said.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    /// Lines, the last one ended.
    text: String,
    /// Whether the model that was asked about can be served so.
    fits: bool,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
enum Question {
    /// It could be used once.
    #[error("model {name} is deprecated and no longer supported; `kaito-controller presets list` shows the others")]
    Deprecated {
        /// The model.
        name: String,
    },
    /// No such model.
    #[error(
        "there is no model {name}; `kaito-controller presets list` shows those of the catalogue, and others are known by \
         their id on Hugging Face, owner/name"
    )]
    Unknown {
        /// The model.
        name: String,
    },
    /// Nothing is known of the model.
    #[error(
        "{id} is not in the catalogue; say what it is with --config-json (the file \
         https://huggingface.co/{id}/raw/main/config.json) and --weights (the size of its .safetensors files together)"
    )]
    NotInCatalogue {
        /// The model.
        id: HubId,
    },
    /// A model needs an id.
    #[error("{name} is not the id of a model on Hugging Face; write owner/name before --config-json")]
    NoId {
        /// The model.
        name: String,
    },
    /// The file of --config-json.
    #[error("{} cannot be read", path.display())]
    ReadConfig {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What it says.
    #[error(transparent)]
    Facts(#[from] ModelFactsError),
    /// No such machine.
    #[error("nothing is known of instance type {name} of {cloud}; those that are known: {known}")]
    UnknownInstanceType {
        /// The machine type.
        name: String,
        /// The cloud.
        cloud: &'static str,
        /// The others.
        known: String,
    },
    /// The context is larger than the model allows.
    #[error("{id} reads and writes {limit} tokens at most; lower --context")]
    ContextTooLong {
        /// The model.
        id: HubId,
        /// Its limit.
        limit: u64,
    },
    /// The runtime is for some models only.
    #[error("{id} cannot be served by transformers; leave --runtime out")]
    NoTransformers {
        /// The model.
        id: HubId,
    },
}

/// Answers on standard output. The exit code is 0 for an answer, 1 when a model does not fit, and 2 for what cannot be
/// answered.
pub fn main(command: &PresetsCommand) -> ExitCode {
    match answer(command) {
        Ok(answer) => {
            // Whoever closes the pipe early has read enough.
            let _ = std::io::stdout().write_all(answer.text.as_bytes());
            if answer.fits {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(NO)
            }
        }
        Err(error) => {
            eprintln!("error: {}", chain(&error));
            ExitCode::from(USAGE)
        }
    }
}

fn answer(command: &PresetsCommand) -> Result<Answer, Question> {
    let told = |text| Answer { text, fits: true };
    match &command.action {
        Action::List(arguments) => Ok(told(models::list(ModelCatalogue::builtin(), arguments.output))),
        Action::Show(arguments) => Ok(told(models::show(&model(&arguments.model)?, arguments.output))),
        Action::Estimate(arguments) => estimate::estimate(&model(&arguments.model)?, arguments),
    }
}

/// The model that is named, or described.
fn model(arguments: &ModelArguments) -> Result<Model, Question> {
    let name = &arguments.model;
    if let (Some(path), Some(weights)) = (&arguments.config_json, arguments.weights) {
        let id = HubId::try_from(name.as_str()).map_err(|_| Question::NoId { name: name.clone() })?;
        let config = std::fs::read_to_string(path).map_err(|source| Question::ReadConfig {
            path: path.clone(),
            source,
        })?;
        return Ok(model_from_facts(&id, &config, weights, None)?);
    }
    match ModelCatalogue::builtin().resolve(name) {
        Resolution::Known(model) => Ok(model.clone()),
        Resolution::HuggingFaceId(id) => Err(Question::NotInCatalogue { id }),
        Resolution::Deprecated => Err(Question::Deprecated { name: name.clone() }),
        Resolution::Unknown => Err(Question::Unknown { name: name.clone() }),
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .fold(error.to_string(), |text, source| format!("{text}: {source}"))
}

#[cfg(test)]
mod tests;
