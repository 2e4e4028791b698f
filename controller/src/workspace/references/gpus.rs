//! The GPUs of one of a Workspace's machines, as far as it may use them.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use kaito_api::v1beta1::{PartitionMode, PartitionSpec, ResourceSpec};
use kaito_presets::{Gpus, NodeLabelError, ParseMigProfile, TooFewGpus};

use crate::options::NodeProvisioner;
use crate::presets;
use crate::settings::Settings;

/// Why it is not known which GPUs there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GpuProblem {
    /// Machines are made, of no type.
    #[error("set resource.instanceType, since machines are made for a Workspace")]
    NameInstanceType,
    /// The catalogue does not have it.
    #[error(
        "the GPUs of instance type {0:?} are not known, so nobody can say how the model fits; use another type, or \
         inference.template"
    )]
    KnowInstanceType(String),
    /// Images are built for NVIDIA's.
    #[error(
        "instance type {instance_type:?} has {accelerators}, and models are served on GPUs of NVIDIA; use another type"
    )]
    UseNvidia {
        /// As the user wrote it.
        instance_type: String,
        /// Their model.
        accelerators: String,
    },
    /// Machines that are made are used whole.
    #[error("resource.partition is for nodes that users bring; remove it, or make a new Workspace without it")]
    PartitionMachine,
    /// The installation does not allow it.
    #[error("resource.partition.mode {mode} needs the feature gate {gate}, which is off; ask who runs the controller")]
    OpenGate {
        /// As it is written.
        mode: &'static str,
        /// The gate.
        gate: &'static str,
    },
    /// Machines are brought, and none is there.
    #[error("no node is ready that has the labels of resource.labelSelector; bring one, or label one")]
    BringNode,
    /// The node does not tell.
    #[error(transparent)]
    ReadLabels(#[from] NodeLabelError),
    /// There is no such slice.
    #[error(transparent)]
    ParseProfile(#[from] ParseMigProfile),
    /// A partition without a number.
    #[error("resource.partition.count must be the number of GPUs to use, at least 1")]
    CountGpus,
    /// The node has not so many.
    #[error(transparent)]
    PartitionNode(#[from] TooFewGpus),
}

/// The GPUs of the machine type that `resource` names, or, when users bring nodes, of the one with these labels: a ready
/// one that the Workspace may use.
///
/// # Errors
///
/// It is not known which GPUs there are, or the Workspace may not use them so.
pub(crate) fn gpus(
    resource: &ResourceSpec,
    node: Option<&BTreeMap<String, String>>,
    settings: &Settings,
) -> Result<Gpus, GpuProblem> {
    match settings.provisioner {
        NodeProvisioner::Byo => of_node(resource.partition.as_ref(), node, settings),
        _ if resource.partition.is_some() => Err(GpuProblem::PartitionMachine),
        _ => of_machine(resource, settings),
    }
}

fn of_machine(resource: &ResourceSpec, settings: &Settings) -> Result<Gpus, GpuProblem> {
    let name = resource.instance_type().ok_or(GpuProblem::NameInstanceType)?;
    let machine = presets::catalogue(settings.cloud)
        .find(name)
        .ok_or_else(|| GpuProblem::KnowInstanceType(name.to_owned()))?;
    if machine.gpu_model.starts_with("NVIDIA") {
        Ok(machine.gpus())
    } else {
        Err(GpuProblem::UseNvidia {
            instance_type: name.to_owned(),
            accelerators: machine.gpu_model.clone(),
        })
    }
}

fn of_node(
    partition: Option<&PartitionSpec>,
    node: Option<&BTreeMap<String, String>>,
    settings: &Settings,
) -> Result<Gpus, GpuProblem> {
    let gates = settings.feature_gates;
    let labelled = || Ok(Gpus::from_node_labels(node.ok_or(GpuProblem::BringNode)?)?);
    let gate = |is_open: bool, mode, gate| {
        if is_open {
            Ok(())
        } else {
            Err(GpuProblem::OpenGate { mode, gate })
        }
    };
    match partition {
        None => labelled(),
        Some(partition) if partition.mode == PartitionMode::Mig => {
            gate(gates.mig, "mig", "enableMIG")?;
            Ok(Gpus::from_mig_profile(
                partition.profile.as_deref().unwrap_or_default(),
            )?)
        }
        Some(partition) => {
            gate(gates.accelerator, "accelerator", "enableAccelerator")?;
            let count = partition
                .count
                .and_then(|count| u32::try_from(count).ok())
                .and_then(NonZeroU32::new)
                .ok_or(GpuProblem::CountGpus)?;
            Ok(labelled()?.partition(count)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use kaito_presets::ByteSize;
    use serde_json::{Value, json};

    use super::*;
    use crate::workspace::testing::{byo, settings};

    fn found(resource: Value, labels: Option<Value>, settings: &Settings) -> Result<(u32, u64), String> {
        let mut resource = resource;
        resource["labelSelector"] = json!({});
        let resource: ResourceSpec = serde_json::from_value(resource).unwrap();
        let labels: Option<BTreeMap<_, _>> = labels.map(|labels| serde_json::from_value(labels).unwrap());
        let found = gpus(&resource, labels.as_ref(), settings).map_err(|problem| problem.to_string())?;
        Ok((found.count.get(), found.memory.bytes() / ByteSize::from_gib(1).bytes()))
    }

    #[test]
    fn machines_that_are_made_have_the_gpus_of_their_type() {
        let settings = settings();
        let of = |name: &str| found(json!({"instanceType": name}), None, &settings);
        assert_eq!(of("standard_nc96ads_a100_V4"), Ok((4, 320)));
        assert!(of("Standard_D8s_v5").unwrap_err().contains("Standard_D8s_v5"));
        assert!(of("").unwrap_err().contains("instanceType"));
        assert!(
            of("Standard_NG32ads_V620_v1")
                .unwrap_err()
                .contains("AMD Radeon PRO V620")
        );
        let partition = json!({"instanceType": "Standard_NC96ads_A100_v4", "partition": {"mode": "mig"}});
        assert!(found(partition, None, &settings).unwrap_err().contains("remove it"));
    }

    #[test]
    fn nodes_that_users_bring_tell_by_their_labels_and_can_be_divided() {
        let labels = json!({
            "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
            "nvidia.com/gpu.count": "4",
            "nvidia.com/gpu.memory": "81920",
        });
        let of =
            |partition: Value, labels: Option<&Value>| found(json!({"partition": partition}), labels.cloned(), &byo());
        assert_eq!(of(Value::Null, Some(&labels)), Ok((4, 320)));
        assert_eq!(
            of(json!({"mode": "accelerator", "count": 2}), Some(&labels)),
            Ok((2, 160))
        );
        assert_eq!(of(json!({"mode": "mig", "profile": "1g.10gb"}), None), Ok((1, 10)));
        for (partition, labels, problem) in [
            (Value::Null, None, "no node is ready"),
            (Value::Null, Some(&json!({})), "nvidia.com/gpu.product"),
            (json!({"mode": "accelerator", "count": 5}), Some(&labels), "5 GPUs"),
            (json!({"mode": "accelerator"}), Some(&labels), "at least 1"),
            (json!({"mode": "mig"}), None, "MIG profile"),
        ] {
            let refused = of(partition, labels).unwrap_err();
            assert!(refused.contains(problem), "{refused}");
        }
        let mut closed = byo();
        closed.feature_gates = crate::options::FeatureGates::default();
        for mode in ["mig", "accelerator"] {
            let partition = json!({"partition": {"mode": mode, "profile": "1g.10gb", "count": 1}});
            assert!(
                found(partition, Some(labels.clone()), &closed)
                    .unwrap_err()
                    .contains("feature gate")
            );
        }
    }
}
