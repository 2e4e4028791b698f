//! `data/models/catalogue.yaml`: the models that a Workspace can name, and what a name stands for.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use serde::Deserialize;

use super::base_image::BaseImage;
use super::config_json::{GenerateModelError, HubModel};
use super::facts::{Attention, ModelFacts, Quantisation, WeightFormat};
use super::model::Model;
use super::rules::Rules;
use super::runtimes::Runtimes;
use crate::byte_size::ByteSize;
use crate::hub_id::HubId;
use crate::rows::{DataError, DataFile};

const FILE: DataFile = DataFile {
    name: "models/catalogue.yaml",
    key: "id",
};

const RETIRED: DataFile = DataFile {
    name: "models/retired.yaml",
    key: "name",
};

static BUILTIN: LazyLock<ModelCatalogue> =
    LazyLock::new(|| ModelCatalogue::parse(ModelSources::BUILTIN).expect("a test parses the same text"));

/// All known language models. Ids and aliases are unique, in whatever case.
#[derive(Debug)]
pub struct ModelCatalogue {
    models: Vec<Model>,
    /// Ids and aliases in lower case, and where their models are in `models`.
    names: HashMap<String, usize>,
    retired: HashSet<String>,
    rules: Rules,
    base_image: BaseImage,
}

/// The text of each file, to be parsed together: they refer to each other.
#[derive(Debug, Clone, Copy)]
pub struct ModelSources<'text> {
    /// `catalogue.yaml`.
    pub catalogue: &'text str,
    /// `retired.yaml`.
    pub retired: &'text str,
    /// `rules.yaml`.
    pub rules: &'text str,
    /// `base_image.yaml`.
    pub base_image: &'text str,
    /// `transformers.yaml`.
    pub transformers: &'text str,
    /// `tuning.yaml`.
    pub tuning: &'text str,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub enum Resolution<'catalogue> {
    /// A model of the catalogue.
    Known(&'catalogue Model),
    /// It could be used once.
    Deprecated,
    /// A model that may be on the hub: [`ModelCatalogue::generate`] makes it from what the hub says.
    HuggingFaceId(HubId),
    /// Nothing.
    Unknown,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(default)]
    aliases: Vec<String>,
    licence: String,
    architectures: Vec<String>,
    weights: ByteSize,
    token_limit: u64,
    attention: AttentionRow,
    dtype: Option<String>,
    quantisation: Option<Quantisation>,
    #[serde(default)]
    format: WeightFormat,
    gated: Option<bool>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttentionRow {
    layers: u64,
    heads: Option<u64>,
    kv_heads: Option<u64>,
    head_size: Option<u64>,
    kv_lora_rank: Option<u64>,
    qk_rope_head_dim: Option<u64>,
}

impl ModelSources<'static> {
    /// The files that ship with this crate.
    pub const BUILTIN: Self = Self {
        catalogue: include_str!("../../data/models/catalogue.yaml"),
        retired: include_str!("../../data/models/retired.yaml"),
        rules: include_str!("../../data/models/rules.yaml"),
        base_image: include_str!("../../data/models/base_image.yaml"),
        transformers: include_str!("../../data/models/transformers.yaml"),
        tuning: include_str!("../../data/models/tuning.yaml"),
    };
}

impl ModelCatalogue {
    /// The catalogue that ships with this crate, parsed once.
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// Reads and validates a catalogue.
    ///
    /// # Errors
    /// For unknown fields, repeated names, and rows that could not be run.
    pub fn parse(sources: ModelSources<'_>) -> Result<Self, DataError> {
        let rules = Rules::parse(sources.rules)?;
        let base_image = BaseImage::parse(sources.base_image)?;
        let mut runtimes = Runtimes::parse(sources.transformers, sources.tuning)?;
        let retired: Vec<String> = RETIRED.document(sources.retired)?;
        let retired: HashSet<_> = retired.iter().map(|name| name.to_ascii_lowercase()).collect();

        let mut models = Vec::new();
        let mut names = HashMap::new();
        let mut ids = HashSet::new();
        for (id, row) in FILE.parse::<Row>(sources.catalogue)? {
            for name in std::iter::once(&id).chain(&row.aliases) {
                let name = name.to_ascii_lowercase();
                if retired.contains(&name) {
                    return Err(FILE.invalid(id, format!("{name:?} is retired, see models/retired.yaml")));
                }
                if names.insert(name.clone(), models.len()).is_some() {
                    return Err(FILE.repeated(name));
                }
            }
            let facts = row.into_facts(&id, &base_image)?;
            let key = facts.id.to_lowercase();
            let model = Model::new(facts, &rules);
            models.push((key.clone(), model));
            ids.insert(key);
        }
        runtimes.check(|id| ids.contains(id))?;
        let models = models
            .into_iter()
            .map(|(id, model)| model.with_runtimes(runtimes.transformers.remove(&id), runtimes.tuning.remove(&id)))
            .collect();
        Ok(Self {
            models,
            names,
            retired,
            rules,
            base_image,
        })
    }

    /// What `name` stands for: an alias or an id of the catalogue, in any case, or another id of the hub.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Resolution<'_> {
        let lower = name.to_ascii_lowercase();
        if let Some(model) = self.names.get(&lower).and_then(|index| self.models.get(*index)) {
            return Resolution::Known(model);
        }
        if self.retired.contains(&lower) {
            return Resolution::Deprecated;
        }
        HubId::try_from(name).map_or(Resolution::Unknown, Resolution::HuggingFaceId)
    }

    /// Short names of the model of this id, in alphabetical order; none for one that is not in the catalogue.
    #[must_use]
    pub fn aliases(&self, id: &HubId) -> Vec<&str> {
        let index = self.names.get(&id.to_lowercase());
        let names = self.names.iter().filter(|(name, _)| !name.contains('/'));
        let mut aliases: Vec<_> = names
            .filter(|(_, of)| Some(*of) == index)
            .map(|(name, _)| name.as_str())
            .collect();
        aliases.sort_unstable();
        aliases
    }

    /// Makes a model from what the hub says of it.
    ///
    /// # Errors
    /// For a config.json that is not JSON, a repository without weights, and architectures that vLLM does not know.
    pub fn generate(&self, published: &HubModel<'_>) -> Result<Model, GenerateModelError> {
        let model = Model::new(published.facts(&self.rules)?, &self.rules);
        let architectures = &model.facts().architectures;
        if self.base_image.runs(architectures) {
            return Ok(model);
        }
        Err(GenerateModelError::UnsupportedArchitecture {
            id: published.id.clone(),
            architectures: architectures.clone(),
            vllm: self.base_image.vllm.clone(),
        })
    }

    /// Every model, in the file's order.
    #[must_use]
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// The image in which all of them are served and tuned.
    #[must_use]
    pub fn base_image(&self) -> &BaseImage {
        &self.base_image
    }
}

impl Row {
    fn into_facts(self, id: &str, base_image: &BaseImage) -> Result<ModelFacts, DataError> {
        let invalid = |reason: &str| FILE.invalid(id, reason);
        let id = HubId::try_from(id).map_err(|error| invalid(&error.to_string()))?;
        if self.aliases.iter().any(|alias| {
            alias.is_empty() || alias.contains('/') || alias.contains(|letter: char| letter.is_ascii_uppercase())
        }) {
            return Err(invalid("an alias is in lower case and has no slash"));
        }
        if self.architectures.is_empty() || !base_image.runs(&self.architectures) {
            return Err(invalid(
                "vLLM has none of its architectures, see models/base_image.yaml",
            ));
        }
        if self.weights == ByteSize::default() {
            return Err(invalid("it needs weights"));
        }
        if self.token_limit == 0 {
            return Err(invalid("token_limit is 0"));
        }
        let Some(attention) = self.attention.attention() else {
            return Err(invalid(
                "attention needs layers, and either heads, kv_heads and head_size or kv_lora_rank and \
                 qk_rope_head_dim, none of them 0",
            ));
        };
        Ok(ModelFacts {
            id,
            licence: Some(self.licence),
            architectures: self.architectures,
            weights: self.weights,
            token_limit: self.token_limit,
            attention,
            dtype: self.dtype,
            quantisation: self.quantisation,
            format: self.format,
            gated: self.gated,
        })
    }
}

impl AttentionRow {
    fn attention(self) -> Option<Attention> {
        let layers = self.layers;
        let attention = match self {
            Self {
                heads: Some(heads),
                kv_heads: Some(kv_heads),
                head_size: Some(head_size),
                kv_lora_rank: None,
                qk_rope_head_dim: None,
                ..
            } if heads >= kv_heads => Attention::Heads {
                layers,
                heads,
                kv_heads,
                head_size,
            },
            Self {
                heads: None,
                kv_heads: None,
                head_size: None,
                kv_lora_rank: Some(kv_lora_rank),
                qk_rope_head_dim: Some(qk_rope_head_dim),
                ..
            } => Attention::Latent {
                layers,
                kv_lora_rank,
                qk_rope_head_dim,
            },
            _ => return None,
        };
        (attention.kv_bytes_per_token() > 0).then_some(attention)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(from: &str, to: &str) -> String {
        let catalogue = ModelSources::BUILTIN.catalogue.replacen(from, to, 1);
        assert_ne!(catalogue, ModelSources::BUILTIN.catalogue, "{from} is not there");
        let sources = ModelSources {
            catalogue: &catalogue,
            ..ModelSources::BUILTIN
        };
        ModelCatalogue::parse(sources).expect_err(to).to_string()
    }

    #[test]
    fn rows_that_could_not_be_run_are_refused_by_name() {
        let row = "row \"microsoft/phi-4\" of models/catalogue.yaml: ";
        for (from, to, expected) in [
            (
                "[Phi3ForCausalLM]",
                "[]",
                "vLLM has none of its architectures, see models/base_image.yaml",
            ),
            (
                "[Phi3ForCausalLM]",
                "[X]",
                "vLLM has none of its architectures, see models/base_image.yaml",
            ),
            ("weights: 27.31Gi", "weights: 0Gi", "it needs weights"),
            ("token_limit: 16384", "token_limit: 0", "token_limit is 0"),
            ("[phi-4]", "[Phi-4]", "an alias is in lower case and has no slash"),
        ] {
            assert_eq!(refused(from, to), format!("{row}{expected}"));
        }
        for attention in [
            "layers: 40",
            "layers: 0, heads: 1, kv_heads: 1, head_size: 1",
            "layers: 1, heads: 1",
        ] {
            let message = refused("layers: 40, heads: 40, kv_heads: 10, head_size: 128", attention);
            assert!(
                message.starts_with(&format!("{row}attention needs layers")),
                "{message}"
            );
        }
        assert_eq!(
            refused("licence: mit", "license: mit"),
            "parse row \"microsoft/phi-4\" of models/catalogue.yaml"
        );
        assert_eq!(
            refused("[phi-4-mini-instruct]", "[phi-4]"),
            "\"phi-4\" is in models/catalogue.yaml twice"
        );
        assert_eq!(
            refused("[phi-4-mini-instruct]", "[phi-2]"),
            "row \"microsoft/Phi-4-mini-instruct\" of models/catalogue.yaml: \"phi-2\" is retired, see models/retired.yaml"
        );
    }

    #[test]
    fn a_runtime_for_a_model_that_is_not_there_is_refused() {
        let tuning = ModelSources::BUILTIN
            .tuning
            .replacen("microsoft/phi-4\n", "microsoft/phi-5\n", 1);
        let sources = ModelSources {
            tuning: &tuning,
            ..ModelSources::BUILTIN
        };
        assert_eq!(
            ModelCatalogue::parse(sources).expect_err("refused").to_string(),
            "row \"microsoft/phi-5\" of models/tuning.yaml: the model is not in models/catalogue.yaml"
        );
    }
}
