//! From settings to a model that has embedded its first text.

use std::fs;
use std::path::Path;

use fastembed::{
    EmbeddingModel as FastembedModel, InitOptionsUserDefined, ModelInfo, TextEmbedding, TextInitOptions,
    TokenizerFiles, UserDefinedEmbeddingModel,
};
use kaito_presets::EmbeddingModel;
use serde_json::json;

use super::directory::ModelDirectory;
use super::resolve::{Source, resolve};
use super::runner::{FastembedRunner, ModelRunner, OnnxOptions, OnnxRunner};
use super::runtime;
use super::tokenise::{TextShape, TextTokenizer};
use crate::{InputKind, LoadModel, LocalSettings};

/// As in our own runner: waiting threads sleep instead of spinning.
const NO_SPINNING: (&str, &str) = ("session.intra_op.allow_spinning", "0");
/// What the model embeds first.
const WARM_UP: &str = "What does this model read first?";
/// Assumed for a model that fastembed downloads and the catalogue does not describe.
const DOWNLOADED_MAX_TOKENS: usize = 512;

/// A model that works.
pub(super) struct LoadedModel {
    pub(super) id: String,
    pub(super) runner: Box<dyn ModelRunner>,
    pub(super) tokenizer: TextTokenizer,
    pub(super) dimension: usize,
}

/// Before the warm-up.
struct Untried {
    id: String,
    runner: Box<dyn ModelRunner>,
    tokenizer: TextTokenizer,
    expected_dimension: Option<usize>,
    verified: bool,
}

pub(super) fn load(settings: &LocalSettings) -> Result<LoadedModel, LoadModel> {
    let untried = match resolve(settings)? {
        Source::Installed { model, onnx, tokenizer } => load_installed(model, &onnx, &tokenizer, settings),
        Source::Directory { id, path } => load_directory(id, &path, settings),
        Source::Download { id, row, known } => download(id, row.as_ref(), &known, settings),
    }?;
    warm_up(untried)
}

fn load_installed(
    model: EmbeddingModel,
    onnx: &Path,
    tokenizer: &Path,
    settings: &LocalSettings,
) -> Result<Untried, LoadModel> {
    let environment = runtime::environment(&settings.runtime_library)?;
    let tokenizer = TextTokenizer::from_file(tokenizer, shape_of(&model))?;
    let options = OnnxOptions {
        threads: settings.threads,
        pooling: model.pooling,
        pad_id: tokenizer.pad_id(),
    };
    let runner = OnnxRunner::load(&environment, onnx, &options)?;
    Ok(Untried {
        id: model.id,
        runner: Box::new(runner),
        tokenizer,
        expected_dimension: Some(model.dimension),
        verified: model.verified,
    })
}

fn load_directory(id: String, path: &Path, settings: &LocalSettings) -> Result<Untried, LoadModel> {
    let environment = runtime::environment(&settings.runtime_library)?;
    let directory = ModelDirectory::read(path, settings.precision)?;
    let session_error = |source| LoadModel::LoadSession {
        path: directory.onnx.clone(),
        source: Box::new(source),
    };
    let options = InitOptionsUserDefined::new()
        .with_environment(environment)
        .with_intra_threads(settings.threads.max(1))
        .with_session_config(NO_SPINNING.0, NO_SPINNING.1)
        .with_max_length(directory.shape.max_tokens);
    let model = TextEmbedding::try_new_from_user_defined(user_defined(path, &directory)?, options)
        .map_err(|source: fastembed::Error| session_error(source))?;
    let tokenizer = TextTokenizer::new(model.tokenizer.clone(), directory.shape.clone(), &directory.tokenizer)?;
    let runner = Box::new(FastembedRunner::new(model));
    Ok(Untried {
        id,
        runner,
        tokenizer,
        expected_dimension: None,
        verified: false,
    })
}

fn user_defined(path: &Path, directory: &ModelDirectory) -> Result<UserDefinedEmbeddingModel, LoadModel> {
    let tokenizer_files = TokenizerFiles {
        tokenizer_file: read(&directory.tokenizer)?,
        // fastembed wants all four files; what it takes from these three has defaults.
        config_file: read_or(&path.join("config.json"), || json!({}))?,
        special_tokens_map_file: read_or(&path.join("special_tokens_map.json"), || json!({}))?,
        tokenizer_config_file: read_or(
            &path.join("tokenizer_config.json"),
            || json!({"model_max_length": directory.shape.max_tokens, "pad_token": "[PAD]"}),
        )?,
    };
    let mut model =
        UserDefinedEmbeddingModel::new(read(&directory.onnx)?, tokenizer_files).with_pooling(directory.pooling.clone());
    // Weights of big models are in a file of their own, which the ONNX file refers to by this name.
    let weights = directory.onnx.with_extension("onnx_data");
    if let (true, Some(name)) = (weights.is_file(), weights.file_name()) {
        model = model.with_external_initializer(name.to_string_lossy().into_owned(), read(&weights)?);
    }
    Ok(model)
}

fn download(
    id: String,
    row: Option<&EmbeddingModel>,
    known: &ModelInfo<FastembedModel>,
    settings: &LocalSettings,
) -> Result<Untried, LoadModel> {
    let environment = runtime::environment(&settings.runtime_library)?;
    tracing::info!(model.id = %id, model.repository = %known.model_code, "downloading embedding model, unless it is cached");
    let shape = row.map_or_else(
        || TextShape {
            query_prefix: String::new(),
            passage_prefix: String::new(),
            max_tokens: DOWNLOADED_MAX_TOKENS,
        },
        shape_of,
    );
    let options = TextInitOptions::new(known.model.clone())
        .with_environment(environment)
        .with_intra_threads(settings.threads.max(1))
        .with_session_config(NO_SPINNING.0, NO_SPINNING.1)
        .with_max_length(shape.max_tokens)
        .with_cache_dir(settings.models_dir.clone())
        .with_show_download_progress(false);
    let model = TextEmbedding::try_new(options).map_err(|source| LoadModel::Download {
        model: id.clone(),
        directory: settings.models_dir.join(id.replace('/', "--")),
        source: Box::new(source),
    })?;
    let tokenizer = TextTokenizer::new(model.tokenizer.clone(), shape, &settings.models_dir)?;
    let runner = Box::new(FastembedRunner::new(model));
    Ok(Untried {
        id,
        runner,
        tokenizer,
        expected_dimension: Some(known.dim),
        verified: false,
    })
}

/// Embeds one query: a model that cannot should fail now, not at the first request.
fn warm_up(untried: Untried) -> Result<LoadedModel, LoadModel> {
    let Untried {
        id,
        mut runner,
        tokenizer,
        expected_dimension,
        verified,
    } = untried;
    let texts = tokenizer
        .tokenise_all(InputKind::Query, vec![WARM_UP.to_owned()])
        .map_err(|source| LoadModel::WarmUp {
            model: id.clone(),
            source: Box::new(source),
        })?;
    let vectors = runner
        .run(&texts.iter().collect::<Vec<_>>())
        .map_err(|source| LoadModel::WarmUp {
            model: id.clone(),
            source: Box::new(source),
        })?;
    let dimension = vectors.first().map_or(0, Vec::len);
    match expected_dimension {
        Some(expected) if expected != dimension => {
            return Err(LoadModel::WrongDimension {
                model: id,
                expected,
                found: dimension,
            });
        }
        _ => {}
    }
    if verified {
        tracing::info!(model.id = %id, model.dimension = dimension, "embedding model loaded");
    } else {
        tracing::warn!(
            model.id = %id,
            model.dimension = dimension,
            "embedding model loaded; kaito-rs has not been tested with it: check its pooling, prefixes and length"
        );
    }
    Ok(LoadedModel {
        id,
        runner,
        tokenizer,
        dimension,
    })
}

fn shape_of(model: &EmbeddingModel) -> TextShape {
    TextShape {
        query_prefix: model.query_prefix.clone(),
        passage_prefix: model.passage_prefix.clone(),
        max_tokens: model.max_tokens,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, LoadModel> {
    fs::read(path).map_err(|source| LoadModel::ReadFile {
        path: path.to_owned(),
        source,
    })
}

fn read_or(path: &Path, default: impl FnOnce() -> serde_json::Value) -> Result<Vec<u8>, LoadModel> {
    if path.is_file() {
        read(path)
    } else {
        Ok(default().to_string().into_bytes())
    }
}
