//! Whether a model fits on the machines that a Workspace asks for.

use kaito_api::admission::{Load, Machine, Runtime};
use kaito_presets::{
    DEFAULT_CONTEXT_TOKENS, Gpus, ModelCatalogue, Resolution, ServingRuntime, SizingError, size, smallest_that_fit,
};

use super::catalogue;
use crate::options::Cloud;

/// Whether it does, on machines of `cloud`, with a context of `context_tokens` or else the usual one. Models and machine
/// types that are not in the catalogues pass, since nothing is known of them.
///
/// # Errors
/// The arithmetic, and what would fit.
pub fn fit(load: &Load<'_>, context_tokens: Option<u64>, cloud: Cloud) -> Result<(), String> {
    let Resolution::Known(model) = ModelCatalogue::builtin().resolve(load.preset) else {
        return Ok(());
    };
    let types = catalogue(cloud);
    let gpus = match load.machine {
        Machine::InstanceType(name) => types.find(name).map(kaito_presets::InstanceType::gpus),
        Machine::MigSlice(profile) => Gpus::from_mig_profile(profile).ok(),
    };
    let Some(gpus) = gpus else {
        return Ok(());
    };
    let runtime = match load.runtime {
        Runtime::Vllm => ServingRuntime::Vllm,
        Runtime::Transformers => ServingRuntime::Transformers,
    };
    let context_tokens = context_tokens.unwrap_or(DEFAULT_CONTEXT_TOKENS);
    let Err(refused) = size(model, runtime, &gpus, load.nodes, context_tokens) else {
        return Ok(());
    };
    let machines = match load.machine {
        Machine::InstanceType(_) => smallest_that_fit(model, runtime, types, context_tokens),
        Machine::MigSlice(_) => Vec::new(),
    };
    let names: Vec<_> = machines.iter().map(|machine| machine.name.as_str()).collect();
    Err(explained(&refused, &names))
}

fn explained(refused: &SizingError, machines: &[&str]) -> String {
    if machines.is_empty() {
        return refused.to_string();
    }
    format!(
        "{refused}; the smallest machines on which it fits: {}",
        machines.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn load(preset: &'static str, runtime: Runtime, machine: Machine<'static>) -> Load<'static> {
        Load {
            preset,
            runtime,
            machine,
            nodes: NonZeroU32::MIN,
        }
    }

    #[test]
    fn what_fits_and_what_is_not_known_passes() {
        let a10 = Machine::InstanceType("standard_nv36ads_a10_v5");
        for load in [
            load("phi-4", Runtime::Vllm, a10),
            load("phi-4-mini-instruct", Runtime::Transformers, a10),
            load("deepseek-ai/DeepSeek-V3.2", Runtime::Vllm, a10),
            load("somebody/something", Runtime::Vllm, a10),
            load("foo", Runtime::Vllm, a10),
            load("phi-4", Runtime::Transformers, Machine::InstanceType("Standard_D8s_v5")),
            load("phi-4-mini-instruct", Runtime::Vllm, Machine::MigSlice("2g.20gb")),
        ] {
            assert_eq!(fit(&load, None, Cloud::Azure), Ok(()), "{load:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_with_the_sum_and_with_what_would() {
        let a10 = Machine::InstanceType("Standard_NV36ads_A10_v5");
        for (load, context_tokens, start, end) in [
            (
                load("phi-4", Runtime::Transformers, a10),
                None,
                "Multi-node distributed inference is not supported with Huggingface Transformers runtime: the model's files \
                 take 27.31 GiB, and the GPUs of a node have 24.00 GiB",
                "the smallest machines on which it fits: Standard_NV72ads_A10_v5, Standard_NC24ads_A100_v4, \
                 Standard_NC40ads_H100_v5",
            ),
            (
                load("phi-3-mini-128k-instruct", Runtime::Vllm, a10),
                Some(131_072),
                "GPU memory of 24.00 GiB is too small, needs at least 59.89 GiB",
                "the smallest machines on which it fits: Standard_NC24ads_A100_v4, Standard_NC40ads_H100_v5, \
                 Standard_NCC40ads_H100_v5",
            ),
            (
                load("phi-4", Runtime::Vllm, Machine::MigSlice("1g.10gb")),
                None,
                "a MIG slice of 10.00 GiB has room for",
                "or whole GPUs",
            ),
        ] {
            let reason = fit(&load, context_tokens, Cloud::Azure).unwrap_err();
            assert!(reason.starts_with(start) && reason.ends_with(end), "{reason}");
        }
    }
}
