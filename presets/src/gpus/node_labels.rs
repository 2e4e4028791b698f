//! GPUs of a node that somebody brought, by the labels that NVIDIA's feature discovery puts on it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::Gpus;
use crate::byte_size::ByteSize;
use crate::instance_types::ComputeCapability;

const PRODUCT: &str = "nvidia.com/gpu.product";
const COUNT: &str = "nvidia.com/gpu.count";
const MEMORY: &str = "nvidia.com/gpu.memory";
const MAJOR: &str = "nvidia.com/cuda.compute.major";
const MINOR: &str = "nvidia.com/cuda.compute.minor";
const MIG_CONFIG: &str = "nvidia.com/mig.config";
const MIG_STATE: &str = "nvidia.com/mig.config.state";

/// What is wrong with a node's labels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeLabelError {
    /// A label is not there.
    #[error("the node has no label {label:?}; install NVIDIA's GPU feature discovery on it, or set the label")]
    FindLabel {
        /// Its name.
        label: &'static str,
    },
    /// A label that is no number above 0.
    #[error("label {label:?} of the node is {value:?}; it must be a whole number above 0")]
    ParseLabel {
        /// Its name.
        label: &'static str,
        /// What it says.
        value: String,
    },
}

impl Gpus {
    /// The GPUs that a node's labels describe. The memory label is in MiB for each GPU, and a little short of what the
    /// GPU is sold with: it counts as the nearest whole GiB.
    ///
    /// # Errors
    /// If product, count or memory are missing, or are no numbers.
    pub fn from_node_labels(labels: &BTreeMap<String, String>) -> Result<Self, NodeLabelError> {
        let text = |label| labels.get(label).map(String::as_str);
        let product = text(PRODUCT).ok_or(NodeLabelError::FindLabel { label: PRODUCT })?;
        let count: NonZeroU32 = number(labels, COUNT)?;
        let memory: NonZeroU32 = number(labels, MEMORY)?;
        let gib_of_each = (u64::from(memory.get()) + 512) / 1024;
        let version = |label| text(label).and_then(|value| value.parse().ok());
        Ok(Self {
            count,
            memory: ByteSize::from_gib(gib_of_each * u64::from(count.get())),
            // A label has no spaces; the catalogues of machines write them.
            model: Some(product.replace('-', " ")),
            compute_capability: version(MAJOR).map(|major| ComputeCapability {
                major,
                minor: version(MINOR).unwrap_or_default(),
            }),
            is_mig_slice: text(MIG_CONFIG).is_some_and(|config| config != "all-disabled")
                && text(MIG_STATE) == Some("success"),
        })
    }
}

fn number(labels: &BTreeMap<String, String>, label: &'static str) -> Result<NonZeroU32, NodeLabelError> {
    let value = labels.get(label).ok_or(NodeLabelError::FindLabel { label })?;
    value.parse().map_err(|_| NodeLabelError::ParseLabel {
        label,
        value: value.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(more: &[(&str, &str)]) -> BTreeMap<String, String> {
        [(PRODUCT, "NVIDIA-A10"), (COUNT, "2"), (MEMORY, "23028")]
            .iter()
            .chain(more)
            .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn gpus_are_read_from_a_node() {
        let gpus = Gpus::from_node_labels(&labels(&[(MAJOR, "8"), (MINOR, "6")])).expect("all labels are there");
        assert_eq!(gpus.count.get(), 2);
        assert_eq!(gpus.memory, ByteSize::from_gib(44), "22.49 GiB are nearer to 22");
        assert_eq!(gpus.memory_utilisation(), "0.82", "it is an A10");
        assert_eq!(
            gpus.compute_capability.map(|version| version.to_string()).as_deref(),
            Some("8.6")
        );
        assert!(!gpus.is_mig_slice);
        let half = Gpus::from_node_labels(&labels(&[(MEMORY, "23040")])).expect("all labels are there");
        assert_eq!(half.memory, ByteSize::from_gib(46), "a half is rounded up");
    }

    #[test]
    fn a_node_is_divided_once_its_configuration_succeeded() {
        for (config, state, is_divided) in [
            ("all-1g.10gb", "success", true),
            ("all-1g.10gb", "pending", false),
            ("all-disabled", "success", false),
        ] {
            let gpus = Gpus::from_node_labels(&labels(&[(MIG_CONFIG, config), (MIG_STATE, state)]));
            assert_eq!(gpus.map(|gpus| gpus.is_mig_slice), Ok(is_divided), "{config} {state}");
        }
    }

    #[test]
    fn a_missing_or_strange_label_is_named() {
        for label in [PRODUCT, COUNT, MEMORY] {
            let mut labels = labels(&[]);
            labels.remove(label);
            assert_eq!(
                Gpus::from_node_labels(&labels),
                Err(NodeLabelError::FindLabel { label })
            );
        }
        for value in ["0", "two", ""] {
            let refused = Gpus::from_node_labels(&labels(&[(COUNT, value)])).expect_err(value);
            assert_eq!(
                refused.to_string(),
                format!("label \"nvidia.com/gpu.count\" of the node is {value:?}; it must be a whole number above 0")
            );
        }
    }
}
