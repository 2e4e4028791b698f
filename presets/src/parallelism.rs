//! How a model is spread over GPUs and machines.

use std::fmt;
use std::num::NonZeroU32;

use crate::byte_size::ByteSize;
use crate::gpus::Gpus;
use crate::models::RunParameters;

/// How a model is spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parallelism {
    /// A whole copy on each GPU of the one machine: more requests at a time.
    Data {
        /// Copies, one a GPU.
        copies: NonZeroU32,
    },
    /// Each layer over all GPUs of the one machine.
    Tensor {
        /// GPUs.
        gpus: NonZeroU32,
    },
    /// Layers over several machines, and each layer over all GPUs of its machine.
    Pipeline {
        /// GPUs of a machine.
        gpus: NonZeroU32,
        /// Machines.
        nodes: NonZeroU32,
    },
}

/// How a model is spread, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParallelismPlan {
    /// The choice.
    pub parallelism: Parallelism,
    /// What a copy of the weights on each GPU would take, twice: the rest is for the cache.
    pub doubled_copies: ByteSize,
    /// Memory of a machine's GPUs together. Copies are made if they take less.
    pub gpu_memory: ByteSize,
}

impl ParallelismPlan {
    /// Spreads a model with these weights over `nodes` machines.
    #[must_use]
    pub fn choose(weights: ByteSize, gpus: &Gpus, nodes: NonZeroU32) -> Self {
        let count = gpus.count;
        let doubled_copies = weights.scaled(2 * u64::from(count.get()), 1);
        let fits = doubled_copies < gpus.memory;
        let parallelism = match (nodes.get(), count.get()) {
            (1, 2..) if fits => Parallelism::Data { copies: count },
            (1, _) => Parallelism::Tensor { gpus: count },
            _ => Parallelism::Pipeline { gpus: count, nodes },
        };
        Self {
            parallelism,
            doubled_copies,
            gpu_memory: gpus.memory,
        }
    }
}

impl Parallelism {
    /// vLLM's parameters for it.
    #[must_use]
    pub fn parameters(self) -> RunParameters {
        let mut parameters = RunParameters::default();
        match self {
            Self::Data { copies } => {
                parameters.set("data-parallel-size", copies.to_string());
                parameters.set("tensor-parallel-size", "1");
            }
            Self::Tensor { gpus } => parameters.set("tensor-parallel-size", gpus.to_string()),
            Self::Pipeline { gpus, nodes } => {
                parameters.set("tensor-parallel-size", gpus.to_string());
                parameters.set("pipeline-parallel-size", nodes.to_string());
                parameters.set("distributed-executor-backend", "ray");
            }
        }
        parameters
    }

    /// Whether the cache can be extended into a machine's memory: LMCache serves one engine on one machine.
    #[must_use]
    pub fn allows_kv_offload(self) -> bool {
        matches!(self, Self::Tensor { .. })
    }
}

/// The choice and the comparison behind it, in a line.
impl fmt::Display for ParallelismPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            doubled_copies,
            gpu_memory,
            ..
        } = self;
        match self.parallelism {
            Parallelism::Data { copies } => write!(
                formatter,
                "{copies} copies, one a GPU: twice their weights, {doubled_copies}, are less than the GPUs' {gpu_memory}"
            ),
            Parallelism::Tensor { gpus } if gpus.get() == 1 => write!(formatter, "one GPU"),
            Parallelism::Tensor { gpus } => write!(
                formatter,
                "one copy over {gpus} GPUs: for a copy on each, twice the weights, {doubled_copies}, would have to be \
                 less than the GPUs' {gpu_memory}"
            ),
            Parallelism::Pipeline { gpus, nodes } => {
                write!(formatter, "one copy over {nodes} nodes with {gpus} GPU(s) each")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance_types::{Cloud, InstanceTypes};

    fn plan(weights: &str, machine: &str, nodes: u32) -> ParallelismPlan {
        let machine = InstanceTypes::of(Cloud::Azure).find(machine).expect(machine);
        ParallelismPlan::choose(
            weights.parse().expect("a size"),
            &machine.gpus(),
            NonZeroU32::new(nodes).expect("not 0"),
        )
    }

    #[test]
    fn small_models_are_copied_and_large_ones_are_spread() {
        for (weights, machine, nodes, parameters, allows_kv_offload) in [
            (
                "7.15Gi",
                "Standard_NC96ads_A100_v4",
                1,
                "--data-parallel-size=4 --tensor-parallel-size=1",
                false,
            ),
            (
                "7.15Gi",
                "Standard_NV72ads_A10_v5",
                1,
                "--data-parallel-size=2 --tensor-parallel-size=1",
                false,
            ),
            (
                "27.31Gi",
                "Standard_NV72ads_A10_v5",
                1,
                "--tensor-parallel-size=2",
                true,
            ),
            ("7.15Gi", "Standard_NV36ads_A10_v5", 1, "--tensor-parallel-size=1", true),
            ("12Gi", "Standard_NV72ads_A10_v5", 1, "--tensor-parallel-size=2", true),
            (
                "61.03Gi",
                "Standard_NC24ads_A100_v4",
                2,
                "--tensor-parallel-size=1 --pipeline-parallel-size=2 --distributed-executor-backend=ray",
                false,
            ),
            (
                "7.15Gi",
                "Standard_NC96ads_A100_v4",
                3,
                "--tensor-parallel-size=4 --pipeline-parallel-size=3 --distributed-executor-backend=ray",
                false,
            ),
        ] {
            let chosen = plan(weights, machine, nodes).parallelism;
            assert_eq!(chosen.parameters().to_string(), parameters, "{weights} on {machine}");
            assert_eq!(chosen.allows_kv_offload(), allows_kv_offload, "{weights} on {machine}");
        }
    }

    #[test]
    fn the_choice_can_be_read() {
        for (weights, machine, nodes, text) in [
            (
                "7.15Gi",
                "Standard_NC96ads_A100_v4",
                1,
                "4 copies, one a GPU: twice their weights, 57.20 GiB, are less than the GPUs' 320.00 GiB",
            ),
            (
                "27.31Gi",
                "Standard_NV72ads_A10_v5",
                1,
                "one copy over 2 GPUs: for a copy on each, twice the weights, 109.24 GiB, would have to be less than the \
                 GPUs' 48.00 GiB",
            ),
            ("7.15Gi", "Standard_NV36ads_A10_v5", 1, "one GPU"),
            (
                "61.03Gi",
                "Standard_NC24ads_A100_v4",
                2,
                "one copy over 2 nodes with 1 GPU(s) each",
            ),
        ] {
            assert_eq!(plan(weights, machine, nodes).to_string(), text);
        }
    }
}
