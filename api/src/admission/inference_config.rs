//! The ConfigMap with options for the program that serves a Workspace's model.

use serde_yaml_ng::{Mapping, Value};

use super::FieldError;
use crate::names::keys;

const FIELD: &str = "inference.config";

/// What is wrong with the text under `inference_config.yaml`; `None` is a ConfigMap without that key. `token_limit` is
/// the model's, if it is known. For vLLM only.
pub fn validate_inference_config(text: Option<&str>, token_limit: Option<u64>) -> Vec<FieldError> {
    check(text, token_limit)
        .err()
        .map(|message| FieldError::new(FIELD, message))
        .into_iter()
        .collect()
}

/// The largest context, in tokens, that the text under `inference_config.yaml` allows; `None` if it says nothing that
/// could be one.
pub fn max_model_len(text: &str) -> Option<u64> {
    let config: Value = serde_yaml_ng::from_str(text).ok()?;
    length(config.get("vllm")?.get("max-model-len")?).filter(|length| *length > 0)
}

fn check(text: Option<&str>, token_limit: Option<u64>) -> Result<(), String> {
    let key = keys::INFERENCE_CONFIG;
    let text = text.ok_or_else(|| format!("the ConfigMap has no key {key:?}; add it"))?;
    let config: Value = serde_yaml_ng::from_str(text).map_err(|error| format!("{key} is not YAML: {error}"))?;
    let options = match config.get("vllm") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Mapping(options)) => options,
        Some(_) => return Err(format!("vllm in {key} must be a map of options")),
    };
    let scalar = |value: &Value| !matches!(value, Value::Mapping(_) | Value::Sequence(_) | Value::Tagged(_));
    if let Some((name, _)) = options.iter().find(|(name, value)| !name.is_string() || !scalar(value)) {
        return Err(format!("option {name:?} of vllm in {key} must have one plain value"));
    }
    check_length(options, token_limit)
}

fn check_length(options: &Mapping, token_limit: Option<u64>) -> Result<(), String> {
    let Some(limit) = token_limit else {
        return Ok(());
    };
    let given = match options.get("max-model-len") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(()),
        Some(value) => length(value),
    };
    match given {
        Some(length) if length <= limit => Ok(()),
        Some(length) => Err(format!(
            "max-model-len {length} is more than the model's limit of {limit} tokens; lower it"
        )),
        None => Err("max-model-len must be a whole number of tokens".to_owned()),
    }
}

fn length(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_u64(),
    }
}
