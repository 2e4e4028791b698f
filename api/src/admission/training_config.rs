//! The ConfigMap with the options of a Workspace's tuning.

use serde_yaml_ng::{Mapping, Value};

use super::FieldError;
use crate::names::keys;

const FIELD: &str = "tuning.config";
/// Where results are when the options do not say.
const DEFAULT_OUTPUT: &str = "/mnt/output";
const SECTIONS: [&str; 6] = [
    "ModelConfig",
    "QuantizationConfig",
    "LoraConfig",
    "TrainingArguments",
    "DatasetConfig",
    "DataCollator",
];

/// What is wrong with the text under `training_config.yaml`; `None` is a ConfigMap without that key. `method` is lora
/// or qlora, in any case.
pub fn validate_training_config(text: Option<&str>, method: &str) -> Vec<FieldError> {
    let sections = match sections(text) {
        Ok(sections) => sections,
        Err(message) => return vec![FieldError::new(FIELD, message)],
    };
    let mut problems = Vec::new();
    for name in sections.keys() {
        if !name.as_str().is_some_and(|name| SECTIONS.contains(&name)) {
            let allowed = SECTIONS.join(", ");
            let name = name.as_str().unwrap_or("(not a text)");
            problems.push(format!("unknown section {name:?}; the sections are {allowed}"));
        }
    }
    problems.extend(check_quantization(sections.get("QuantizationConfig"), method).err());
    problems.extend(output_directory(sections.get("TrainingArguments")).err());
    problems
        .into_iter()
        .map(|message| FieldError::new(FIELD, message))
        .collect()
}

/// The directory of results that the text under `training_config.yaml` asks for: an absolute path below `/mnt`, or
/// `/mnt/output` if it does not say.
///
/// # Errors
///
/// There is no such text, it is not of that form, or results cannot be there.
pub fn training_output_directory(text: Option<&str>) -> Result<String, FieldError> {
    sections(text)
        .and_then(|sections| output_directory(sections.get("TrainingArguments")))
        .map_err(|message| FieldError::new(FIELD, message))
}

fn sections(text: Option<&str>) -> Result<Mapping, String> {
    let key = keys::TRAINING_CONFIG;
    let text = text.ok_or_else(|| format!("the ConfigMap has no key {key:?}; add it"))?;
    let config: Value = serde_yaml_ng::from_str(text).map_err(|error| format!("{key} is not YAML: {error}"))?;
    match config.get("training_config") {
        Some(Value::Mapping(sections)) => Ok(sections.clone()),
        _ => Err(format!("{key} must have a map training_config at its top")),
    }
}

fn check_quantization(section: Option<&Value>, method: &str) -> Result<(), String> {
    let bits = |name: &str| match section.and_then(|section| section.get(name)) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(given)) => Ok(*given),
        Some(_) => Err(format!("{name} in QuantizationConfig must be true or false")),
    };
    let (four, eight) = (bits("load_in_4bit")?, bits("load_in_8bit")?);
    match method.to_ascii_lowercase().as_str() {
        _ if four && eight => {
            Err("load_in_4bit and load_in_8bit in QuantizationConfig cannot both be true".to_owned())
        }
        "lora" if four || eight => Err(
            "method lora does not quantize: set load_in_4bit and load_in_8bit in QuantizationConfig to false, or use \
             method qlora"
                .to_owned(),
        ),
        "qlora" if !four && !eight => Err(
            "method qlora quantizes: set load_in_4bit or load_in_8bit in QuantizationConfig to true, or use method lora"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

/// The directory of results, as the pod will see it: no link is followed. `None` is what is not said.
fn output_directory(section: Option<&Value>) -> Result<String, String> {
    let directory = match section.and_then(|section| section.get("output_dir")) {
        None | Some(Value::Null) => return Ok(DEFAULT_OUTPUT.to_owned()),
        Some(Value::String(directory)) => directory,
        Some(_) => return Err("output_dir in TrainingArguments must be a text".to_owned()),
    };
    let outside = || {
        format!(
            "output_dir {directory:?} in TrainingArguments must be a directory below /mnt, for example /mnt/results"
        )
    };
    let below = match directory.strip_prefix("/mnt") {
        Some(below) if below.is_empty() || below.starts_with('/') => below,
        _ => directory,
    };
    let mut path = Vec::new();
    for segment in below.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                path.pop().ok_or_else(outside)?;
            }
            _ => path.push(segment),
        }
    }
    match path.as_slice() {
        [] => Err(outside()),
        ["config", ..] | ["data"] => Err(format!(
            "output_dir {directory:?} in TrainingArguments is where the training's input is; use another one, for example \
             /mnt/results"
        )),
        _ if directory.contains(':') => Err(format!(
            "output_dir {directory:?} in TrainingArguments cannot be mounted; leave the colon out"
        )),
        path => Ok(format!("/mnt/{}", path.join("/"))),
    }
}
