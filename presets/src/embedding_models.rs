//! `data/embedding_models.yaml`: what has to be known of an embedding model to run it correctly.

use std::collections::HashSet;

use serde::Deserialize;

use crate::hub_id::is_hub_name;

const SOURCE: &str = include_str!("../data/embedding_models.yaml");

/// How a model's token vectors `[tokens, dimension]` become the text's vector `[dimension]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The average over all tokens, special ones included, padding excluded.
    Mean,
    /// The first token's vector.
    Cls,
    /// The last token's vector, padding excluded.
    LastToken,
}

/// Paths relative to the installed model's directory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFiles {
    /// The model in single precision. Weights beside it (`model.onnx_data`) are found by ONNX Runtime.
    pub onnx: String,
    /// The same model with int8 weights, where there is one.
    pub onnx_int8: Option<String>,
    /// Hugging Face's `tokenizer.json`.
    pub tokenizer: String,
}

/// One row of the catalogue.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingModel {
    /// The name on the Hugging Face hub, `owner/name`.
    pub id: String,
    /// Other names of the same weights.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The hub's commit that this row was written for.
    pub revision: Option<String>,
    /// Where the parts are inside the model's directory.
    pub files: ModelFiles,
    /// How token vectors become one vector.
    pub pooling: Pooling,
    /// Whether the authors scale vectors to length 1. The service does so in any case.
    pub normalise: bool,
    /// Goes in front of a query, by plain concatenation, before it is tokenised.
    pub query_prefix: String,
    /// Goes in front of a passage, by plain concatenation, before it is tokenised.
    pub passage_prefix: String,
    /// Tokens that the model reads of one text, special tokens and prefix included.
    pub max_tokens: usize,
    /// Length of the model's vectors.
    pub dimension: usize,
    /// The largest squared distance of a question and a passage that still count as related, 2 - 2 * cosine, in 0..=4.
    pub similarity_threshold: Option<f64>,
    /// Whether this project has run this row. `false` means that it was written from the model's documentation only;
    /// the service says so in its log at start-up.
    pub verified: bool,
}

/// All known embedding models. Names are unique across ids and aliases.
#[derive(Debug, Clone)]
pub struct EmbeddingCatalogue {
    models: Vec<EmbeddingModel>,
}

/// Why a catalogue was refused.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// Not YAML, or not of this shape.
    #[error("parse catalogue of embedding models")]
    Parse(#[source] serde_yaml_ng::Error),
    /// Two rows answer to one name.
    #[error("embedding model {name:?} is listed twice")]
    RepeatedName {
        /// The id or alias.
        name: String,
    },
    /// A field that serde accepts and the service cannot work with.
    #[error("embedding model {id:?}: {reason}")]
    InvalidRow {
        /// The row's id.
        id: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl EmbeddingCatalogue {
    /// The catalogue that ships with this crate.
    ///
    /// # Errors
    /// None in a released build: a test parses the same text.
    pub fn builtin() -> Result<Self, CatalogueError> {
        Self::parse(SOURCE)
    }

    /// Reads and validates a catalogue.
    ///
    /// # Errors
    /// For unknown fields, repeated names, and rows that could not be run.
    pub fn parse(yaml: &str) -> Result<Self, CatalogueError> {
        let models: Vec<EmbeddingModel> = serde_yaml_ng::from_str(yaml).map_err(CatalogueError::Parse)?;
        let mut names = HashSet::new();
        for model in &models {
            validate(model)?;
            for name in std::iter::once(&model.id).chain(&model.aliases) {
                if !names.insert(name) {
                    return Err(CatalogueError::RepeatedName { name: name.clone() });
                }
            }
        }
        Ok(Self { models })
    }

    /// The model of this id or alias; names are case-sensitive, as on the hub.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&EmbeddingModel> {
        self.models
            .iter()
            .find(|model| model.id == name || model.aliases.iter().any(|alias| alias == name))
    }

    /// Every row, in the file's order.
    #[must_use]
    pub fn models(&self) -> &[EmbeddingModel] {
        &self.models
    }
}

fn validate(model: &EmbeddingModel) -> Result<(), CatalogueError> {
    let invalid = |reason| {
        Err(CatalogueError::InvalidRow {
            id: model.id.clone(),
            reason,
        })
    };
    // The id becomes a directory name by writing "/" as "--".
    if !is_hub_name(&model.id) {
        return invalid("the id is not of the form owner/name");
    }
    if model.dimension == 0 {
        return invalid("the dimension is 0");
    }
    if model
        .similarity_threshold
        .is_some_and(|distance| !(distance > 0.0 && distance <= 4.0))
    {
        return invalid("similarity_threshold is not in 0 to 4");
    }
    if model.max_tokens < 8 {
        return invalid("max_tokens leaves no room for text");
    }
    let files = [
        Some(&model.files.onnx),
        model.files.onnx_int8.as_ref(),
        Some(&model.files.tokenizer),
    ];
    if files.into_iter().flatten().any(|path| !stays_inside(path)) {
        return invalid("a file's path leaves the model's directory");
    }
    Ok(())
}

fn stays_inside(path: &str) -> bool {
    !path.is_empty()
        && std::path::Path::new(path)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builtin() -> EmbeddingCatalogue {
        EmbeddingCatalogue::builtin().expect("the shipped catalogue is valid")
    }

    const ROW: &str = "- {id: a/b, files: {onnx: m.onnx, tokenizer: t.json}, pooling: mean, normalise: true, \
                       query_prefix: '', passage_prefix: '', max_tokens: 512, dimension: 384, verified: false}\n";

    #[test]
    fn the_shipped_catalogue_is_valid_and_knows_the_promised_models() {
        let catalogue = builtin();
        for id in [
            "sentence-transformers/all-MiniLM-L6-v2",
            "BAAI/bge-small-en-v1.5",
            "BAAI/bge-base-en-v1.5",
            "BAAI/bge-large-en-v1.5",
            "BAAI/bge-m3",
            "intfloat/e5-small-v2",
            "intfloat/e5-base-v2",
            "intfloat/e5-large-v2",
            "intfloat/multilingual-e5-small",
            "thenlper/gte-small",
            "thenlper/gte-base",
            "nomic-ai/nomic-embed-text-v1.5",
            "Snowflake/snowflake-arctic-embed-s",
            "Snowflake/snowflake-arctic-embed-m",
        ] {
            assert!(catalogue.find(id).is_some(), "{id} is missing");
        }
    }

    #[test]
    fn only_the_model_that_the_tests_run_is_verified() {
        let verified: Vec<_> = builtin()
            .models()
            .iter()
            .filter(|model| model.verified)
            .map(|model| model.id.clone())
            .collect();
        assert_eq!(verified, ["sentence-transformers/all-MiniLM-L6-v2"]);
    }

    #[test]
    fn bge_queries_carry_the_wording_that_kaito_uses() {
        let catalogue = builtin();
        for size in ["small", "base", "large"] {
            let model = catalogue
                .find(&format!("BAAI/bge-{size}-en-v1.5"))
                .expect("bge is listed");
            assert_eq!(
                model.query_prefix,
                "Represent this question for searching relevant passages: "
            );
            assert_eq!(model.passage_prefix, "");
            assert_eq!(model.pooling, Pooling::Cls);
        }
    }

    #[test]
    fn a_model_is_found_by_alias_and_names_are_case_sensitive() {
        let catalogue = builtin();
        assert_eq!(
            catalogue.find("all-MiniLM-L6-v2").map(|model| model.id.as_str()),
            Some("sentence-transformers/all-MiniLM-L6-v2")
        );
        assert!(catalogue.find("baai/bge-small-en-v1.5").is_none());
    }

    #[test]
    fn prefixes_end_in_a_space_so_that_they_stay_words_of_their_own() {
        for model in builtin().models() {
            for prefix in [&model.query_prefix, &model.passage_prefix] {
                assert!(prefix.is_empty() || prefix.ends_with(' '), "{}: {prefix:?}", model.id);
            }
        }
    }

    #[test]
    fn unknown_fields_repeated_names_and_escaping_paths_are_refused() {
        assert!(EmbeddingCatalogue::parse(ROW).is_ok());
        let refused = |yaml: &str| EmbeddingCatalogue::parse(yaml).expect_err("refused");
        assert!(matches!(
            refused(&ROW.replace("dimension", "dimensions")),
            CatalogueError::Parse(_)
        ));
        assert!(matches!(
            refused(&format!("{ROW}{ROW}")),
            CatalogueError::RepeatedName { .. }
        ));
        for (from, to) in [
            ("a/b", "a/../b"),
            ("m.onnx", "../m.onnx"),
            ("m.onnx", "/m.onnx"),
            ("384", "0"),
        ] {
            assert!(
                matches!(refused(&ROW.replace(from, to)), CatalogueError::InvalidRow { .. }),
                "{to}"
            );
        }
    }
}
