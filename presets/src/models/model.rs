//! A model, and what follows from what is known of it.

use std::time::Duration;

use super::facts::{AttentionKind, ModelFacts, Quantisation};
use super::parameters::RunParameters;
use super::rules::{Rules, Traits};
use super::runtimes::Tuning;
use crate::byte_size::ByteSize;
use crate::estimate::Demand;

/// Where the base image keeps its templates.
const CHAT_TEMPLATES: &str = "/workspace/chat_templates";

/// A language model and how it is run.
#[derive(Debug, Clone)]
pub struct Model {
    facts: ModelFacts,
    traits: Traits,
    vllm: RunParameters,
    transformers: Option<RunParameters>,
    tuning: Option<Tuning>,
    disk_request: ByteSize,
    readiness_timeout: Duration,
}

impl Model {
    /// Applies the rules. A model whose authors do not say its architecture gets the one that its name suggests.
    pub(crate) fn new(mut facts: ModelFacts, rules: &Rules) -> Self {
        let name = facts.id.name();
        if facts.architectures.is_empty() {
            facts
                .architectures
                .extend(rules.traits(&name, &[]).assumed_architecture);
        }
        let traits = rules.traits(&name, &facts.architectures);
        let whole = ByteSize::from_gib(facts.weights.plus(rules.disk_beyond_weights).whole_gib());
        Self {
            vllm: vllm_parameters(&facts, &traits),
            transformers: None,
            tuning: None,
            disk_request: whole,
            readiness_timeout: rules.readiness_timeout(facts.weights),
            facts,
            traits,
        }
    }

    pub(crate) fn with_runtimes(self, transformers: Option<RunParameters>, tuning: Option<Tuning>) -> Self {
        Self {
            transformers,
            tuning,
            ..self
        }
    }

    /// What its authors published.
    #[must_use]
    pub fn facts(&self) -> &ModelFacts {
        &self.facts
    }

    /// The name under which it is served: the last part of its id, in lower case.
    #[must_use]
    pub fn served_name(&self) -> String {
        self.facts.id.name()
    }

    /// The id from which vLLM and Transformers download it: in lower case, as KAITO does.
    #[must_use]
    pub fn repository(&self) -> String {
        self.facts.id.to_lowercase()
    }

    /// Size of the files that are loaded.
    #[must_use]
    pub fn weights(&self) -> ByteSize {
        self.facts.weights
    }

    /// Disk space that serving takes, in whole GiB.
    #[must_use]
    pub fn disk_request(&self) -> ByteSize {
        self.disk_request
    }

    /// Tokens that it reads and writes at most.
    #[must_use]
    pub fn token_limit(&self) -> u64 {
        self.facts.token_limit
    }

    /// Bytes of the cache for a token; 0 if unknown.
    #[must_use]
    pub fn kv_bytes_per_token(&self) -> u64 {
        self.facts.attention.kv_bytes_per_token()
    }

    /// Its kind of attention.
    #[must_use]
    pub fn attention(&self) -> AttentionKind {
        self.facts.attention.kind()
    }

    /// How its weights were made smaller, if they were.
    #[must_use]
    pub fn quantisation(&self) -> Option<&Quantisation> {
        self.facts.quantisation.as_ref()
    }

    /// Whether the weights come from the hub when a pod starts to serve it. So it is with every model; only tuning takes
    /// weights from an image.
    #[must_use]
    pub fn downloads_at_runtime(&self) -> bool {
        true
    }

    /// Whether the download needs a token of somebody who accepted the licence, as far as it is known.
    #[must_use]
    pub fn needs_token(&self) -> bool {
        self.facts.gated == Some(true)
    }

    /// Whether LoRA adapters can be served beside it.
    #[must_use]
    pub fn allows_adapters(&self) -> bool {
        self.traits.adapters != Some(false)
    }

    /// Parameters of vLLM that the model itself asks for.
    #[must_use]
    pub fn vllm(&self) -> &RunParameters {
        &self.vllm
    }

    /// Parameters of Transformers, if that can serve the model.
    #[must_use]
    pub fn transformers(&self) -> Option<&RunParameters> {
        self.transformers.as_ref()
    }

    /// How it is tuned, if it can be.
    #[must_use]
    pub fn tuning(&self) -> Option<&Tuning> {
        self.tuning.as_ref()
    }

    /// How long a pod may take until it serves the model.
    #[must_use]
    pub fn readiness_timeout(&self) -> Duration {
        self.readiness_timeout
    }

    /// Whether its cache can be extended into the machine's memory.
    #[must_use]
    pub fn allows_kv_offload(&self) -> bool {
        self.traits.kv_offload != Some(false)
    }

    /// Whether vLLM has to use DeepGEMM.
    #[must_use]
    pub fn needs_deep_gemm(&self) -> bool {
        self.traits.deep_gemm == Some(true)
    }

    /// Whether kernels are compiled when a pod starts, for which the CUDA toolkit has to be there.
    #[must_use]
    pub fn needs_cuda_toolkit(&self) -> bool {
        self.needs_deep_gemm() || self.traits.flashinfer_jit == Some(true)
    }

    /// What the estimator has to know, for a context of this many tokens.
    #[must_use]
    pub fn demand(&self, context_tokens: u64) -> Demand {
        Demand {
            weights: self.weights(),
            kv_bytes_per_token: self.kv_bytes_per_token(),
            context_tokens,
        }
    }
}

fn vllm_parameters(facts: &ModelFacts, traits: &Traits) -> RunParameters {
    let format = facts.format.as_str();
    let mut parameters = RunParameters::default();
    parameters.set("load_format", format);
    parameters.set("config_format", format);
    parameters.set("tokenizer_mode", traits.tokenizer_mode.as_deref().unwrap_or(format));
    parameters.set_flag("trust-remote-code");
    let dtype = match (&facts.quantisation, &facts.dtype) {
        (Some(_), _) => "auto",
        (None, Some(dtype)) => dtype,
        (None, None) => "bfloat16",
    };
    parameters.set("dtype", dtype);
    if let Some(dtype) = &traits.kv_cache_dtype {
        parameters.set("kv-cache-dtype", dtype);
    }
    if let Some(backend) = &traits.gdn_prefill_backend {
        parameters.set("gdn-prefill-backend", backend);
    }
    if traits.expert_parallel == Some(true) {
        parameters.set_flag("enable-expert-parallel");
    }
    if traits.flashinfer_autotune == Some(false) {
        parameters.set("kernel-config.enable_flashinfer_autotune", "False");
    }
    if let Some(parser) = &traits.tool_call_parser {
        parameters.set("tool-call-parser", parser);
        parameters.set_flag("enable-auto-tool-choice");
    }
    if let Some(template) = &traits.chat_template {
        parameters.set("chat-template", format!("{CHAT_TEMPLATES}/{template}"));
    }
    if let Some(parser) = &traits.reasoning_parser
        && traits.reasoning != Some(false)
    {
        parameters.set("reasoning-parser", parser);
    }
    parameters
}
