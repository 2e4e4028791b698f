//! Serving a model.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::*;
use crate::schema;
use crate::shared::{DataSource, RawObject};

/// A model to serve: a preset or a pod template, exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(A_MODEL).message(A_MODEL_MESSAGE),
    validation = Rule::new(ONE_MODEL).message(ONE_MODEL_MESSAGE),
    validation = Rule::new(PRESET_KEPT).message(PRESET_MESSAGE),
    validation = Rule::new(TEMPLATE_KEPT).message(TEMPLATE_KEPT_MESSAGE),
)]
pub struct InferenceSpec {
    /// A model of the catalogue, or of Hugging Face. Cannot be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self == oldSelf").message(PRESET_MESSAGE))]
    pub preset: Option<PresetSpec>,
    /// Pods that serve a model of one's own, as Kubernetes' pod template (metadata and spec). Excludes preset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::raw_object")]
    pub template: Option<RawObject>,
    /// Name of the ConfigMap of this namespace whose key inference_config.yaml has options for the program that serves
    /// the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::OBJECT_NAME))]
    pub config: Option<String>,
    /// Adapters (LoRA) that are served beside the model. At most 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    #[x_kube(
        validation = Rule::new(ADAPTER_COUNT).message(ADAPTER_COUNT_MESSAGE),
        validation = Rule::new(ADAPTER_NAMES).message(ADAPTER_NAMES_MESSAGE),
    )]
    pub adapters: Option<Vec<AdapterSpec>>,
}

/// A model of the catalogue, or of Hugging Face.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresetSpec {
    /// Name of the model: one of the catalogue, for example phi-4-mini-instruct, or an id of Hugging Face, for example
    /// Qwen/Qwen3-8B.
    #[schemars(length(max = 512))]
    pub name: String,
    /// Whether the model's image is public or private. Deprecated and not read.
    #[serde(default)]
    pub access_mode: AccessMode,
    /// More about how the model is got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset_options: Option<PresetOptions>,
}

/// Whether a model's image is public.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccessMode {
    /// Everybody may pull it.
    #[default]
    Public,
    /// The user brings it.
    Private,
}

/// More about how a model is got.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresetOptions {
    /// Image with the model. Deprecated and not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::IMAGE))]
    pub image: Option<String>,
    /// Names of Secrets to pull the image with. Deprecated and not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(max = schema::OBJECT_NAME)))]
    pub image_pull_secrets: Option<Vec<String>>,
    /// Name of the Secret of this namespace whose key HF_TOKEN lets the model be downloaded. Needed for gated models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::OBJECT_NAME))]
    pub model_access_secret: Option<String>,
}

/// An adapter that is served beside the model.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(ADAPTER_SOURCE).message(ADAPTER_SOURCE_MESSAGE))]
pub struct AdapterSpec {
    /// Image or volume with the adapter's weights. Its name is the one that clients ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(
        validation = Rule::new(ADAPTER_NAME).message(ADAPTER_NAME_MESSAGE),
        validation = Rule::new(ADAPTER_KIND).message(ADAPTER_KIND_MESSAGE),
    )]
    pub source: Option<DataSource>,
    /// How much the adapter counts, from "0.0" to "1.0"; "1.0" when missing. Only for the transformers runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(STRENGTH).message(STRENGTH_MESSAGE))]
    pub strength: Option<String>,
}
