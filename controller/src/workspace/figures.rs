//! Counting Workspaces and their disks. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kaito_api::names::labels;
use kaito_api::v1beta1::Workspace;
use kube::ResourceExt;

use super::status::types;
use crate::metrics::{Figures, Phase, Volume};

/// What there is to count.
pub(crate) fn figures<'a>(
    workspaces: impl Iterator<Item = &'a Workspace>,
    volume_claims: &[Arc<PersistentVolumeClaim>],
) -> Figures {
    let mut phases = Vec::new();
    let mut presets = BTreeMap::new();
    for workspace in workspaces {
        let conditions = workspace.status.as_ref().and_then(|status| status.conditions.as_ref());
        phases.push(Phase::of(&workspace.metadata, conditions, types::SUCCEEDED));
        if let Some(preset) = preset(workspace) {
            *presets.entry(preset.to_owned()).or_default() += 1;
        }
    }
    Figures {
        phases,
        presets,
        volumes: volume_claims.iter().filter_map(|claim| volume(claim)).collect(),
    }
}

fn preset(workspace: &Workspace) -> Option<&str> {
    let fields = &workspace.spec;
    let served = fields
        .inference
        .as_ref()
        .and_then(|inference| inference.preset.as_ref());
    let tuned = fields.tuning.as_ref().and_then(|tuning| tuning.preset.as_ref());
    served.or(tuned).map(|preset| preset.name.as_str())
}

fn volume(claim: &PersistentVolumeClaim) -> Option<Volume> {
    let given = claim
        .status
        .as_ref()
        .and_then(|status| status.capacity.as_ref()?.get("storage"));
    let asked = || {
        let resources = claim.spec.as_ref()?.resources.as_ref()?;
        resources.requests.as_ref()?.get("storage")
    };
    let bytes = given.or_else(asked).and_then(|quantity| bytes(&quantity.0));
    Some(Volume {
        workspace: claim.labels().get(labels::WORKSPACE)?.clone(),
        namespace: claim.namespace().unwrap_or_default(),
        name: claim.name_any(),
        bytes: bytes.unwrap_or_default(),
    })
}

/// A quantity of Kubernetes in bytes, as the API server writes those of disks: a whole number with a suffix or none.
fn bytes(quantity: &str) -> Option<u64> {
    const SUFFIXES: [(&str, u32, u64); 12] = [
        ("Ki", 1, 1024),
        ("Mi", 2, 1024),
        ("Gi", 3, 1024),
        ("Ti", 4, 1024),
        ("Pi", 5, 1024),
        ("Ei", 6, 1024),
        ("k", 1, 1000),
        ("M", 2, 1000),
        ("G", 3, 1000),
        ("T", 4, 1000),
        ("P", 5, 1000),
        ("E", 6, 1000),
    ];
    let found = SUFFIXES
        .iter()
        .find_map(|(suffix, power, base)| Some((quantity.strip_suffix(suffix)?, base.checked_pow(*power)?)));
    let (number, unit) = found.unwrap_or((quantity, 1));
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn workspace(change: impl FnOnce(&mut Value)) -> Workspace {
        let mut workspace = json!({
            "apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": "phi", "namespace": "ml"},
            "inference": {"preset": {"name": "phi-4"}},
        });
        change(&mut workspace);
        serde_json::from_value(workspace).unwrap()
    }

    fn succeeds(status: &str) -> Workspace {
        workspace(|workspace| {
            workspace["status"] = json!({"conditions": [{
                "type": "WorkspaceSucceeded", "status": status, "reason": "x", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }]});
        })
    }

    #[test]
    fn workspaces_are_counted_by_phase_and_preset() {
        let tuned = workspace(|workspace| {
            let fields = workspace.as_object_mut().unwrap();
            fields.remove("inference");
            fields.insert(
                "tuning".to_owned(),
                json!({"preset": {"name": "phi-3"}, "input": {}, "output": {}}),
            );
        });
        let going = workspace(|workspace| workspace["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"));
        let all = [succeeds("True"), succeeds("True"), succeeds("False"), tuned, going];
        let figures = figures(all.iter(), &[]);
        assert_eq!(
            figures.phases,
            [
                Phase::succeeded,
                Phase::succeeded,
                Phase::error,
                Phase::pending,
                Phase::deleting
            ]
        );
        assert_eq!(
            figures.presets,
            BTreeMap::from([("phi-3".to_owned(), 1), ("phi-4".to_owned(), 4)])
        );
    }

    #[test]
    fn disks_are_as_large_as_they_are_else_as_was_asked() {
        let claim = |status: &Value| -> Arc<PersistentVolumeClaim> {
            let claim = json!({
                "metadata": {"name": "weights", "namespace": "ml", "labels": {"kaito.sh/workspace": "phi"}},
                "spec": {"resources": {"requests": {"storage": "1Gi"}}},
                "status": status,
            });
            Arc::new(serde_json::from_value(claim).unwrap())
        };
        let claims = [
            claim(&json!({})),
            claim(&json!({"capacity": {"storage": "2Gi"}})),
            Arc::default(),
        ];
        let sizes: Vec<_> = figures([].iter(), &claims)
            .volumes
            .iter()
            .map(|volume| volume.bytes)
            .collect();
        assert_eq!(sizes, [1 << 30, 2 << 30], "claims of others do not count");
        for (text, expected) in [
            ("17", Some(17)),
            ("5k", Some(5000)),
            ("3Mi", Some(3 << 20)),
            ("1T", Some(1_000_000_000_000)),
            ("99999Ei", None),
            ("x", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }
}
