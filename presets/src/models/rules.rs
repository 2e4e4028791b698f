//! `data/models/rules.yaml`: what follows from a model's name and architecture.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use serde_yaml_ng::Value;

use crate::byte_size::ByteSize;
use crate::rows::{DataError, DataFile};

const FILE: DataFile = DataFile {
    name: "models/rules.yaml",
    key: "name",
};

/// All rules.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) disk_beyond_weights: ByteSize,
    pub(crate) default_token_limit: u64,
    pub(crate) config_keys: ConfigKeys,
    readiness: Readiness,
    names: HashMap<String, Traits>,
    /// The longest first.
    name_prefixes: Vec<(String, Traits)>,
    architectures: HashMap<String, Traits>,
}

/// What the rules say of a model; `None` where they say nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Traits {
    pub(crate) tool_call_parser: Option<String>,
    pub(crate) reasoning_parser: Option<String>,
    pub(crate) reasoning: Option<bool>,
    pub(crate) chat_template: Option<String>,
    pub(crate) tokenizer_mode: Option<String>,
    pub(crate) kv_cache_dtype: Option<String>,
    pub(crate) gdn_prefill_backend: Option<String>,
    pub(crate) expert_parallel: Option<bool>,
    pub(crate) flashinfer_autotune: Option<bool>,
    pub(crate) kv_offload: Option<bool>,
    pub(crate) deep_gemm: Option<bool>,
    pub(crate) flashinfer_jit: Option<bool>,
    pub(crate) adapters: Option<bool>,
    pub(crate) assumed_architecture: Option<String>,
}

/// Where config.json may say what; the first key that is there counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigKeys {
    pub(crate) token_limit: Vec<String>,
    pub(crate) hidden_size: Vec<String>,
    pub(crate) layers: Vec<String>,
    pub(crate) heads: Vec<String>,
    pub(crate) kv_heads: Vec<String>,
    pub(crate) head_size: Vec<String>,
    pub(crate) kv_lora_rank: Vec<String>,
    pub(crate) qk_rope_head_dim: Vec<String>,
    pub(crate) quantisation_method: Vec<String>,
    pub(crate) dtype: Vec<String>,
}

/// In seconds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Readiness {
    base: u64,
    per_gib: u64,
    minimum: u64,
    maximum: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    disk_beyond_weights: ByteSize,
    default_token_limit: u64,
    readiness: Readiness,
    config_keys: ConfigKeys,
    names: Vec<Value>,
    name_prefixes: Vec<Value>,
    architectures: Vec<Value>,
}

impl Rules {
    pub(crate) fn parse(yaml: &str) -> Result<Self, DataError> {
        let file: RulesFile = FILE.document(yaml)?;
        if file.readiness.minimum > file.readiness.maximum {
            return Err(FILE.invalid("readiness", "minimum is more than maximum"));
        }
        let mut name_prefixes = lower_case(FILE.rows(file.name_prefixes)?)?;
        name_prefixes.sort_by_key(|(prefix, _)| Reverse(prefix.len()));
        Ok(Self {
            disk_beyond_weights: file.disk_beyond_weights,
            default_token_limit: file.default_token_limit,
            config_keys: file.config_keys,
            readiness: file.readiness,
            names: lower_case(FILE.rows(file.names)?)?.into_iter().collect(),
            name_prefixes,
            architectures: FILE.rows(file.architectures)?.into_iter().collect(),
        })
    }

    /// What is said of a model with this served name and these architectures. Each trait is looked up by itself: the
    /// name decides before the prefixes, a longer prefix before a shorter one, and all of them before the architectures.
    pub(crate) fn traits(&self, name: &str, architectures: &[String]) -> Traits {
        let prefixes = self
            .name_prefixes
            .iter()
            .filter(|(prefix, _)| name.starts_with(prefix.as_str()))
            .map(|(_, traits)| traits);
        let architectures = architectures.iter().filter_map(|one| self.architectures.get(one));
        self.names
            .get(name)
            .into_iter()
            .chain(prefixes)
            .chain(architectures)
            .fold(Traits::default(), Traits::or)
    }

    /// How long a pod may take until it serves a model of this size.
    pub(crate) fn readiness_timeout(&self, weights: ByteSize) -> Duration {
        let Readiness {
            base,
            per_gib,
            minimum,
            maximum,
        } = self.readiness;
        let download = weights.scaled(per_gib, 1).whole_gib();
        Duration::from_secs(base.saturating_add(download).clamp(minimum, maximum))
    }
}

impl Traits {
    fn or(self, weaker: &Self) -> Self {
        let text = |own: Option<String>, other: &Option<String>| own.or_else(|| other.clone());
        Self {
            tool_call_parser: text(self.tool_call_parser, &weaker.tool_call_parser),
            reasoning_parser: text(self.reasoning_parser, &weaker.reasoning_parser),
            reasoning: self.reasoning.or(weaker.reasoning),
            chat_template: text(self.chat_template, &weaker.chat_template),
            tokenizer_mode: text(self.tokenizer_mode, &weaker.tokenizer_mode),
            kv_cache_dtype: text(self.kv_cache_dtype, &weaker.kv_cache_dtype),
            gdn_prefill_backend: text(self.gdn_prefill_backend, &weaker.gdn_prefill_backend),
            expert_parallel: self.expert_parallel.or(weaker.expert_parallel),
            flashinfer_autotune: self.flashinfer_autotune.or(weaker.flashinfer_autotune),
            kv_offload: self.kv_offload.or(weaker.kv_offload),
            deep_gemm: self.deep_gemm.or(weaker.deep_gemm),
            flashinfer_jit: self.flashinfer_jit.or(weaker.flashinfer_jit),
            adapters: self.adapters.or(weaker.adapters),
            assumed_architecture: text(self.assumed_architecture, &weaker.assumed_architecture),
        }
    }
}

fn lower_case(rows: Vec<(String, Traits)>) -> Result<Vec<(String, Traits)>, DataError> {
    match rows.iter().find(|(name, _)| *name != name.to_lowercase()) {
        Some((name, _)) => Err(FILE.invalid(name, "served names are in lower case")),
        None => Ok(rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = include_str!("../../data/models/rules.yaml");

    fn tool_call_parser(name: &str, architectures: &[&str]) -> Option<String> {
        let architectures: Vec<_> = architectures.iter().map(ToString::to_string).collect();
        let rules = Rules::parse(RULES).expect("the shipped rules are valid");
        rules.traits(name, &architectures).tool_call_parser
    }

    #[test]
    fn the_longest_prefix_decides_and_the_architecture_only_without_one() {
        let parser = |name, architectures| tool_call_parser(name, architectures);
        let of = |text: &str| Some(text.to_owned());
        assert_eq!(parser("deepseek-v3.2", &[]), of("deepseek_v32"));
        assert_eq!(parser("deepseek-v3.1-base", &[]), of("deepseek_v31"));
        assert_eq!(parser("deepseek-v3-0324", &[]), of("deepseek_v3"));
        assert_eq!(parser("qwen3-coder-30b", &["Qwen3ForCausalLM"]), of("qwen3_xml"));
        assert_eq!(parser("my-own-model", &["Nameless", "Qwen3ForCausalLM"]), of("hermes"));
        assert_eq!(parser("my-own-model", &["Nameless"]), None);
    }

    #[test]
    fn traits_are_looked_up_one_by_one() {
        let rules = Rules::parse(RULES).expect("the shipped rules are valid");
        let traits = rules.traits("deepseek-v3.2", &["DeepseekV32ForCausalLM".to_owned()]);
        assert_eq!(traits.tool_call_parser.as_deref(), Some("deepseek_v32"), "its prefix");
        assert_eq!(
            traits.chat_template.as_deref(),
            Some("tool-chat-deepseekv3.jinja"),
            "a shorter prefix"
        );
        assert_eq!(traits.deep_gemm, Some(true), "its architecture");
    }

    #[test]
    fn the_time_to_start_grows_with_the_weights_within_bounds() {
        let rules = Rules::parse(RULES).expect("the shipped rules are valid");
        let seconds = |weights: &str| rules.readiness_timeout(weights.parse().expect("a size")).as_secs();
        assert_eq!(seconds("7.15Gi"), 1800);
        assert_eq!(seconds("61.03Gi"), 1998);
        assert_eq!(seconds("805Gi"), 10800);
    }

    #[test]
    fn rules_that_could_never_match_are_refused() {
        for (from, to, expected) in [
            (
                "name: xlam",
                "name: XLAM",
                "row \"XLAM\" of models/rules.yaml: served names are in lower case",
            ),
            (
                "minimum: 1800",
                "minimum: 18000",
                "row \"readiness\" of models/rules.yaml: minimum is more than maximum",
            ),
            ("name: xlam", "name: step3", "\"step3\" is in models/rules.yaml twice"),
            (
                "{name: xlam, tool_",
                "{name: xlam, tol_",
                "parse row \"xlam\" of models/rules.yaml",
            ),
        ] {
            let refused = Rules::parse(&RULES.replace(from, to)).expect_err(to);
            assert_eq!(refused.to_string(), expected);
        }
    }
}
