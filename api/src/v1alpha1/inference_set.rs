//! `InferenceSet`, without partitions.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;
use crate::v1beta1::compute::{SINGLE_VALUES, SINGLE_VALUES_MESSAGE};
use crate::v1beta1::inference_set::{NAME, NAME_MESSAGE, one_replica};
use crate::v1beta1::workspace::{SELECTS_SOMETHING_MESSAGE, selects_something};
use crate::v1beta1::{AutoUpgradeSpec, InferenceSpec, TemplateMetadata, UpdateStrategy};

/// What a set should be.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "kaito.sh",
    version = "v1alpha1",
    kind = "InferenceSet",
    plural = "inferencesets",
    namespaced,
    storage = false,
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

/// Machines that each Workspace of a set runs on.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InferenceSetResource {
    /// Machine type in the cloud provider's words, for example Standard_NC24ads_A100_v4. Leave it out when nodes are
    /// not provisioned automatically. When it changes, Workspaces are replaced as updateStrategy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub instance_type: Option<String>,
}

/// What a set is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InferenceSetStatus {
    /// Number of Workspaces that there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Number of Workspaces that serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// Which Workspaces and pods are the set's, as a label selector; autoscalers read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// What holds and what does not, with reasons: InferenceSetReady (as many Workspaces serve as should),
    /// BenchmarkCompleted (how fast they are was measured), InferenceSetDeleting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Option<Vec<Condition>>,
    /// How fast the Workspaces that serve are together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub performance: Option<PerformanceStatus>,
}

/// How fast a model was when it was measured.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PerformanceStatus {
    /// Measurements by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<BTreeMap<String, Metric>>,
}

/// One measurement.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// What was measured.
    pub description: String,
    /// The number, as text.
    pub value: String,
    /// Unit of the number, for example tokens/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}
