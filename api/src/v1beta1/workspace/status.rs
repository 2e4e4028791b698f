//! What a Workspace is.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// What a Workspace is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceStatus {
    /// Names of the nodes that it runs on, sorted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_nodes: Option<Vec<String>>,
    /// The state in one word. Of a model that is served: Pending, Ready, NotReady. Of a tuning: Pending, Running,
    /// Succeeded, Failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "WorkspaceState")]
    pub state: Option<WorkspaceState>,
    /// What holds and what does not, with reasons: ResourceReady (machines), InferenceReady (the served model),
    /// JobStarted (the tuning), WorkspaceSucceeded (all of it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Option<Vec<Condition>>,
    /// Number of machines that the model needs. Set once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_node_count: Option<i32>,
    /// How fast the model was when it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub performance: Option<PerformanceStatus>,
}

/// States of a Workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum WorkspaceState {
    /// Machines or pods are on their way.
    Pending,
    /// The model is served.
    Ready,
    /// The model was served and is not.
    NotReady,
    /// The tuning runs.
    Running,
    /// The tuning is done.
    Succeeded,
    /// The tuning failed.
    Failed,
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
    /// How it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<BTreeMap<String, String>>,
}
