//! How fast the model is, as its first pod measured before it became ready and wrote into its log.

use std::collections::BTreeMap;

use kaito_api::names::annotations;
use kaito_api::v1beta1::{Metric, PerformanceStatus};
use serde_json::{Map, Value};

use super::Observation;
use crate::conditions::Finding;

/// How many lines of the log, from its end, are read.
pub(crate) const LINES: i64 = 500;
/// How many bytes of the log are read.
pub(crate) const LOG_BYTES: i64 = 32 << 20;
/// Longer lines are not looked at.
const LONGEST_LINE: usize = 1 << 20;

/// The program that measures. A StatefulSet whose startup probe does not run it, such as one of an older operator, has
/// no benchmark.
const PROGRAM: &str = "benchmark_entrypoint.py";
/// The reason of a benchmark that told nothing useful.
pub(super) const FAILED: &str = "BenchmarkFailed";
/// Name of the measurement.
const PEAK: &str = "peakTokensPerMinute";

/// The end of the log of a Workspace's first pod.
#[derive(Clone, Debug)]
pub(crate) struct BenchmarkLog {
    /// The lines.
    pub text: String,
    /// The version of vLLM in the image, if it is known.
    pub engine_version: Option<String>,
    /// How the model is quantised, if it is.
    pub quantization: Option<String>,
}

/// What is known of a model's speed.
pub(super) struct Measured {
    /// The condition `BenchmarkCompleted`, if there is something to say.
    pub(super) finding: Option<Finding>,
    /// The measurement.
    pub(super) performance: Option<PerformanceStatus>,
}

/// Whether the pods measure the speed of their model.
pub(super) fn is_applicable(observation: &Observation<'_>) -> bool {
    let inference = observation.workspace.spec.inference.as_ref();
    let has_preset = inference.is_some_and(|inference| inference.preset.is_some());
    let annotations = observation.workspace.metadata.annotations.as_ref();
    let disabled = annotations.and_then(|all| all.get(annotations::DISABLE_BENCHMARK));
    let disabled = disabled.is_some_and(|value| value.eq_ignore_ascii_case("true"));
    has_preset && !disabled && probe_measures(observation).unwrap_or(false)
}

fn probe_measures(observation: &Observation<'_>) -> Option<bool> {
    let pod = observation.stateful_set?.spec.as_ref()?.template.spec.as_ref()?;
    let command = pod
        .containers
        .first()?
        .startup_probe
        .as_ref()?
        .exec
        .as_ref()?
        .command
        .as_ref()?;
    Some(command.iter().any(|word| word.contains(PROGRAM)))
}

impl BenchmarkLog {
    /// What the log tells.
    pub(super) fn measure(&self) -> Measured {
        let outcome = self.last("KAITO_BENCHMARK_RESULT ").and_then(|result| {
            let tokens = result.get("vllm_total_tpm").and_then(Value::as_f64);
            tokens
                .filter(|tokens| *tokens > 0.0)
                .ok_or("the benchmark measured no tokens, see the log of the first pod")
        });
        match outcome {
            Ok(tokens) => Measured {
                finding: Some(Finding::holds(
                    "BenchmarkCompleted",
                    "the benchmark has measured the model's speed",
                )),
                performance: Some(self.performance(tokens)),
            },
            Err(words) => Measured {
                finding: Some(Finding::fails(FAILED, words)),
                performance: None,
            },
        }
    }

    /// The object that the last line with this mark tells, behind a time.
    fn last(&self, mark: &str) -> Result<Map<String, Value>, &'static str> {
        let mut lines = self.text.lines().rev().filter(|line| line.len() <= LONGEST_LINE);
        let told = lines
            .find_map(|line| line.split_once(mark))
            .map(|(_, told)| told.trim_start())
            .ok_or("the first pod's log has no result of the benchmark")?;
        let (_, object) = told.split_once(' ').unwrap_or(("", told));
        serde_json::from_str(object).map_err(|_| "the benchmark's result in the first pod's log cannot be read")
    }

    fn performance(&self, tokens: f64) -> PerformanceStatus {
        let config = self.last("KAITO_BENCHMARK_CONFIG ").unwrap_or_default();
        let told = [
            ("durationSec", "duration_sec"),
            ("inputTokens", "input_tokens"),
            ("outputTokens", "output_tokens"),
            ("maxConcurrency", "max_concurrency"),
        ];
        let told = told
            .into_iter()
            .filter_map(|(name, field)| Some((name, text(config.get(field)?))));
        let known = [
            ("engine", Some("vllm".to_owned())),
            ("engineVersion", self.engine_version.clone()),
            ("quantization", self.quantization.clone()),
        ];
        let known = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let config = told
            .chain(known)
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let metric = Metric {
            description: "stress/high-concurrency".to_owned(),
            value: tokens.to_string(),
            unit: Some("tokens/min".to_owned()),
            config: Some(config),
        };
        PerformanceStatus {
            metrics: Some(BTreeMap::from([(PEAK.to_owned(), metric)])),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}
