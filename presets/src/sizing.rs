//! On how many machines a model is served, and how it is spread over them: one answer for those who plan, for admission
//! and for the operator.

use std::num::NonZeroU32;

use crate::byte_size::ByteSize;
use crate::estimate::{Estimate, EstimateError, estimate};
use crate::gpus::Gpus;
use crate::instance_types::{InstanceType, InstanceTypes};
use crate::models::Model;
use crate::parallelism::ParallelismPlan;

/// The program that serves a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServingRuntime {
    /// vLLM: one model may be spread over several machines.
    Vllm,
    /// Hugging Face's Transformers: each machine has a whole copy.
    Transformers,
}

/// How a model is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizing {
    /// Machines.
    pub nodes: NonZeroU32,
    /// How many vLLM needs at least, and why; `None` with Transformers.
    pub estimate: Option<Estimate>,
    /// How vLLM spreads the model; `None` with Transformers, which always uses all GPUs of its machine for one copy.
    pub plan: Option<ParallelismPlan>,
}

/// Why a model cannot be served on such machines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizingError {
    /// vLLM cannot, on however many.
    #[error(transparent)]
    Estimate(#[from] EstimateError),
    /// Transformers would have to use several machines for one copy.
    #[error(
        "Multi-node distributed inference is not supported with Huggingface Transformers runtime: the model's files take \
         {weights}, and the GPUs of a node have {node_memory} ({gpus_per_node} x {gpu_memory}), however many nodes there \
         are ({nodes}); use nodes with at least {weights} of GPU memory, or let vLLM serve it"
    )]
    FitNode {
        /// Size of the files.
        weights: ByteSize,
        /// Memory of all GPUs of a machine.
        node_memory: ByteSize,
        /// Memory of one of them.
        gpu_memory: ByteSize,
        /// How many of them.
        gpus_per_node: NonZeroU32,
        /// Machines that were asked for.
        nodes: NonZeroU32,
    },
}

/// Sizes what serves `model` on machines with these GPUs, of which `requested` are wished for, for a context of
/// `context_tokens`.
///
/// vLLM gets as many as it needs, and more if more are wished for; but a MIG slice is always alone, since a model cannot
/// be spread over slices. Transformers gets what is wished for.
///
/// # Errors
/// If no number of machines is enough.
pub fn size(
    model: &Model,
    runtime: ServingRuntime,
    gpus: &Gpus,
    requested: NonZeroU32,
    context_tokens: u64,
) -> Result<Sizing, SizingError> {
    match runtime {
        ServingRuntime::Vllm => {
            let estimate = estimate(&model.demand(context_tokens), gpus)?;
            let nodes = if gpus.is_mig_slice {
                estimate.nodes
            } else {
                estimate.nodes.max(requested)
            };
            Ok(Sizing {
                nodes,
                plan: Some(ParallelismPlan::choose(model.weights(), gpus, nodes)),
                estimate: Some(estimate),
            })
        }
        ServingRuntime::Transformers if model.weights() > gpus.memory => Err(SizingError::FitNode {
            weights: model.weights(),
            node_memory: gpus.memory,
            gpu_memory: gpus.memory_of_each(),
            gpus_per_node: gpus.count,
            nodes: requested,
        }),
        ServingRuntime::Transformers => Ok(Sizing {
            nodes: requested,
            estimate: None,
            plan: None,
        }),
    }
}

/// The machine types, three at most, with the least GPU memory of which one machine serves `model`.
#[must_use]
pub fn smallest_that_fit<'types>(
    model: &Model,
    runtime: ServingRuntime,
    types: &'types InstanceTypes,
    context_tokens: u64,
) -> Vec<&'types InstanceType> {
    let fits = |machine: &InstanceType| {
        size(model, runtime, &machine.gpus(), NonZeroU32::MIN, context_tokens)
            .is_ok_and(|sizing| sizing.nodes == NonZeroU32::MIN)
    };
    let types = types.types().iter();
    let mut fitting: Vec<_> = types
        .filter(|machine| machine.has_nvidia_gpus() && fits(machine))
        .collect();
    fitting.sort_by_key(|machine| (machine.gpu_memory, machine.gpu_count));
    fitting.truncate(3);
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::DEFAULT_CONTEXT_TOKENS;
    use crate::instance_types::{Cloud, InstanceTypes};
    use crate::models::{ModelCatalogue, Resolution};

    fn sized(model: &str, runtime: ServingRuntime, gpus: &Gpus, requested: u32) -> Result<Sizing, SizingError> {
        let Resolution::Known(model) = ModelCatalogue::builtin().resolve(model) else {
            panic!("{model} is not in the catalogue");
        };
        let requested = NonZeroU32::new(requested).expect("not 0");
        size(model, runtime, gpus, requested, DEFAULT_CONTEXT_TOKENS)
    }

    fn azure(machine: &str) -> Gpus {
        InstanceTypes::of(Cloud::Azure).find(machine).expect(machine).gpus()
    }

    #[test]
    fn vllm_gets_what_it_needs_and_more_if_that_is_wished_for() {
        let a10 = azure("Standard_NV36ads_A10_v5");
        for (model, requested, nodes, parameters) in [
            ("phi-4-mini-instruct", 1, 1, "--tensor-parallel-size=1"),
            (
                "phi-4-mini-instruct",
                3,
                3,
                "--tensor-parallel-size=1 --pipeline-parallel-size=3 --distributed-executor-backend=ray",
            ),
            (
                "phi-4",
                1,
                2,
                "--tensor-parallel-size=1 --pipeline-parallel-size=2 --distributed-executor-backend=ray",
            ),
        ] {
            let sizing = sized(model, ServingRuntime::Vllm, &a10, requested).expect(model);
            assert_eq!(sizing.nodes.get(), nodes, "{model} x {requested}");
            let plan = sizing.plan.expect("vLLM has one");
            assert_eq!(plan.parallelism.parameters().to_string(), parameters, "{model}");
        }
    }

    #[test]
    fn the_smallest_machines_that_hold_a_model_alone_have_gpus_of_nvidia() {
        let smallest = |name: &str, runtime, cloud| -> Vec<&str> {
            let Resolution::Known(model) = ModelCatalogue::builtin().resolve(name) else {
                panic!("{name} is not in the catalogue");
            };
            let machines = smallest_that_fit(model, runtime, InstanceTypes::of(cloud), DEFAULT_CONTEXT_TOKENS);
            machines.into_iter().map(|machine| machine.name.as_str()).collect()
        };
        assert_eq!(
            smallest("phi-4", ServingRuntime::Vllm, Cloud::Azure),
            [
                "Standard_NV72ads_A10_v5",
                "Standard_NC24ads_A100_v4",
                "Standard_NC40ads_H100_v5"
            ]
        );
        assert_eq!(smallest("phi-4", ServingRuntime::Vllm, Cloud::Arc), Vec::<&str>::new());
        assert_eq!(
            smallest("phi-4", ServingRuntime::Transformers, Cloud::Arc),
            ["Standard_NC16_A2", "Standard_NC32_A2", "Standard_NC16_A16"]
        );
    }

    #[test]
    fn a_slice_is_alone() {
        let slice = Gpus::from_mig_profile("3g.40gb").expect("a profile");
        let sizing = sized("phi-4-mini-instruct", ServingRuntime::Vllm, &slice, 2).expect("it fits");
        assert_eq!(sizing.nodes, NonZeroU32::MIN);
        let slice = Gpus::from_mig_profile("1g.10gb").expect("a profile");
        let refused = sized("phi-4", ServingRuntime::Vllm, &slice, 1).expect_err("27 GiB");
        assert!(
            refused.to_string().starts_with("a MIG slice of 10.00 GiB has room for"),
            "{refused}"
        );
    }

    #[test]
    fn transformers_has_a_whole_copy_on_each_machine() {
        let a10 = azure("Standard_NV36ads_A10_v5");
        let sizing = sized("phi-4-mini-instruct", ServingRuntime::Transformers, &a10, 2).expect("7 GiB of 24");
        assert_eq!((sizing.nodes.get(), sizing.estimate, sizing.plan), (2, None, None));
        for nodes in [1, 2] {
            let refused = sized("phi-4", ServingRuntime::Transformers, &a10, nodes).expect_err("27 GiB of 24");
            assert_eq!(
                refused.to_string(),
                format!(
                    "Multi-node distributed inference is not supported with Huggingface Transformers runtime: the model's \
                     files take 27.31 GiB, and the GPUs of a node have 24.00 GiB (1 x 24.00 GiB), however many nodes there \
                     are ({nodes}); use nodes with at least 27.31 GiB of GPU memory, or let vLLM serve it"
                )
            );
        }
        assert!(
            sized(
                "phi-4",
                ServingRuntime::Transformers,
                &azure("Standard_NV72ads_A10_v5"),
                1
            )
            .is_ok()
        );
    }
}
