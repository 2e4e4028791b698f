//! `Workspace`, without partitions and with presets whose image may be private.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ResourceSpec;
use crate::schema;
use crate::shared::{DataDestination, DataSource, RawObject};
use crate::v1beta1::workspace::*;

const PRIVATE_IMAGE: &str = "!has(self.accessMode) || self.accessMode != 'private' || has(self.presetOptions) && \
    has(self.presetOptions.image) && self.presetOptions.image != ''";
const PRIVATE_IMAGE_MESSAGE: &str =
    "When AccessMode is private, an image must be provided in PresetOptions; set presetOptions.image";

/// What a Workspace should be. In Rust it is the field `spec` of [`Workspace`]; in YAML its fields are at the top.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "kaito.sh",
    version = "v1alpha1",
    kind = "Workspace",
    plural = "workspaces",
    namespaced,
    no_spec,
    storage = false,
    status = "WorkspaceStatus",
    shortname = "wk",
    shortname = "wks",
    category = "workspace",
    derive = "PartialEq",
    doc = "A language model that is served, or tuned, on machines that are made for it.",
    validation = Rule::new(NAME).message(NAME_MESSAGE).optional_old_self(true),
    validation = Rule::new(SOMETHING).message(SOMETHING_MESSAGE).optional_old_self(true),
    validation = Rule::new(ONE_THING).message(ONE_THING_MESSAGE).optional_old_self(true),
    validation = Rule::new(SAME_THING).message(SAME_THING_MESSAGE),
    validation = Rule::new(TUNING_COUNT).message(TUNING_COUNT_MESSAGE).optional_old_self(true),
    printcolumn(name = "Instance", type_ = "string", json_path = ".resource.instanceType"),
    printcolumn(name = "ResourceReady", type_ = "string", json_path = r#".status.conditions[?(@.type=="ResourceReady")].status"#),
    printcolumn(name = "InferenceReady", type_ = "string", json_path = r#".status.conditions[?(@.type=="InferenceReady")].status"#),
    printcolumn(name = "JobStarted", type_ = "string", json_path = r#".status.conditions[?(@.type=="JobStarted")].status"#),
    printcolumn(name = "WorkspaceSucceeded", type_ = "string", json_path = r#".status.conditions[?(@.type=="WorkspaceSucceeded")].status"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceFields {
    /// Machines to run on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new(selects_something()).message(SELECTS_SOMETHING_MESSAGE))]
    pub resource: Option<ResourceSpec>,
    /// Serve a model. Exactly one of inference and tuning, and it cannot be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference: Option<InferenceSpec>,
    /// Tune a model. Exactly one of inference and tuning, and it cannot be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning: Option<TuningSpec>,
}

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
    /// A model of the catalogue. Cannot be changed later.
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

/// A model of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(PRIVATE_IMAGE).message(PRIVATE_IMAGE_MESSAGE))]
pub struct PresetSpec {
    /// Name of the model, for example phi-4-mini-instruct.
    #[schemars(length(max = 512))]
    pub name: String,
    /// Whether the model's image is public (the default) or private; a private one is named in presetOptions.
    #[serde(default)]
    pub access_mode: AccessMode,
    /// More about how the model is got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset_options: Option<PresetOptions>,
}

/// More about how a model is got.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresetOptions {
    /// Image with the model. Required if accessMode is private.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::IMAGE))]
    pub image: Option<String>,
    /// Names of Secrets of this namespace to pull the image with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(max = schema::OBJECT_NAME)))]
    pub image_pull_secrets: Option<Vec<String>>,
}

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

/// What a Workspace is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceStatus {
    /// Names of the nodes that it runs on, sorted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_nodes: Option<Vec<String>>,
    /// What holds and what does not, with reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Option<Vec<Condition>>,
}
