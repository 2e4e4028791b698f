//! What the model setting means: a model of the catalogue, a directory, or a download.

use std::path::{Path, PathBuf};

use fastembed::{EmbeddingModel as FastembedModel, ModelInfo, QuantizationMode, TextEmbedding};
use kaito_presets::{EmbeddingCatalogue, EmbeddingModel};

use crate::{LoadModel, LocalSettings, Precision};

/// Where a model comes from, decided before anything is loaded.
#[derive(Debug)]
pub(super) enum Source {
    /// Installed, and described by the catalogue.
    Installed {
        model: EmbeddingModel,
        onnx: PathBuf,
        tokenizer: PathBuf,
    },
    /// A directory that describes itself.
    Directory { id: String, path: PathBuf },
    /// Not installed, but fastembed can fetch it. The catalogue's row, if there is one, knows prefixes and length.
    Download {
        id: String,
        row: Option<EmbeddingModel>,
        known: Box<ModelInfo<FastembedModel>>,
    },
}

pub(super) fn resolve(settings: &LocalSettings) -> Result<Source, LoadModel> {
    let name = settings.model.as_str();
    if Path::new(name).is_absolute() || name.starts_with('.') {
        return Ok(Source::Directory {
            id: name.to_owned(),
            path: PathBuf::from(name),
        });
    }
    let catalogue = EmbeddingCatalogue::builtin().map_err(LoadModel::Catalogue)?;
    let row = catalogue.find(name);
    let id = row.map_or(name, |model| model.id.as_str());
    let directory = settings.models_dir.join(id.replace('/', "--"));

    let missing = match row {
        Some(model) => match installed(model, &directory, settings.precision)? {
            Ok(source) => return Ok(source),
            Err(missing) => Some(missing),
        },
        None if directory.is_dir() => {
            return Ok(Source::Directory {
                id: id.to_owned(),
                path: directory,
            });
        }
        None => None,
    };

    let names = |model: &EmbeddingModel| [vec![model.id.clone()], model.aliases.clone()].concat();
    let names = row.map_or_else(|| vec![name.to_owned()], names);
    if let Some(known) = fastembed_model(&names, settings.precision) {
        return if settings.allow_download {
            Ok(Source::Download {
                id: id.to_owned(),
                row: row.cloned(),
                known: Box::new(known),
            })
        } else {
            Err(LoadModel::DownloadNotAllowed {
                model: id.to_owned(),
                directory,
            })
        };
    }
    Err(match missing {
        Some(missing) => LoadModel::NotInstalled {
            model: id.to_owned(),
            missing,
        },
        None => {
            let known: Vec<&str> = catalogue.models().iter().map(|model| model.id.as_str()).collect();
            LoadModel::UnknownModel {
                model: name.to_owned(),
                directory,
                known: known.join(", "),
            }
        }
    })
}

/// The installed model, or its first missing file.
fn installed(
    model: &EmbeddingModel,
    directory: &Path,
    precision: Precision,
) -> Result<Result<Source, PathBuf>, LoadModel> {
    let onnx = match precision {
        Precision::Fp32 => &model.files.onnx,
        Precision::Int8 => model.files.onnx_int8.as_ref().ok_or_else(|| LoadModel::NoInt8 {
            model: model.id.clone(),
        })?,
    };
    let (onnx, tokenizer) = (directory.join(onnx), directory.join(&model.files.tokenizer));
    let missing = [&onnx, &tokenizer].into_iter().find(|path| !path.is_file()).cloned();
    Ok(missing.map_or_else(
        || {
            Ok(Source::Installed {
                model: model.clone(),
                onnx,
                tokenizer,
            })
        },
        Err,
    ))
}

/// fastembed's model of one of these names in this precision. It lists repositories, and more than one file of some.
fn fastembed_model(names: &[String], precision: Precision) -> Option<ModelInfo<FastembedModel>> {
    TextEmbedding::list_supported_models().into_iter().find(|info| {
        let is_int8 = TextEmbedding::get_quantization_mode(&info.model) != QuantizationMode::None;
        names.contains(&info.model_code) && is_int8 == (precision == Precision::Int8)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn settings(model: &str, models_dir: &Path) -> LocalSettings {
        LocalSettings {
            model: model.to_owned(),
            precision: Precision::Fp32,
            models_dir: models_dir.to_owned(),
            runtime_library: PathBuf::new(),
            threads: 1,
            max_batch_tokens: 1,
            queue_capacity: 1,
            allow_download: false,
        }
    }

    #[test]
    fn a_path_is_a_directory_and_an_alias_finds_the_catalogues_row() {
        let models = tempfile::tempdir().expect("temporary directory");
        let installed = models.path().join("sentence-transformers--all-MiniLM-L6-v2");
        fs::create_dir(&installed).expect("create directory");
        for file in ["model.onnx", "tokenizer.json"] {
            fs::write(installed.join(file), "").expect("write file");
        }
        assert!(matches!(
            resolve(&settings("/some/model", models.path())),
            Ok(Source::Directory { .. })
        ));
        assert!(matches!(
            resolve(&settings("./model", models.path())),
            Ok(Source::Directory { .. })
        ));
        let source = resolve(&settings("all-MiniLM-L6-v2", models.path())).expect("installed");
        assert!(
            matches!(source, Source::Installed { model, .. } if model.id == "sentence-transformers/all-MiniLM-L6-v2")
        );
    }

    #[test]
    fn a_model_outside_the_catalogue_may_be_installed_by_its_id() {
        let models = tempfile::tempdir().expect("temporary directory");
        fs::create_dir(models.path().join("acme--encoder")).expect("create directory");
        let source = resolve(&settings("acme/encoder", models.path())).expect("installed");
        assert!(matches!(source, Source::Directory { id, .. } if id == "acme/encoder"));
    }

    #[test]
    fn a_missing_model_is_downloaded_only_where_that_is_possible_and_allowed() {
        let models = tempfile::tempdir().expect("temporary directory");
        let resolve = |model: &str, allow_download| {
            resolve(&LocalSettings {
                allow_download,
                ..settings(model, models.path())
            })
        };
        let refused = resolve("BAAI/bge-small-en-v1.5", false).expect_err("not allowed");
        assert!(matches!(refused, LoadModel::DownloadNotAllowed { .. }), "{refused}");
        assert!(matches!(
            resolve("BAAI/bge-small-en-v1.5", true),
            Ok(Source::Download { row: Some(_), .. })
        ));
        assert!(matches!(
            resolve("mixedbread-ai/mxbai-embed-large-v1", true),
            Ok(Source::Download { row: None, .. })
        ));

        let missing = resolve("thenlper/gte-small", true).expect_err("fastembed does not know it");
        assert!(matches!(missing, LoadModel::NotInstalled { .. }), "{missing}");
        let unknown = resolve("acme/unheard-of", true).expect_err("nobody knows it");
        assert!(matches!(unknown, LoadModel::UnknownModel { .. }), "{unknown}");
    }

    #[test]
    fn int8_is_refused_for_a_row_without_such_a_file() {
        let settings = settings("thenlper/gte-small", Path::new("/nowhere"));
        let error = resolve(&LocalSettings {
            precision: Precision::Int8,
            ..settings
        })
        .expect_err("no int8");
        assert!(matches!(error, LoadModel::NoInt8 { .. }), "{error}");
    }
}
