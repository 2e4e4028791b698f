//! `data/models/base_image.yaml`: the image that models are served in, and what its vLLM can run.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::rows::{DataError, DataFile};

const FILE: DataFile = DataFile {
    name: "models/base_image.yaml",
    key: "architectures",
};

/// The image in which models are served and tuned.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseImage {
    /// Its name below the registry.
    pub image: String,
    /// Its tag.
    pub tag: String,
    /// The version of vLLM inside.
    pub vllm: String,
    /// The version of Transformers inside.
    pub transformers: String,
    /// What this vLLM can run.
    pub architectures: BTreeSet<String>,
}

impl BaseImage {
    pub(crate) fn parse(yaml: &str) -> Result<Self, DataError> {
        let image: Self = FILE.document(yaml)?;
        if image.architectures.is_empty() {
            return Err(FILE.invalid("architectures", "there must be at least one"));
        }
        Ok(image)
    }

    /// The image, without the registry: `name:tag`.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}:{}", self.image, self.tag)
    }

    /// Whether vLLM can run a model with these architectures: with one of them, or if it does not say.
    #[must_use]
    pub fn runs(&self, architectures: &[String]) -> bool {
        architectures.is_empty() || architectures.iter().any(|one| self.architectures.contains(one))
    }
}
