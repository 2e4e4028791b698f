//! Workspaces by phase and by model, and their disks.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::phases::PhaseGauges;
use super::{Phase, register};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PresetLabel {
    preset_name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WorkspaceLabels {
    workspace_name: String,
    workspace_namespace: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VolumeLabels {
    workspace_name: String,
    workspace_namespace: String,
    pvc_name: String,
}

/// What is counted of Workspaces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// What each is at.
    pub phases: Vec<Phase>,
    /// How many have each preset.
    pub presets: BTreeMap<String, usize>,
    /// Their disks.
    pub volumes: Vec<Volume>,
}

/// The PersistentVolumeClaim of a Workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Name of the Workspace.
    pub workspace: String,
    /// Namespace of both.
    pub namespace: String,
    /// Name of the claim.
    pub name: String,
    /// How large it is.
    pub bytes: u64,
}

type Count = Box<dyn Fn() -> Figures + Send>;

#[derive(Clone)]
pub(super) struct WorkspaceMetrics {
    phases: PhaseGauges,
    presets: Family<PresetLabel, Gauge>,
    volume_bytes: Family<VolumeLabels, Gauge>,
    volumes: Family<WorkspaceLabels, Gauge>,
    count: Arc<Mutex<Option<Count>>>,
}

impl WorkspaceMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            phases: PhaseGauges::register(registry, "kaito_workspace_count", "Workspaces by phase"),
            presets: register(
                registry,
                "kaito_workspace_preset_count",
                "Workspaces by preset",
                Family::default(),
            ),
            volume_bytes: register(
                registry,
                "kaito_workspace_pvc_allocated_bytes",
                "Size of each PersistentVolumeClaim of a Workspace",
                Family::default(),
            ),
            volumes: register(
                registry,
                "kaito_workspace_pvc_count",
                "PersistentVolumeClaims by Workspace",
                Family::default(),
            ),
            count: Arc::default(),
        }
    }

    pub(super) fn count_with(&self, figures: impl Fn() -> Figures + Send + 'static) {
        *self.count.lock() = Some(Box::new(figures));
    }

    /// Counts anew; what is not there any more is not told any more.
    pub(super) fn sample(&self) {
        let count = self.count.lock();
        let Some(count) = count.as_ref() else {
            return;
        };
        let figures = count();
        self.presets.clear();
        self.volume_bytes.clear();
        self.volumes.clear();
        self.phases.set(&figures.phases);
        for (preset_name, number) in figures.presets {
            set(&self.presets, &PresetLabel { preset_name }, number);
        }
        for volume in figures.volumes {
            let workspace = WorkspaceLabels {
                workspace_name: volume.workspace.clone(),
                workspace_namespace: volume.namespace.clone(),
            };
            self.volumes.get_or_create(&workspace).inc();
            let labels = VolumeLabels {
                workspace_name: volume.workspace,
                workspace_namespace: volume.namespace,
                pvc_name: volume.name,
            };
            set(&self.volume_bytes, &labels, volume.bytes);
        }
    }
}

fn set<L: Clone + Eq + Hash, N>(family: &Family<L, Gauge>, labels: &L, number: N)
where
    i64: TryFrom<N>,
{
    family
        .get_or_create(labels)
        .set(i64::try_from(number).unwrap_or(i64::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_not_counted_any_more() {
        let mut registry = Registry::default();
        let metrics = WorkspaceMetrics::register(&mut registry);
        let text = |registry: &Registry| {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
            text
        };
        metrics.sample();
        metrics.count_with(|| Figures {
            phases: vec![Phase::succeeded, Phase::succeeded],
            presets: BTreeMap::from([("phi-4".to_owned(), 2)]),
            volumes: vec![Volume {
                workspace: "phi".to_owned(),
                namespace: "ml".to_owned(),
                name: "weights-phi-0".to_owned(),
                bytes: 1 << 30,
            }],
        });
        metrics.sample();
        metrics.sample();
        let told = text(&registry);
        for line in [
            r#"kaito_workspace_count{phase="succeeded"} 2"#,
            r#"kaito_workspace_count{phase="error"} 0"#,
            r#"kaito_workspace_preset_count{preset_name="phi-4"} 2"#,
            r#"kaito_workspace_pvc_count{workspace_name="phi",workspace_namespace="ml"} 1"#,
            r#"kaito_workspace_pvc_allocated_bytes{workspace_name="phi",workspace_namespace="ml",pvc_name="weights-phi-0"} 1073741824"#,
        ] {
            assert!(told.contains(line), "{line}\n{told}");
        }
        metrics.count_with(Figures::default);
        metrics.sample();
        assert!(!text(&registry).contains("phi"), "{}", text(&registry));
    }
}
