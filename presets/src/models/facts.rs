//! What a model's authors published.

use std::fmt;

use serde::Deserialize;

use crate::byte_size::ByteSize;
use crate::hub_id::HubId;

/// What the hub says of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFacts {
    /// Its id.
    pub id: HubId,
    /// The licence's name on the hub, if known.
    pub licence: Option<String>,
    /// Of config.json, in its order.
    pub architectures: Vec<String>,
    /// Size of the files that are loaded.
    pub weights: ByteSize,
    /// Tokens that it reads and writes at most.
    pub token_limit: u64,
    /// What its cache is made of.
    pub attention: Attention,
    /// Number format of the weights, if known.
    pub dtype: Option<String>,
    /// How its weights were made smaller, if they were.
    pub quantisation: Option<Quantisation>,
    /// How its weights are stored.
    pub format: WeightFormat,
    /// Whether a download needs a token; `None` if unknown.
    pub gated: Option<bool>,
}

/// What a model keeps of each token that it has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attention {
    /// A key and a value of `head_size` numbers for each layer and key-value head.
    Heads {
        /// Layers.
        layers: u64,
        /// Query heads.
        heads: u64,
        /// Key-value heads.
        kv_heads: u64,
        /// Numbers in a head.
        head_size: u64,
    },
    /// Multi-head latent attention: keys and values of all heads compressed into one vector for each layer.
    Latent {
        /// Layers.
        layers: u64,
        /// Numbers in the compressed vector.
        kv_lora_rank: u64,
        /// Numbers that hold the position.
        qk_rope_head_dim: u64,
    },
    /// config.json does not say.
    Unknown,
}

/// Kinds of attention, in the words of the literature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttentionKind {
    /// Each head has a key and a value of its own.
    MultiHead,
    /// Several heads share a key and a value.
    GroupedQuery,
    /// All heads share a key and a value.
    MultiQuery,
    /// See [`Attention::Latent`].
    Latent,
    /// config.json does not say.
    Unknown,
}

/// How weights were made smaller.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantisation {
    /// Such as `fp8` or `gptq`.
    pub method: String,
    /// Of a weight, if config.json says.
    pub bits: Option<u32>,
}

/// How weights are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightFormat {
    /// As Hugging Face does: vLLM finds out.
    #[default]
    Auto,
    /// As Mistral does, in `consolidated*.safetensors`.
    Mistral,
}

impl Attention {
    /// Its kind.
    #[must_use]
    pub fn kind(self) -> AttentionKind {
        match self {
            Self::Heads { kv_heads: 1, .. } => AttentionKind::MultiQuery,
            Self::Heads { heads, kv_heads, .. } if heads == kv_heads => AttentionKind::MultiHead,
            Self::Heads { .. } => AttentionKind::GroupedQuery,
            Self::Latent { .. } => AttentionKind::Latent,
            Self::Unknown => AttentionKind::Unknown,
        }
    }

    /// Bytes of the cache for a token, with numbers of two bytes; 0 if unknown. Layers that keep less, such as those
    /// with a sliding window or of Mamba, count as full ones: an upper bound.
    #[must_use]
    pub fn kv_bytes_per_token(self) -> u64 {
        let (layers, numbers) = match self {
            Self::Heads {
                layers,
                kv_heads,
                head_size,
                ..
            } => (layers, kv_heads.saturating_mul(head_size).saturating_mul(2)),
            Self::Latent {
                layers,
                kv_lora_rank,
                qk_rope_head_dim,
            } => (layers, kv_lora_rank.saturating_add(qk_rope_head_dim)),
            Self::Unknown => (0, 0),
        };
        numbers.saturating_mul(layers).saturating_mul(2)
    }
}

impl WeightFormat {
    /// The word for vLLM.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Mistral => "mistral",
        }
    }
}

/// The usual abbreviation.
impl fmt::Display for AttentionKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::MultiHead => "MHA",
            Self::GroupedQuery => "GQA",
            Self::MultiQuery => "MQA",
            Self::Latent => "MLA",
            Self::Unknown => "unknown",
        })
    }
}
