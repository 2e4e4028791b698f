//! `Workspace`: a model that is served, or tuned, on machines made for it. It has no `spec`: its fields stand beside
//! `metadata`.

mod inference;
mod rules;
mod status;
mod tuning;

pub use inference::{AccessMode, AdapterSpec, InferenceSpec, PresetOptions, PresetSpec};
pub use status::{Metric, PerformanceStatus, WorkspaceState, WorkspaceStatus};
pub use tuning::TuningSpec;

pub(crate) use rules::*;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::ResourceSpec;

/// What a Workspace should be. In Rust it is the field `spec` of [`Workspace`]; in YAML its fields are at the top.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "kaito.sh",
    version = "v1beta1",
    kind = "Workspace",
    plural = "workspaces",
    namespaced,
    no_spec,
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
    validation = Rule::new(TUNING_PARTITION).message(TUNING_PARTITION_MESSAGE).optional_old_self(true),
    printcolumn(name = "Instance", type_ = "string", json_path = ".resource.instanceType"),
    printcolumn(name = "ResourceReady", type_ = "string", json_path = r#".status.conditions[?(@.type=="ResourceReady")].status"#),
    printcolumn(name = "InferenceReady", type_ = "string", json_path = r#".status.conditions[?(@.type=="InferenceReady")].status"#),
    printcolumn(name = "JobStarted", type_ = "string", json_path = r#".status.conditions[?(@.type=="JobStarted")].status"#),
    printcolumn(name = "WorkspaceSucceeded", type_ = "string", json_path = r#".status.conditions[?(@.type=="WorkspaceSucceeded")].status"#),
    printcolumn(name = "TargetNodeCount", type_ = "integer", json_path = ".status.targetNodeCount"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
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
