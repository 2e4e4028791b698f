//! Workspaces and settings for the tests of pure steps.

use kaito_api::v1beta1::Workspace;
use serde_json::{Value, json};

use super::references::References;
use super::render::{self, Assumptions};
use crate::options::{Cloud, FeatureGates, NodeProvisioner};
use crate::settings::Settings;

pub(crate) use crate::ragengine::testing::settings;

/// Settings of an installation to which users bring nodes, and divide them.
pub(crate) fn byo() -> Settings {
    Settings {
        provisioner: NodeProvisioner::Byo,
        feature_gates: FeatureGates {
            mig: true,
            accelerator: true,
            ..FeatureGates::default()
        },
        ..settings()
    }
}

/// Settings of an installation on Amazon's cloud.
pub(crate) fn aws() -> Settings {
    Settings {
        cloud: Cloud::Aws,
        ..settings()
    }
}

/// The Workspace `ws1` of namespace `default`, with these fields beside its `metadata`, and what `metadata` says more.
pub(crate) fn workspace(fields: &Value) -> Workspace {
    let mut object = fields.clone();
    object["apiVersion"] = json!("kaito.sh/v1beta1");
    object["kind"] = json!("Workspace");
    for (key, value) in [("name", "ws1"), ("namespace", "default"), ("uid", "uid-1")] {
        if object["metadata"][key].is_null() {
            object["metadata"][key] = json!(value);
        }
    }
    serde_json::from_value(object).unwrap()
}

/// A Workspace that serves `preset` on machines of this type.
pub(crate) fn serving(preset: &str, instance_type: &str) -> Value {
    json!({
        "resource": {"instanceType": instance_type, "labelSelector": {"matchLabels": {"apps": "phi"}}},
        "inference": {"preset": {"name": preset}},
    })
}

/// What the cluster would say of it, when machines are made.
pub(crate) fn references(workspace: &Workspace, settings: &Settings) -> References {
    render::references(workspace, &Assumptions::default(), settings)
}
