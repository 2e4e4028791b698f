//! A model that is not in the catalogue, from what its user says of it.

use std::collections::BTreeMap;

use kaito_api::names::keys;
use kaito_presets::{ByteSize, GenerateModelError, HubFile, HubId, HubModel, Model, ModelCatalogue, ParseByteSize};

/// Why a model cannot be made from what its user says.
#[derive(Debug, thiserror::Error)]
pub enum ModelFactsError {
    /// No config.json.
    #[error(
        "key {:?} is missing; add the text of https://huggingface.co/{id}/raw/main/config.json",
        keys::MODEL_CONFIG
    )]
    FindConfig {
        /// The model.
        id: HubId,
    },
    /// It is not JSON, or no object.
    #[error(
        "{:?} of {id} is not a JSON object; copy the whole file from Hugging Face",
        keys::MODEL_CONFIG
    )]
    ParseConfig {
        /// The model.
        id: HubId,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// No size, or 0.
    #[error(
        "key {:?} is missing or 0; add the size of the .safetensors files of {id} together, such as 15.3Gi",
        keys::MODEL_WEIGHTS
    )]
    FindWeights {
        /// The model.
        id: HubId,
    },
    /// The files are no list of files.
    #[error("{:?} of {id} is not a JSON list of objects with path and size", keys::MODEL_FILES)]
    ParseFiles {
        /// The model.
        id: HubId,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// The size is none.
    #[error(
        "{:?} cannot be read; write the size of the .safetensors files together, such as 15.3Gi",
        keys::MODEL_WEIGHTS
    )]
    ParseWeights {
        /// Why.
        #[source]
        source: ParseByteSize,
    },
    /// Neither yes nor no.
    #[error("{:?} is {given:?}; write \"true\" or \"false\", or leave it out", keys::MODEL_GATED)]
    ParseGated {
        /// As it was given.
        given: String,
    },
    /// It cannot be served.
    #[error(transparent)]
    Generate(GenerateModelError),
}

/// Makes the model `id` from the data of the ConfigMap that a Workspace names in its annotation `kaito.sh/model-facts`.
///
/// # Errors
/// For missing keys and values that make no sense, and for a model that vLLM cannot run. The message says what to add.
pub fn model_from_config_map(id: &HubId, data: &BTreeMap<String, String>) -> Result<Model, ModelFactsError> {
    let find = |key: &str| data.get(key).map(|text| text.trim()).filter(|text| !text.is_empty());
    let config = find(keys::MODEL_CONFIG).ok_or_else(|| ModelFactsError::FindConfig { id: id.clone() })?;
    let gated = match find(keys::MODEL_GATED) {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(given) => {
            return Err(ModelFactsError::ParseGated {
                given: given.to_owned(),
            });
        }
    };
    if let Some(files) = find(keys::MODEL_FILES) {
        let files: Vec<HubFile> =
            serde_json::from_str(files).map_err(|source| ModelFactsError::ParseFiles { id: id.clone(), source })?;
        return generate(&HubModel {
            id,
            config,
            files: &files,
            gated,
        });
    }
    let weights = find(keys::MODEL_WEIGHTS)
        .ok_or_else(|| ModelFactsError::FindWeights { id: id.clone() })?
        .parse()
        .map_err(|source| ModelFactsError::ParseWeights { source })?;
    model_from_facts(id, config, weights, gated)
}

/// Makes the model `id` from the text of its config.json and the size of its weight files.
///
/// # Errors
/// For a size of 0, what is no JSON object, and for a model that vLLM cannot run.
pub fn model_from_facts(
    id: &HubId,
    config: &str,
    weights: ByteSize,
    gated: Option<bool>,
) -> Result<Model, ModelFactsError> {
    generate(&HubModel {
        id,
        config,
        files: &[HubFile {
            path: "model.safetensors".to_owned(),
            size: weights.bytes(),
        }],
        gated,
    })
}

fn generate(published: &HubModel<'_>) -> Result<Model, ModelFactsError> {
    ModelCatalogue::builtin()
        .generate(published)
        .map_err(|error| match error {
            GenerateModelError::ParseConfig { id, source } => ModelFactsError::ParseConfig { id, source },
            GenerateModelError::FindWeights { id } => ModelFactsError::FindWeights { id },
            error @ GenerateModelError::UnsupportedArchitecture { .. } => ModelFactsError::Generate(error),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{
        "architectures": ["Qwen2ForCausalLM"], "num_hidden_layers": 28, "num_attention_heads": 28,
        "num_key_value_heads": 4, "hidden_size": 3584, "max_position_embeddings": 32768, "torch_dtype": "bfloat16"
    }"#;

    fn made(data: &[(&str, &str)]) -> Result<Model, ModelFactsError> {
        let id = HubId::try_from("Somebody/Tuned-7B").unwrap();
        let data = data.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        model_from_config_map(&id, &data.collect())
    }

    #[test]
    fn a_model_is_made_from_its_config_and_its_size() {
        let model = made(&[("config.json", CONFIG), ("weights", "14.19Gi\n"), ("gated", "true")]).unwrap();
        assert_eq!(model.served_name(), "tuned-7b");
        assert_eq!(model.weights().to_string(), "14.19 GiB");
        assert_eq!(model.kv_bytes_per_token(), 2 * 28 * 4 * 128 * 2);
        assert_eq!(model.token_limit(), 32768);
        assert!(model.needs_token() && model.transformers().is_none() && model.tuning().is_none());
        let parser = model.vllm().find("tool-call-parser").unwrap();
        assert_eq!(parser.to_string(), "--tool-call-parser=hermes");
        assert!(
            !made(&[("config.json", CONFIG), ("weights", "14.19Gi")])
                .unwrap()
                .needs_token()
        );
    }

    #[test]
    fn what_is_missing_or_wrong_is_told_with_what_to_write() {
        let weights = ("weights", "14.19Gi");
        let config = ("config.json", CONFIG);
        for (data, message) in [
            (
                vec![weights],
                "key \"config.json\" is missing; add the text of \
                 https://huggingface.co/Somebody/Tuned-7B/raw/main/config.json",
            ),
            (
                vec![weights, ("config.json", "[]")],
                "\"config.json\" of Somebody/Tuned-7B is not a JSON object; copy the whole file from Hugging Face",
            ),
            (
                vec![config],
                "key \"weights\" is missing or 0; add the size of the .safetensors files of Somebody/Tuned-7B together, such as \
                 15.3Gi",
            ),
            (
                vec![config, ("weights", "0Gi")],
                "key \"weights\" is missing or 0; add the size of the .safetensors files of Somebody/Tuned-7B together, such as \
                 15.3Gi",
            ),
            (
                vec![config, ("weights", "15 GB")],
                "\"weights\" cannot be read; write the size of the .safetensors files together, such as 15.3Gi",
            ),
            (
                vec![config, weights, ("gated", "yes")],
                "\"gated\" is \"yes\"; write \"true\" or \"false\", or leave it out",
            ),
        ] {
            assert_eq!(made(&data).unwrap_err().to_string(), message);
        }
        let unknown = CONFIG.replace("Qwen2ForCausalLM", "BertModel2");
        let refused = made(&[("config.json", &unknown), weights]).unwrap_err().to_string();
        assert!(
            refused.starts_with("unsupported model architecture for Somebody/Tuned-7B: vLLM"),
            "{refused}"
        );
    }
}
