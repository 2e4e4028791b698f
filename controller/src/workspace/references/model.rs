//! The model that a preset names.

use std::fmt::Display;

use k8s_openapi::api::core::v1::ConfigMap;
use kaito_api::names::annotations;
use kaito_presets::{HubId, Model, ModelCatalogue, Resolution};

use crate::presets::{Published, model_from_config_map};

/// A model that a preset names.
#[derive(Clone, Debug)]
pub(crate) enum ModelReference {
    /// It is known.
    Found(Box<Model>),
    /// It was known.
    Deprecated,
    /// Nobody knows it.
    Unknown,
    /// It is on the hub, and what has to be known of it is not.
    Undescribed {
        /// What is missing, and what to do about it.
        problem: String,
    },
}

impl ModelReference {
    /// What the catalogue says of a name.
    ///
    /// # Errors
    ///
    /// It is the id of a model on the hub that is not in the catalogue: see [`ModelReference::described`].
    pub(crate) fn of_catalogue(name: &str) -> Result<Self, HubId> {
        match ModelCatalogue::builtin().resolve(name) {
            Resolution::Known(model) => Ok(Self::Found(Box::new(model.clone()))),
            Resolution::Deprecated => Ok(Self::Deprecated),
            Resolution::Unknown => Ok(Self::Unknown),
            Resolution::HuggingFaceId(id) => Err(id),
        }
    }

    /// A model that is not in the catalogue, by what the hub says of it.
    pub(crate) fn published(id: &HubId, published: &Published) -> Self {
        match model_from_config_map(id, &published.data()) {
            Ok(model) => Self::Found(Box::new(model)),
            Err(problem) => Self::Undescribed {
                problem: problem.to_string(),
            },
        }
    }

    /// A model that is not in the catalogue, and of which the hub says nothing.
    pub(crate) fn untold(why: &impl Display) -> Self {
        Self::Undescribed {
            problem: format!(
                "it is not in the catalogue, and {why}; or make a ConfigMap with its config.json and weights, and name it \
                 in the annotation {}",
                annotations::MODEL_FACTS
            ),
        }
    }

    /// A model that is not in the catalogue, by the ConfigMap that an annotation names.
    pub(crate) fn described(id: &HubId, config_map: Option<&str>, found: Option<ConfigMap>) -> Self {
        let problem = match (config_map, found) {
            (None, _) => format!(
                "it is not in the catalogue: make a ConfigMap with its config.json and weights, and name it in the \
                 annotation {}",
                annotations::MODEL_FACTS
            ),
            (Some(name), None) => format!("there is no ConfigMap {name:?}, which describes it: make it"),
            (Some(name), Some(facts)) => match model_from_config_map(id, &facts.data.unwrap_or_default()) {
                Ok(model) => return Self::Found(Box::new(model)),
                Err(problem) => format!("ConfigMap {name:?}: {problem}"),
            },
        };
        Self::Undescribed { problem }
    }
}
