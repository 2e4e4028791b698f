//! Reading a model directory that a user brings, laid out as sentence-transformers does.
//!
//! | what            | where it is looked for                                                       | otherwise |
//! |-----------------|------------------------------------------------------------------------------|-----------|
//! | ONNX file       | `model.onnx`, `onnx/model.onnx`; int8: `model_int8.onnx`, `model_quantized.onnx`, there or in `onnx/` | an error |
//! | tokenizer       | `tokenizer.json`                                                             | an error  |
//! | pooling         | `1_Pooling/config.json`                                                      | mean      |
//! | maximum length  | `max_seq_length` of `sentence_bert_config.json`, else the smaller of `model_max_length` of `tokenizer_config.json` and `max_position_embeddings` of `config.json` (less two for RoBERTa's family) | 512 |
//! | prefixes        | `prompts` of `config_sentence_transformers.json`: `query`; `passage` or `document` | none |

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use fastembed::Pooling;
use serde_json::Value;

use super::tokenise::TextShape;
use crate::{LoadModel, Precision};

const DEFAULT_MAX_TOKENS: u64 = 512;

/// What a directory says of its model.
#[derive(Debug)]
pub(super) struct ModelDirectory {
    pub(super) onnx: PathBuf,
    pub(super) tokenizer: PathBuf,
    pub(super) pooling: Pooling,
    pub(super) shape: TextShape,
}

impl ModelDirectory {
    pub(super) fn read(directory: &Path, precision: Precision) -> Result<Self, LoadModel> {
        let tokenizer = directory.join("tokenizer.json");
        let onnx = onnx_file(directory, precision)?;
        if !tokenizer.is_file() {
            return Err(LoadModel::NotInstalled {
                model: directory.display().to_string(),
                missing: tokenizer,
            });
        }
        let prompts = json(&directory.join("config_sentence_transformers.json"))?;
        let prompt = |name: &str| prompts.pointer(&format!("/prompts/{name}")).and_then(Value::as_str);
        Ok(Self {
            onnx,
            tokenizer,
            pooling: pooling(directory)?,
            shape: TextShape {
                query_prefix: prompt("query").unwrap_or_default().to_owned(),
                passage_prefix: prompt("passage")
                    .or_else(|| prompt("document"))
                    .unwrap_or_default()
                    .to_owned(),
                max_tokens: max_tokens(directory)?,
            },
        })
    }
}

fn onnx_file(directory: &Path, precision: Precision) -> Result<PathBuf, LoadModel> {
    let model = || directory.display().to_string();
    let names: &[&str] = match precision {
        Precision::Fp32 => &["model.onnx"],
        Precision::Int8 => &["model_int8.onnx", "model_quantized.onnx"],
    };
    let found = [directory.to_owned(), directory.join("onnx")]
        .iter()
        .flat_map(|place| names.iter().map(|name| place.join(name)))
        .find(|path| path.is_file());
    found.ok_or_else(|| match precision {
        Precision::Fp32 => LoadModel::NotInstalled {
            model: model(),
            missing: directory.join("model.onnx"),
        },
        Precision::Int8 => LoadModel::NoInt8 { model: model() },
    })
}

fn pooling(directory: &Path) -> Result<Pooling, LoadModel> {
    let path = directory.join("1_Pooling/config.json");
    let config = json(&path)?;
    let is_set = |name: &str| {
        config
            .get(format!("pooling_mode_{name}"))
            .and_then(Value::as_bool)
            .unwrap_or(false)
    };
    let modes = [
        "mean_tokens",
        "cls_token",
        "lasttoken",
        "max_tokens",
        "mean_sqrt_len_tokens",
        "weightedmean_tokens",
    ];
    let set: Vec<&str> = modes.into_iter().filter(|mode| is_set(mode)).collect();
    match set.as_slice() {
        [] | ["mean_tokens"] => Ok(Pooling::Mean),
        ["cls_token"] => Ok(Pooling::Cls),
        other => {
            let reason = format!(
                "pooling {} is not supported here: mean_tokens or cls_token is",
                other.join(" with ")
            );
            Err(LoadModel::UnusableFile { path, reason })
        }
    }
}

fn max_tokens(directory: &Path) -> Result<usize, LoadModel> {
    let number = |file: &str, name: &str| -> Result<Option<u64>, LoadModel> {
        // "No limit" is written as a float of thirty digits, which is not a u64.
        Ok(json(&directory.join(file))?.get(name).and_then(Value::as_u64))
    };
    let stated = number("sentence_bert_config.json", "max_seq_length")?;
    let tokenizer = number("tokenizer_config.json", "model_max_length")?;
    let positions = positions(&json(&directory.join("config.json"))?);
    let limit = stated
        .or_else(|| tokenizer.into_iter().chain(positions).min())
        .unwrap_or(DEFAULT_MAX_TOKENS);
    // What the tokenizer or the position table cannot do, no statement makes possible.
    let possible = tokenizer.into_iter().chain(positions).fold(limit, u64::min);
    Ok(usize::try_from(possible).unwrap_or(usize::MAX))
}

/// Positions of `config.json` that a text can have.
fn positions(config: &Value) -> Option<u64> {
    let positions = config.get("max_position_embeddings").and_then(Value::as_u64)?;
    let model_type = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
    // These count positions from the padding id plus one, which is 2.
    let reserved = if ["roberta", "xlm-roberta", "camembert", "mpnet"].contains(&model_type) {
        2
    } else {
        0
    };
    Some(positions.saturating_sub(reserved))
}

/// An optional file; `null` if it is missing.
fn json(path: &Path) -> Result<Value, LoadModel> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| LoadModel::UnusableFile {
            path: path.to_owned(),
            reason: format!("it has to be JSON ({error})"),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Value::Null),
        Err(source) => Err(LoadModel::ReadFile {
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("temporary directory");
        for (name, content) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("create directory");
            fs::write(path, content).expect("write file");
        }
        directory
    }

    fn read(files: &[(&str, &str)]) -> Result<ModelDirectory, LoadModel> {
        let directory = directory(&[&[("model.onnx", ""), ("tokenizer.json", "{}")], files].concat());
        ModelDirectory::read(directory.path(), Precision::Fp32)
    }

    #[test]
    fn without_configuration_the_documented_defaults_hold() {
        let model = read(&[]).expect("readable");
        assert_eq!(model.pooling, Pooling::Mean);
        let shape = TextShape {
            query_prefix: String::new(),
            passage_prefix: String::new(),
            max_tokens: 512,
        };
        assert_eq!(model.shape, shape);
    }

    #[test]
    fn pooling_maximum_and_prefixes_are_read_from_sentence_transformers_files() {
        let model = read(&[
            (
                "1_Pooling/config.json",
                r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#,
            ),
            ("sentence_bert_config.json", r#"{"max_seq_length": 256}"#),
            ("tokenizer_config.json", r#"{"model_max_length": 512}"#),
            (
                "config_sentence_transformers.json",
                r#"{"prompts": {"query": "q: ", "document": "d: "}}"#,
            ),
        ])
        .expect("readable");
        assert_eq!(model.pooling, Pooling::Cls);
        let shape = TextShape {
            query_prefix: "q: ".into(),
            passage_prefix: "d: ".into(),
            max_tokens: 256,
        };
        assert_eq!(model.shape, shape);
    }

    #[test]
    fn the_maximum_never_exceeds_what_tokenizer_and_positions_allow() {
        let max_tokens = |files: &[(&str, &str)]| read(files).expect("readable").shape.max_tokens;
        let no_limit = (
            "tokenizer_config.json",
            r#"{"model_max_length": 1000000000000000019884624838656}"#,
        );
        let roberta = (
            "config.json",
            r#"{"model_type": "xlm-roberta", "max_position_embeddings": 514}"#,
        );
        assert_eq!(max_tokens(&[no_limit]), 512);
        assert_eq!(max_tokens(&[no_limit, roberta]), 512);
        assert_eq!(
            max_tokens(&[("config.json", r#"{"max_position_embeddings": 8192}"#)]),
            8192
        );
        assert_eq!(
            max_tokens(&[("sentence_bert_config.json", r#"{"max_seq_length": 1024}"#), roberta]),
            512
        );
    }

    #[test]
    fn unsupported_pooling_and_missing_files_are_errors_that_name_the_file() {
        let error = read(&[("1_Pooling/config.json", r#"{"pooling_mode_max_tokens": true}"#)]).expect_err("refused");
        assert!(error.to_string().contains("1_Pooling/config.json"), "{error}");
        let empty = directory(&[]);
        let error = ModelDirectory::read(empty.path(), Precision::Fp32).expect_err("refused");
        assert!(error.to_string().contains("model.onnx"), "{error}");
        let error = ModelDirectory::read(empty.path(), Precision::Int8).expect_err("refused");
        assert!(matches!(error, LoadModel::NoInt8 { .. }), "{error}");
    }
}
