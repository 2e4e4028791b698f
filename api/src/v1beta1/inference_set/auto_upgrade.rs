//! When Workspaces get newer programs. KAITO's fields; see COMPATIBILITY.md of the controller.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::*;

/// When Workspaces get newer programs.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoUpgradeSpec {
    /// Whether they do. Accepted and not acted on.
    #[serde(default)]
    pub enabled: bool,
    /// How they do. Accepted and not acted on.
    #[serde(default)]
    pub strategy: AutoUpgradeStrategy,
    /// When they do; at any time when missing. Accepted, checked, and not acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_window: Option<MaintenanceWindow>,
}

/// Ways to upgrade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum AutoUpgradeStrategy {
    /// A Workspace is changed.
    #[default]
    InPlace,
    /// A new Workspace takes an old one's place.
    Surge,
}

/// A time that comes again and again.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MaintenanceWindow {
    /// When it begins, in UTC: a cron expression of five fields, for example 0 2 * * 6, or a descriptor such as @daily.
    #[schemars(length(max = 128))]
    #[x_kube(validation = Rule::new(schedule()).message(SCHEDULE_MESSAGE))]
    pub schedule: String,
    /// How long it lasts, for example 4h or 90m.
    #[serde(default = "four_hours")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new(DURATION).message(DURATION_MESSAGE))]
    pub duration: String,
}

fn four_hours() -> String {
    "4h".to_owned()
}
