//! How many machines a model takes.
//!
//! KAITO's formula, with the same constants: of each GPU's memory 84 % can be used; of that, vLLM itself takes 2.3 GiB, and
//! the cache of one context its share; weights take 2 % more than their files, and 5 % of what is left stays unused. All
//! figures are whole bytes, so that no rounding depends on the machine that computes it.

use std::fmt;
use std::num::NonZeroU32;

use crate::byte_size::ByteSize;
use crate::gpus::Gpus;

/// Tokens of a context for which machines are chosen when nobody says how long it is to be.
pub const DEFAULT_CONTEXT_TOKENS: u64 = 2048;

/// Percent of a GPU's memory that can be used.
const AVAILABLE_PERCENT: u64 = 84;
/// Percent of the size of the files that loaded weights take.
const LOADED_PERCENT: u64 = 102;
/// Percent of the weights for which there has to be room.
const ROOM_PERCENT: u64 = 105;
/// What vLLM takes of each GPU: 2.3 GiB.
const OVERHEAD: ByteSize = ByteSize::from_bytes((23 << 30) / 10);

/// What a model wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Size of its files.
    pub weights: ByteSize,
    /// Bytes of the cache for a token.
    pub kv_bytes_per_token: u64,
    /// Tokens of the context.
    pub context_tokens: u64,
}

/// How the memory of one GPU is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpuRoom {
    /// All of it.
    pub memory: ByteSize,
    /// What can be used of it.
    pub available: ByteSize,
    /// What vLLM takes.
    pub overhead: ByteSize,
    /// What the cache takes: a machine's GPUs share it.
    pub cache: ByteSize,
    /// What is left for weights.
    pub weights: ByteSize,
}

/// How many machines a model takes, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// How the memory of each GPU is divided.
    pub room: GpuRoom,
    /// What the weights take when they are loaded.
    pub loaded_weights: ByteSize,
    /// GPUs that are needed for them at least.
    pub minimum_gpus: u64,
    /// GPUs of one machine.
    pub gpus_per_node: NonZeroU32,
    /// Machines.
    pub nodes: NonZeroU32,
}

/// Why no number of machines is enough.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EstimateError {
    /// A GPU is full before it gets weights.
    #[error(
        "GPU memory of {} is too small, needs at least {needed}: {AVAILABLE_PERCENT} % of it are {}, of which {} go to \
         vLLM and {} to the cache of {context_tokens} tokens ({context_tokens} x {kv_bytes_per_token} bytes, \
         over {gpus_per_node} GPU(s)); use GPUs with more memory, or lower max-model-len",
        room.memory, room.available, room.overhead, room.cache
    )]
    FitOverhead {
        /// How the memory of each GPU would be divided.
        room: GpuRoom,
        /// Memory of a GPU with which anything is left for weights.
        needed: ByteSize,
        /// As it was asked for.
        context_tokens: u64,
        /// Of the model.
        kv_bytes_per_token: u64,
        /// Of the machine.
        gpus_per_node: NonZeroU32,
    },
    /// The model does not fit in one MIG slice, and pods cannot use several.
    #[error(
        "a MIG slice of {} has room for {} of weights and the model takes {loaded_weights}, that is {minimum_gpus} \
         slices; a model cannot be spread over slices, so use a profile with at least {needed}, or whole GPUs",
        room.memory, room.weights
    )]
    FitSlice {
        /// How the memory of the slice would be divided.
        room: GpuRoom,
        /// What the weights take when they are loaded.
        loaded_weights: ByteSize,
        /// Slices that they would need.
        minimum_gpus: u64,
        /// Memory of a slice that is large enough.
        needed: ByteSize,
    },
}

/// How many machines with these GPUs a model takes.
///
/// # Errors
/// If a GPU has no room for weights, or a MIG slice not for all of them.
pub fn estimate(demand: &Demand, gpus: &Gpus) -> Result<Estimate, EstimateError> {
    let room = GpuRoom::of(demand, gpus);
    if room.weights.bytes() == 0 {
        return Err(EstimateError::FitOverhead {
            room,
            needed: room.memory_with_weights(ByteSize::from_bytes(ROOM_PERCENT)),
            context_tokens: demand.context_tokens,
            kv_bytes_per_token: demand.kv_bytes_per_token,
            gpus_per_node: gpus.count,
        });
    }
    let loaded_weights = demand.weights.scaled(LOADED_PERCENT, 100);
    let minimum_gpus = (loaded_weights.bytes() / room.weights.bytes()).saturating_add(1);
    let nodes = minimum_gpus.div_ceil(u64::from(gpus.count.get()));
    if gpus.is_mig_slice && nodes > 1 {
        return Err(EstimateError::FitSlice {
            room,
            loaded_weights,
            minimum_gpus,
            needed: room.memory_with_weights(loaded_weights.scaled(ROOM_PERCENT, 100)),
        });
    }
    Ok(Estimate {
        room,
        loaded_weights,
        minimum_gpus,
        gpus_per_node: gpus.count,
        nodes: u32::try_from(nodes)
            .ok()
            .and_then(NonZeroU32::new)
            .unwrap_or(NonZeroU32::MAX),
    })
}

impl GpuRoom {
    fn of(demand: &Demand, gpus: &Gpus) -> Self {
        let memory = gpus.memory_of_each();
        let available = memory.scaled(AVAILABLE_PERCENT, 100);
        let context = demand.context_tokens.saturating_mul(demand.kv_bytes_per_token);
        let cache = ByteSize::from_bytes(context / u64::from(gpus.count.get()));
        Self {
            memory,
            available,
            overhead: OVERHEAD,
            cache,
            weights: available.minus(OVERHEAD.plus(cache)).scaled(100, ROOM_PERCENT),
        }
    }

    /// Memory of a GPU of which `weights` are left after everything else: rounded up to what shows in a message.
    fn memory_with_weights(self, weights: ByteSize) -> ByteSize {
        let hundredth_gib = (1_u64 << 30).div_ceil(100);
        let used = self.overhead.plus(self.cache).plus(weights);
        used.scaled(100, AVAILABLE_PERCENT)
            .plus(ByteSize::from_bytes(hundredth_gib))
    }
}

/// The whole calculation, in a line.
impl fmt::Display for Estimate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            room,
            loaded_weights,
            minimum_gpus,
            gpus_per_node,
            nodes,
        } = self;
        write!(
            formatter,
            "{nodes} node(s): {loaded_weights} of weights need {minimum_gpus} GPU(s) with room for {} each ({} of {} \
             available, less {} for vLLM and {} for the cache), and a node has {gpus_per_node}",
            room.weights, room.available, room.memory, room.overhead, room.cache
        )
    }
}

#[cfg(test)]
mod tests;
