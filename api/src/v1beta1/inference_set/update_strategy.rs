//! How a changed template reaches the Workspaces that are there.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// How a change reaches the Workspaces that are there.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateStrategy {
    /// RollingUpdate changes or replaces Workspaces a few at a time; OnDelete leaves each as it is until somebody deletes
    /// it.
    #[serde(default, rename = "type")]
    pub kind: UpdateStrategyType,
    /// How fast RollingUpdate goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolling_update: Option<RollingUpdate>,
}

/// Ways for a change to reach Workspaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum UpdateStrategyType {
    /// A few at a time.
    #[default]
    RollingUpdate,
    /// When somebody deletes one.
    OnDelete,
}

/// How fast a rolling update goes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollingUpdate {
    /// How many Workspaces may be unready because of the update: a number of at least 1, or a share of replicas such as
    /// 25%, which is rounded down to no less than 1. 1 when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::count_or_share")]
    pub max_unavailable: Option<IntOrString>,
}

impl UpdateStrategy {
    /// How many of `replicas` Workspaces may be unready because of an update. At least 1, or an update could not go on.
    pub fn max_unavailable(&self, replicas: u32) -> u32 {
        let given = self
            .rolling_update
            .as_ref()
            .and_then(|update| update.max_unavailable.as_ref());
        let count = match given {
            None => None,
            Some(IntOrString::Int(count)) => u32::try_from(*count).ok(),
            Some(IntOrString::String(share)) => {
                let percent = share.strip_suffix('%').and_then(|percent| percent.parse::<u64>().ok());
                percent.and_then(|percent| u32::try_from(u64::from(replicas).saturating_mul(percent) / 100).ok())
            }
        };
        count.unwrap_or(1).max(1)
    }
}
