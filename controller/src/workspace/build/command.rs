//! The command line of the program that serves a model.

mod shell;

use std::num::NonZeroU32;

use kaito_presets::RunParameters;

use super::{PORT, RAY_PORT, metadata, volumes};
use crate::workspace::workload::{PerformanceMode, Runtime, Serving, Weights, Workload};

/// The program that starts vLLM and Ray on each of several machines.
const MULTI_NODE: &str = "/workspace/vllm/multi-node-serving.sh";

/// The command of the container.
pub(super) fn command(workload: &Workload, serving: &Serving) -> Vec<String> {
    let script = match serving.runtime {
        Runtime::Vllm => {
            let program = line("python3 /workspace/vllm/inference_api.py", &vllm(serving));
            if serving.is_distributed() {
                distributed(workload, serving.nodes, &program)
            } else {
                program
            }
        }
        Runtime::Transformers => line(
            "accelerate launch --num_processes=1 --num_machines=1 --machine_rank=0 --gpu_ids=all \
             /workspace/tfs/inference_api.py",
            &transformers(serving),
        ),
    };
    in_shell(script)
}

/// A script as a command.
pub(super) fn in_shell(script: String) -> Vec<String> {
    vec!["/bin/sh".to_owned(), "-c".to_owned(), script]
}

/// Where the pod with Ray's head, the first one, is found.
pub(super) fn leader_address(workload: &Workload) -> String {
    let service = metadata::headless_name(workload);
    format!("{}-0.{service}.{}.svc.cluster.local", workload.name, workload.namespace)
}

/// The first pod leads and runs vLLM, the others lend it their GPUs.
fn distributed(workload: &Workload, nodes: NonZeroU32, program: &str) -> String {
    let leader = shell::quoted(&leader_address(workload)).into_owned();
    format!(
        "if [ \"${{POD_INDEX}}\" = \"0\" ]; then \
         {MULTI_NODE} leader --ray_cluster_size={nodes} --ray_port={RAY_PORT}; {program}; \
         else {MULTI_NODE} worker --ray_address={leader} --ray_port={RAY_PORT}; fi"
    )
}

fn line(program: &str, parameters: &RunParameters) -> String {
    parameters.iter().fold(program.to_owned(), |mut line, parameter| {
        line.push_str(" --");
        line.push_str(&shell::quoted(&parameter.name));
        if let Some(value) = &parameter.value {
            line.push('=');
            line.push_str(&shell::quoted(value));
        }
        line
    })
}

/// vLLM's parameters: the model's own, what holds for every model, where the weights are, and how it is spread.
fn vllm(serving: &Serving) -> RunParameters {
    let mut all = serving.model.vllm().clone();
    all.set("served-model-name", &serving.served_name);
    all.set("max-model-len", "auto");
    all.set("gpu-memory-utilization", serving.gpus.memory_utilisation());
    if all.find("kv-events-config").is_none() {
        all.set("kv-events-config", r#"{"enable_kv_cache_events":true}"#);
    }
    all.set("compilation-config.pass_config.fuse_allreduce_rms", "False");
    if !serving.adapters.is_empty() {
        all.set_flag("enable-lora");
    }
    match &serving.weights {
        Weights::Disk | Weights::Nvme => {
            all.set("model", serving.model.repository());
            all.set("download-dir", volumes::WEIGHTS_PATH);
        }
        Weights::Node { path } => {
            all.remove("load_format");
            all.set("load-format", "runai_streamer");
            all.set("model", path);
        }
    }
    if serving.config.is_some() {
        all.set("kaito-config-file", volumes::config_file());
    }
    match serving.performance_mode {
        Some(PerformanceMode::Interactivity) => all.set("performance-mode", "interactivity"),
        Some(PerformanceMode::Throughput) => all.set("performance-mode", "throughput"),
        None => {}
    }
    let parallelism = serving.parallelism();
    if !serving.model.allows_kv_offload() || serving.mig_profile.is_some() || !parallelism.allows_kv_offload() {
        all.set("kaito-kv-cache-cpu-memory-utilization", "0");
    }
    all.extend(parallelism.parameters());
    all
}

/// Those of the server around Transformers, which finds adapters by itself and has no file of options.
fn transformers(serving: &Serving) -> RunParameters {
    let mut all = serving.model.transformers().cloned().unwrap_or_default();
    all.set("served_model_name", &serving.served_name);
    match &serving.weights {
        Weights::Disk | Weights::Nvme => {
            all.set("pretrained_model_name_or_path", serving.model.repository());
            all.set_flag("allow_remote_files");
        }
        Weights::Node { path } => {
            all.remove("allow_remote_files");
            all.set("pretrained_model_name_or_path", path);
        }
    }
    all
}

/// The shell script that measures a model's speed, or on which pods it is not measured.
pub(super) fn benchmark(serving: &Serving) -> Vec<String> {
    const BENCHMARK: [&str; 2] = ["python3", "/workspace/vllm/benchmark_entrypoint.py"];
    if serving.is_distributed() {
        let program = BENCHMARK.join(" ");
        in_shell(format!(
            "if [ \"${{POD_INDEX}}\" = \"0\" ]; then {program}; else true; fi"
        ))
    } else {
        BENCHMARK.map(str::to_owned).to_vec()
    }
}

/// The script that says whether the pods of one model are well. `kind` is `liveness` or `readiness`.
pub(super) fn health_check(workload: &Workload, kind: &str) -> Vec<String> {
    let leader = shell::quoted(&leader_address(workload)).into_owned();
    let port = match kind {
        "liveness" => format!("--ray-port={RAY_PORT}"),
        _ => format!("--vllm-port={PORT}"),
    };
    in_shell(format!(
        "python3 /workspace/vllm/multi-node-health-check.py {kind} --leader-address={leader} {port}"
    ))
}
