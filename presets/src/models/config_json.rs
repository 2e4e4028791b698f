//! A model outside of the catalogue, from its config.json and its list of files.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::facts::{Attention, ModelFacts, Quantisation, WeightFormat};
use super::rules::{ConfigKeys, Rules};
use crate::byte_size::ByteSize;
use crate::hub_id::HubId;

/// Number formats that vLLM knows. What else config.json says does not get on a command line.
const DTYPES: [&str; 5] = ["bfloat16", "float16", "float32", "float", "half"];

/// What the hub says of a model.
#[derive(Debug, Clone, Copy)]
pub struct HubModel<'text> {
    /// Its id.
    pub id: &'text HubId,
    /// The text of its config.json, or of the params.json that Mistral writes instead.
    pub config: &'text str,
    /// All its files.
    pub files: &'text [HubFile],
    /// Whether the hub wanted a token; `None` if it was not asked without one.
    pub gated: Option<bool>,
}

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubFile {
    /// Below the repository.
    pub path: String,
    /// In bytes; a directory has none.
    #[serde(default)]
    pub size: u64,
}

/// Why a model cannot be made from what the hub says.
#[derive(Debug, thiserror::Error)]
pub enum GenerateModelError {
    /// Not JSON, or not an object.
    #[error("the configuration of {id} on Hugging Face is not a JSON object; choose another model")]
    ParseConfig {
        /// The model.
        id: HubId,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// Nothing to load.
    #[error(
        "{id} has no weights in .safetensors or .bin files on Hugging Face; choose a model that has, such as the one \
         that it was converted from"
    )]
    FindWeights {
        /// The model.
        id: HubId,
    },
    /// vLLM cannot run it.
    #[error(
        "unsupported model architecture for {id}: vLLM {vllm} has none of {}; choose another model",
        architectures.join(", ")
    )]
    UnsupportedArchitecture {
        /// The model.
        id: HubId,
        /// What it has.
        architectures: Vec<String>,
        /// The version of vLLM.
        vllm: String,
    },
}

impl HubModel<'_> {
    pub(crate) fn facts(&self, rules: &Rules) -> Result<ModelFacts, GenerateModelError> {
        let parsed = serde_json::from_str(&without_infinities(self.config));
        let fields: Map<String, Value> = parsed.map_err(|source| GenerateModelError::ParseConfig {
            id: self.id.clone(),
            source,
        })?;
        let config = Config {
            fields: with_text_config(fields),
            keys: &rules.config_keys,
        };
        let (format, weights) = self
            .weights()
            .ok_or_else(|| GenerateModelError::FindWeights { id: self.id.clone() })?;
        Ok(ModelFacts {
            id: self.id.clone(),
            licence: None,
            architectures: config.architectures(),
            weights,
            token_limit: config
                .number(&rules.config_keys.token_limit)
                .unwrap_or(rules.default_token_limit),
            attention: config.attention(),
            dtype: config.dtype(),
            quantisation: config.quantisation(),
            format,
            gated: self.gated,
        })
    }

    /// The files that vLLM would load: Mistral's if there are any, since the others then hold the same again.
    fn weights(&self) -> Option<(WeightFormat, ByteSize)> {
        let file_name = |file: &HubFile| file.path.rsplit('/').next().unwrap_or_default().to_owned();
        let sum = |wanted: &dyn Fn(&str) -> bool| {
            let sizes = self.files.iter().filter(|file| wanted(&file_name(file)));
            let sum = sizes.fold(0_u64, |sum, file| sum.saturating_add(file.size));
            (sum > 0).then(|| ByteSize::from_bytes(sum))
        };
        let mistral = sum(&|name| name.starts_with("consolidated") && name.ends_with(".safetensors"));
        let usual = || sum(&|name| name.ends_with(".safetensors")).or_else(|| sum(&|name| name.ends_with(".bin")));
        mistral
            .map(|size| (WeightFormat::Mistral, size))
            .or_else(|| usual().map(|size| (WeightFormat::Auto, size)))
    }
}

/// A config.json, in which each figure may go by several names.
struct Config<'rules> {
    fields: Map<String, Value>,
    keys: &'rules ConfigKeys,
}

impl Config<'_> {
    fn architectures(&self) -> Vec<String> {
        let listed = self.fields.get("architectures").and_then(Value::as_array);
        let names = listed.into_iter().flatten().filter_map(Value::as_str);
        names.map(str::to_owned).collect()
    }

    fn attention(&self) -> Attention {
        let Some(layers) = self.number(&self.keys.layers) else {
            return Attention::Unknown;
        };
        if let Some(kv_lora_rank) = self.number(&self.keys.kv_lora_rank) {
            return Attention::Latent {
                layers,
                kv_lora_rank,
                qk_rope_head_dim: self.number(&self.keys.qk_rope_head_dim).unwrap_or_default(),
            };
        }
        let Some(heads) = self.number(&self.keys.heads) else {
            return Attention::Unknown;
        };
        let shares_one = self.fields.get("multi_query").and_then(Value::as_bool) == Some(true);
        let kv_heads = self
            .number(&self.keys.kv_heads)
            .unwrap_or(if shares_one { 1 } else { heads });
        let head_size = self.number(&self.keys.head_size).or_else(|| {
            self.number(&self.keys.hidden_size)
                .map(|hidden_size| hidden_size / heads)
        });
        head_size.map_or(Attention::Unknown, |head_size| Attention::Heads {
            layers,
            heads,
            kv_heads,
            head_size,
        })
    }

    fn dtype(&self) -> Option<String> {
        let text = |key| self.fields.get(key).and_then(Value::as_str);
        let dtype = self.keys.dtype.iter().find_map(text)?;
        DTYPES.contains(&dtype).then(|| dtype.to_owned())
    }

    fn quantisation(&self) -> Option<Quantisation> {
        let fields = self.fields.get("quantization_config")?;
        let text = |key| fields.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let method = self.keys.quantisation_method.iter().find_map(text)?;
        Some(Quantisation {
            method: method.to_owned(),
            bits: fields
                .get("bits")
                .and_then(Value::as_u64)
                .and_then(|bits| bits.try_into().ok()),
        })
    }

    /// The first of these keys that has a number above 0.
    fn number(&self, keys: &[String]) -> Option<u64> {
        let number = |key| self.fields.get(key).and_then(Value::as_u64);
        keys.iter().filter_map(number).find(|number| *number > 0)
    }
}

/// Models that do more than text keep the language model's figures in an object of their own. They fill gaps only.
fn with_text_config(mut fields: Map<String, Value>) -> Map<String, Value> {
    let is_object = |key: &&str| fields.get(*key).is_some_and(Value::is_object);
    let inner = ["text_config", "llm_config"].into_iter().find(is_object);
    if let Some(Value::Object(inner)) = inner.and_then(|key| fields.remove(key)) {
        for (key, value) in inner {
            match fields.get(&key) {
                None | Some(Value::Null) => {
                    fields.insert(key, value);
                }
                Some(_) => {}
            }
        }
    }
    fields
}

/// Python writes numbers that JSON does not have. They become null.
fn without_infinities(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let word = ["-Infinity", "Infinity", "NaN"]
            .into_iter()
            .find(|word| rest.starts_with(word));
        let taken = match word {
            Some(word) => {
                clean.push_str("null");
                word.len()
            }
            None => {
                let taken = if character == '"' {
                    string_length(rest)
                } else {
                    character.len_utf8()
                };
                clean.extend(rest.get(..taken));
                taken
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    clean
}

/// Length of the string that `text` begins with, both quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests;
