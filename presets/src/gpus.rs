//! The GPUs of one machine, from whichever source they are known.

mod mig_profile;
mod node_labels;

use std::num::NonZeroU32;

pub use mig_profile::ParseMigProfile;
pub use node_labels::NodeLabelError;

use crate::byte_size::ByteSize;
use crate::instance_types::ComputeCapability;

/// The GPUs of one machine, all of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpus {
    /// How many.
    pub count: NonZeroU32,
    /// Memory of all of them together.
    pub memory: ByteSize,
    /// Their model, such as `NVIDIA A10`, if known.
    pub model: Option<String>,
    /// NVIDIA's number of their features, if known.
    pub compute_capability: Option<ComputeCapability>,
    /// Whether it is a MIG slice: a part of a GPU, of which a pod can use one.
    pub is_mig_slice: bool,
}

/// More GPUs were asked for than there are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} GPUs of a machine that has {available} cannot be used; lower the partition's count")]
pub struct TooFewGpus {
    wanted: NonZeroU32,
    available: NonZeroU32,
}

impl Gpus {
    /// Memory of one of them.
    #[must_use]
    pub fn memory_of_each(&self) -> ByteSize {
        self.memory.scaled(1, u64::from(self.count.get()))
    }

    /// Some of them only.
    ///
    /// # Errors
    /// If there are not so many.
    pub fn partition(&self, wanted: NonZeroU32) -> Result<Self, TooFewGpus> {
        if wanted > self.count {
            return Err(TooFewGpus {
                wanted,
                available: self.count,
            });
        }
        Ok(Self {
            count: wanted,
            memory: self.memory.scaled(u64::from(wanted.get()), u64::from(self.count.get())),
            ..self.clone()
        })
    }

    /// The share of their memory that vLLM may take: its parameter `gpu-memory-utilization`. An A10 runs out of memory
    /// with what is right for the others.
    #[must_use]
    pub fn memory_utilisation(&self) -> &'static str {
        if self.model.as_deref() == Some("NVIDIA A10") {
            "0.82"
        } else {
            "0.84"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance_types::{Cloud, InstanceTypes};

    fn count(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).expect("not 0")
    }

    #[test]
    fn a_partition_has_its_share_of_the_memory() {
        let four = InstanceTypes::of(Cloud::Azure)
            .find("Standard_NC96ads_A100_v4")
            .expect("it is listed")
            .gpus();
        let one = four.partition(count(1)).expect("there are four");
        assert_eq!((one.count, one.memory), (count(1), ByteSize::from_gib(80)));
        assert_eq!(one.model, four.model);
        assert_eq!(
            four.partition(count(5)).expect_err("there are four").to_string(),
            "5 GPUs of a machine that has 4 cannot be used; lower the partition's count"
        );
    }

    #[test]
    fn only_an_a10_gets_a_smaller_share_of_its_memory() {
        for (name, share) in [
            ("Standard_NV36ads_A10_v5", "0.82"),
            ("Standard_NC24ads_A100_v4", "0.84"),
        ] {
            let machine = InstanceTypes::of(Cloud::Azure).find(name).expect("it is listed");
            assert_eq!(machine.gpus().memory_utilisation(), share, "{name}");
        }
    }
}
