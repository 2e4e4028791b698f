//! Tuning a model.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::PresetSpec;
use super::rules::*;
use crate::schema;
use crate::shared::{DataDestination, DataSource};

/// A model to tune, with what, and where the adapter that comes out goes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(PRESET_GIVEN).message(PRESET_GIVEN_MESSAGE),
    validation = Rule::new(METHOD_GIVEN).message(METHOD_GIVEN_MESSAGE),
)]
pub struct TuningSpec {
    /// The model to tune, one of the catalogue. Required, and cannot be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self == oldSelf").message(PRESET_MESSAGE))]
    pub preset: Option<PresetSpec>,
    /// How to tune: lora, or qlora to load the model in 4 bits. Required, and cannot be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = Rule::new(METHOD).message(METHOD_MESSAGE),
        validation = Rule::new(METHOD_KEPT).message(METHOD_KEPT_MESSAGE),
    )]
    pub method: Option<String>,
    /// Name of the ConfigMap of this namespace whose key training_config.yaml has the options of training. When
    /// missing, the installation's own for the method is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::OBJECT_NAME))]
    pub config: Option<String>,
    /// Where the training data come from: exactly one of urls, image and volumeSource.
    #[x_kube(
        validation = Rule::new(ONE_INPUT).message(ONE_INPUT_MESSAGE),
        validation = Rule::new(INPUT_NAME_KEPT).message(INPUT_NAME_KEPT_MESSAGE),
        validation = Rule::new(URLS).message(URLS_MESSAGE),
        validation = Rule::new(PUBLIC_HOSTS).message(PUBLIC_HOSTS_MESSAGE),
        validation = Rule::new(PUBLIC_ADDRESSES).message(PUBLIC_ADDRESSES_MESSAGE),
    )]
    pub input: DataSource,
    /// Where the adapter goes: exactly one of image and volumeSource.
    #[x_kube(
        validation = Rule::new(ONE_OUTPUT).message(ONE_OUTPUT_MESSAGE),
        validation = Rule::new(PUSH_SECRET).message(PUSH_SECRET_MESSAGE),
    )]
    pub output: DataDestination,
}
