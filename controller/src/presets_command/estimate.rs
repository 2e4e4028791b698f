//! `presets estimate`: what would run on which machines, and why.

use std::fmt::Write;

use kaito_presets::{
    ByteSize, Estimate, GpuRoom, InstanceType, InstanceTypes, Model, Parallelism, ServingRuntime, Sizing, size,
    smallest_that_fit,
};
use serde::{Serialize, Serializer};

use super::arguments::{EstimateArguments, Output, PlannedRuntime};
use super::models::json;
use super::table::columns;
use super::{Answer, Question};

/// The answer, as programs read it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EstimateView<'asked> {
    model: &'asked str,
    instance_type: &'asked str,
    cloud: &'static str,
    runtime: &'static str,
    context_tokens: u64,
    gpu_model: &'asked str,
    gpus_per_node: u32,
    requested_nodes: u32,
    /// Whether it can be served.
    fits: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    plan: Option<Plan>,
    /// Why it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The smallest machines of the cloud of which one is enough.
    fits_on_one_node: Vec<&'asked str>,
    warnings: Vec<String>,
}

/// What would run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    nodes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallelism: Option<Spread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
    #[serde(serialize_with = "bytes")]
    weight_files_bytes: ByteSize,
    #[serde(serialize_with = "bytes")]
    disk_bytes: ByteSize,
    parameters: String,
}

#[derive(Serialize)]
struct Spread {
    tensor: u32,
    pipeline: u32,
    data: u32,
    reason: String,
}

/// How the memory of each GPU is divided, and what follows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    #[serde(serialize_with = "bytes")]
    total_bytes: ByteSize,
    #[serde(serialize_with = "bytes")]
    available_bytes: ByteSize,
    #[serde(serialize_with = "bytes")]
    vllm_bytes: ByteSize,
    #[serde(serialize_with = "bytes")]
    cache_bytes: ByteSize,
    #[serde(serialize_with = "bytes")]
    room_for_weights_bytes: ByteSize,
    #[serde(serialize_with = "bytes")]
    loaded_weights_bytes: ByteSize,
    minimum_gpus: u64,
    minimum_nodes: u32,
}

/// Answers.
pub(super) fn estimate(model: &Model, arguments: &EstimateArguments) -> Result<Answer, Question> {
    let types = InstanceTypes::of(arguments.cloud.into());
    let machine = types
        .find(&arguments.instance_type)
        .ok_or_else(|| Question::UnknownInstanceType {
            name: arguments.instance_type.clone(),
            cloud: arguments.cloud.as_str(),
            known: types.names().collect::<Vec<_>>().join(", "),
        })?;
    let id = &model.facts().id;
    let context_tokens = arguments.context.get();
    if context_tokens > model.token_limit() {
        return Err(Question::ContextTooLong {
            id: id.clone(),
            limit: model.token_limit(),
        });
    }
    let runtime = ServingRuntime::from(arguments.runtime);
    if runtime == ServingRuntime::Transformers && model.transformers().is_none() {
        return Err(Question::NoTransformers { id: id.clone() });
    }
    let sized = size(model, runtime, &machine.gpus(), arguments.count, context_tokens);
    let alone = smallest_that_fit(model, runtime, types, context_tokens);
    let reason = sized.as_ref().err().map(ToString::to_string);
    let view = EstimateView {
        model: id.as_str(),
        instance_type: &machine.name,
        cloud: arguments.cloud.as_str(),
        runtime: match arguments.runtime {
            PlannedRuntime::Vllm => "vllm",
            PlannedRuntime::Transformers => "transformers",
        },
        context_tokens,
        gpu_model: &machine.gpu_model,
        gpus_per_node: machine.gpu_count.get(),
        requested_nodes: arguments.count.get(),
        fits: sized.is_ok(),
        plan: sized.ok().map(|sizing| plan(model, machine, &sizing)),
        reason,
        fits_on_one_node: alone.iter().map(|machine| machine.name.as_str()).collect(),
        warnings: warnings(model, machine),
    };
    Ok(Answer {
        fits: view.fits,
        text: match arguments.output {
            Output::Text => view.text(model, machine),
            Output::Json => json(&view),
        },
    })
}

fn plan(model: &Model, machine: &InstanceType, sizing: &Sizing) -> Plan {
    let mut parameters = match (&sizing.plan, model.transformers()) {
        (None, Some(parameters)) => parameters.clone(),
        _ => model.vllm().clone(),
    };
    if let Some(plan) = &sizing.plan {
        parameters.set("gpu-memory-utilization", machine.gpus().memory_utilisation());
        parameters.extend(plan.parallelism.parameters());
    }
    Plan {
        nodes: sizing.nodes.get(),
        parallelism: sizing.plan.as_ref().map(|plan| {
            let (tensor, pipeline, data) = match plan.parallelism {
                Parallelism::Data { copies } => (1, 1, copies.get()),
                Parallelism::Tensor { gpus } => (gpus.get(), 1, 1),
                Parallelism::Pipeline { gpus, nodes } => (gpus.get(), nodes.get(), 1),
            };
            Spread {
                tensor,
                pipeline,
                data,
                reason: plan.to_string(),
            }
        }),
        memory: sizing.estimate.as_ref().map(Memory::of),
        weight_files_bytes: model.weights(),
        disk_bytes: model.disk_request(),
        parameters: parameters.to_string(),
    }
}

impl Memory {
    fn of(estimate: &Estimate) -> Self {
        let GpuRoom {
            memory,
            available,
            overhead,
            cache,
            weights,
        } = estimate.room;
        Self {
            total_bytes: memory,
            available_bytes: available,
            vllm_bytes: overhead,
            cache_bytes: cache,
            room_for_weights_bytes: weights,
            loaded_weights_bytes: estimate.loaded_weights,
            minimum_gpus: estimate.minimum_gpus,
            minimum_nodes: estimate.nodes.get(),
        }
    }
}

fn warnings(model: &Model, machine: &InstanceType) -> Vec<String> {
    let mut warnings = Vec::new();
    if !machine.has_nvidia_gpus() {
        warnings.push(format!(
            "{} has no GPUs of NVIDIA: pods ask for nvidia.com/gpu and find none",
            machine.name
        ));
    }
    if model.needs_token() {
        warnings.push(
            "the download needs a token: name a Secret with the key HF_TOKEN in presetOptions.modelAccessSecret"
                .to_owned(),
        );
    }
    if model.kv_bytes_per_token() == 0 {
        warnings.push("config.json does not say how large the cache is; it is left out of account".to_owned());
    }
    warnings
}

impl EstimateView<'_> {
    fn text(&self, model: &Model, machine: &InstanceType) -> String {
        let mut text = format!(
            "{} on {} ({}): {} x {}, {} together\nserved by {}",
            self.model,
            self.instance_type,
            self.cloud,
            self.gpus_per_node,
            self.gpu_model,
            machine.gpu_memory,
            self.runtime
        );
        // Transformers keeps no room for a context.
        if self.runtime == "vllm" {
            let _ = write!(text, ", with a context of {} tokens", self.context_tokens);
        }
        text.push('\n');
        match &self.plan {
            Some(plan) => text.push_str(&self.planned(plan, model)),
            None => {
                let _ = write!(
                    text,
                    "\nIt does not fit\n  {}\n",
                    self.reason.as_deref().unwrap_or_default()
                );
            }
        }
        let needs_several = self
            .plan
            .as_ref()
            .is_none_or(|plan| plan.memory.as_ref().is_some_and(|memory| memory.minimum_nodes > 1));
        if needs_several {
            let types = if self.fits_on_one_node.is_empty() {
                format!("no instance type of {}", self.cloud)
            } else {
                self.fits_on_one_node.join(", ")
            };
            let _ = write!(text, "\nThe smallest of which one is enough\n  {types}\n");
        }
        for warning in &self.warnings {
            let _ = write!(text, "\nNote: {warning}\n");
        }
        text
    }

    fn planned(&self, plan: &Plan, model: &Model) -> String {
        let mut text = String::new();
        if let Some(memory) = &plan.memory {
            text.push_str("\nMemory of each GPU\n");
            text.push_str(&columns(&[
                row("total", memory.total_bytes, ""),
                row("available", memory.available_bytes, "84 % of it"),
                row("vLLM itself", memory.vllm_bytes, ""),
                row(
                    "cache",
                    memory.cache_bytes,
                    &format!(
                        "{} tokens x {} bytes / {} GPU(s)",
                        self.context_tokens,
                        model.kv_bytes_per_token(),
                        self.gpus_per_node
                    ),
                ),
                row(
                    "room for weights",
                    memory.room_for_weights_bytes,
                    "what is left, / 1.05",
                ),
            ]));
            text.push_str("\nWeights\n");
            text.push_str(&columns(&[
                row("files", plan.weight_files_bytes, ""),
                row("loaded", memory.loaded_weights_bytes, "2 % more"),
                [
                    "  GPUs needed".to_owned(),
                    memory.minimum_gpus.to_string(),
                    format!("and {} node(s) for them", memory.minimum_nodes),
                ],
            ]));
        } else {
            text.push_str("\nWeights\n");
            text.push_str(&columns(&[row(
                "files",
                plan.weight_files_bytes,
                "each node has a whole copy on its GPUs",
            )]));
        }
        text.push_str("\nWhat runs\n");
        let mut rows = vec![
            [
                "  nodes".to_owned(),
                format!("{} ({} asked for)", plan.nodes, self.requested_nodes),
            ],
            ["  GPUs per node".to_owned(), self.gpus_per_node.to_string()],
        ];
        if let Some(spread) = &plan.parallelism {
            let Spread {
                tensor,
                pipeline,
                data,
                reason,
            } = spread;
            rows.push([
                "  parallelism".to_owned(),
                format!("tensor {tensor} x pipeline {pipeline} x data {data}"),
            ]);
            rows.push([String::new(), reason.clone()]);
        }
        rows.push(["  disk".to_owned(), format!("{} per node", plan.disk_bytes.quantity())]);
        rows.push(["  parameters".to_owned(), plan.parameters.clone()]);
        text.push_str(&columns(&rows));
        text
    }
}

fn row(name: &str, size: ByteSize, why: &str) -> [String; 3] {
    [format!("  {name}"), size.to_string(), why.to_owned()]
}

fn bytes<S: Serializer>(size: &ByteSize, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(size.bytes())
}
