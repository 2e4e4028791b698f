//! `data/models/transformers.yaml` and `data/models/tuning.yaml`: models that can be run otherwise than by vLLM.

use std::collections::HashMap;

use serde::Deserialize;

use super::parameters::{RunParameter, RunParameters};
use crate::byte_size::ByteSize;
use crate::hub_id::HubId;
use crate::rows::{DataError, DataFile};

const TRANSFORMERS: DataFile = DataFile {
    name: "models/transformers.yaml",
    key: "name",
};

const TUNING: DataFile = DataFile {
    name: "models/tuning.yaml",
    key: "model",
};

/// How a model is tuned.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// Name of the image with the weights, below the registry.
    pub image: String,
    /// The image's tag.
    pub tag: String,
    /// Disk space that tuning takes.
    pub disk: ByteSize,
    /// GPU memory that tuning takes.
    pub memory: ByteSize,
    /// Layers that LoRA adapts if the user does not say which; empty if the library knows.
    #[serde(default)]
    pub target_modules: Vec<String>,
}

impl Tuning {
    /// The image with the weights, without the registry: `name:tag`.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}:{}", self.image, self.tag)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TransformersRow {
    parameters: Vec<RunParameter>,
    models: Vec<HubId>,
}

/// What the two files say, by id in lower case.
#[derive(Debug, Default)]
pub(crate) struct Runtimes {
    pub(crate) transformers: HashMap<String, RunParameters>,
    pub(crate) tuning: HashMap<String, Tuning>,
}

impl Runtimes {
    pub(crate) fn parse(transformers: &str, tuning: &str) -> Result<Self, DataError> {
        let mut runtimes = Self::default();
        for (name, row) in TRANSFORMERS.parse::<TransformersRow>(transformers)? {
            if row.models.is_empty() {
                return Err(TRANSFORMERS.invalid(name, "it needs models"));
            }
            let parameters: RunParameters = row.parameters.into_iter().collect();
            for model in row.models {
                let previous = runtimes.transformers.insert(model.to_lowercase(), parameters.clone());
                if previous.is_some() {
                    return Err(TRANSFORMERS.repeated(model.to_string()));
                }
            }
        }
        for (model, row) in TUNING.parse::<Tuning>(tuning)? {
            runtimes.tuning.insert(model.to_lowercase(), row);
        }
        Ok(runtimes)
    }

    /// Refuses what is said of models that are not in the catalogue: a typing error would go unnoticed otherwise.
    pub(crate) fn check(&self, is_known: impl Fn(&str) -> bool) -> Result<(), DataError> {
        let transformers = self.transformers.keys().map(|id| (TRANSFORMERS, id));
        let tuning = self.tuning.keys().map(|id| (TUNING, id));
        match transformers.chain(tuning).find(|(_, id)| !is_known(id)) {
            Some((file, id)) => Err(file.invalid(id, "the model is not in models/catalogue.yaml")),
            None => Ok(()),
        }
    }
}
