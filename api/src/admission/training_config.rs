//! The ConfigMap with the options of a Workspace's tuning.

use serde_yaml_ng::{Mapping, Value};

use super::FieldError;
use crate::names::keys;

const FIELD: &str = "tuning.config";
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
    problems.extend(check_output(sections.get("TrainingArguments")).err());
    problems
        .into_iter()
        .map(|message| FieldError::new(FIELD, message))
        .collect()
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

fn check_output(section: Option<&Value>) -> Result<(), String> {
    let directory = match section.and_then(|section| section.get("output_dir")) {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(directory)) => directory,
        Some(_) => return Err("output_dir in TrainingArguments must be a text".to_owned()),
    };
    // Lexically, as the pod will see it: no link is followed.
    let mut depth = 0_usize;
    for segment in directory.split('/') {
        match segment {
            "" | "." => {}
            ".." if depth == 0 => return Err(outside(directory)),
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    if depth == 0 { Err(outside(directory)) } else { Ok(()) }
}

fn outside(directory: &str) -> String {
    format!("output_dir {directory:?} in TrainingArguments must be a directory below /mnt, for example results")
}
