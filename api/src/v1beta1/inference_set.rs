//! `InferenceSet`: several Workspaces that serve the same model, as many as it is told.

mod auto_upgrade;
mod child;
mod rules;
mod status;
mod update_strategy;

pub use auto_upgrade::{AutoUpgradeSpec, AutoUpgradeStrategy, MaintenanceWindow};
pub use status::InferenceSetStatus;
pub use update_strategy::{RollingUpdate, UpdateStrategy, UpdateStrategyType};

pub(crate) use rules::*;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::compute::{SINGLE_VALUES, SINGLE_VALUES_MESSAGE};
use super::workspace::{SELECTS_SOMETHING_MESSAGE, selects_something};
use super::{InferenceSpec, PartitionSpec};
use crate::schema;

/// What a set should be.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "kaito.sh",
    version = "v1beta1",
    kind = "InferenceSet",
    plural = "inferencesets",
    namespaced,
    status = "InferenceSetStatus",
    shortname = "is",
    shortname = "isets",
    category = "inferenceset",
    derive = "PartialEq",
    doc = "Several Workspaces that serve the same model: as many as replicas says, each on machines of its own.",
    scale(spec_replicas_path = ".spec.replicas", status_replicas_path = ".status.replicas", label_selector_path = ".status.selector"),
    validation = Rule::new(NAME).message(NAME_MESSAGE).optional_old_self(true),
    printcolumn(name = "Replicas", type_ = "integer", json_path = ".spec.replicas"),
    printcolumn(name = "ReadyReplicas", type_ = "integer", json_path = ".status.readyReplicas"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(selects_something()).message(SELECTS_SOMETHING_MESSAGE))]
pub struct InferenceSetSpec {
    /// Number of Workspaces. Autoscalers set it through the scale subresource.
    #[serde(default = "one_replica")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: i32,
    /// The most machines that all Workspaces together may use; no limit when missing. Workspaces that would exceed it
    /// are not made, and the condition InferenceSetReady says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub node_count_limit: Option<i64>,
    /// Labels that nodes must have; machines that are made get them. When it changes, Workspaces are replaced as
    /// updateStrategy says.
    #[schemars(schema_with = "schema::label_selector")]
    #[x_kube(validation = Rule::new(SINGLE_VALUES).message(SINGLE_VALUES_MESSAGE))]
    pub label_selector: LabelSelector,
    /// What each Workspace is. When it changes, Workspaces are changed, or replaced where a Workspace cannot be changed,
    /// as updateStrategy says.
    pub template: InferenceSetTemplate,
    /// How a change of the template or of labelSelector reaches the Workspaces.
    #[serde(default)]
    pub update_strategy: UpdateStrategy,
    /// Accepted and checked, and not acted on: programs are not upgraded by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_upgrade: Option<AutoUpgradeSpec>,
}

pub(crate) fn one_replica() -> i32 {
    1
}

/// What each Workspace of a set is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InferenceSetTemplate {
    /// Labels and annotations of each Workspace. Other metadata are not read.
    #[serde(default)]
    #[schemars(schema_with = "schema::template_metadata")]
    pub metadata: TemplateMetadata,
    /// Machines that each Workspace runs on.
    #[serde(default)]
    pub resource: InferenceSetResource,
    /// The model that each Workspace serves.
    #[schemars(schema_with = "schema::changeable::<InferenceSpec>")]
    pub inference: InferenceSpec,
}

/// Metadata of what is made from a template.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateMetadata {
    /// Labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations. Those that change how a Workspace runs, such as kaito.sh/runtime, work here, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// Machines that each Workspace of a set runs on.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(PARTITION_KEPT).message(PARTITION_KEPT_MESSAGE))]
pub struct InferenceSetResource {
    /// Machine type in the cloud provider's words, for example Standard_NC24ads_A100_v4. Leave it out when nodes are
    /// not provisioned automatically. When it changes, Workspaces are replaced as updateStrategy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub instance_type: Option<String>,
    /// Use a part of a machine's GPUs. Only for nodes that are not provisioned automatically. Cannot be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<PartitionSpec>,
}
