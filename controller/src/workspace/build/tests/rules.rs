//! The rules behind what is built, one by one.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Command;

use k8s_openapi::api::core::v1::{Container, PodSpec, Probe};
use kaito_presets::ModelCatalogue;
use serde_json::json;

use super::*;
use crate::workspace::references::SecretState;
use crate::workspace::testing::{serving, settings};

fn pod(resources: &Resources) -> PodSpec {
    let set = resources.stateful_set.clone().unwrap();
    set.spec.unwrap().template.spec.unwrap()
}

/// The container that serves: the one that is named as the Workspace.
fn main(resources: &Resources) -> Container {
    let containers = pod(resources).containers;
    containers.into_iter().find(|one| one.name == "ws1").unwrap()
}

fn script(resources: &Resources) -> String {
    let command = main(resources).command.unwrap();
    assert_eq!(command[..2], ["/bin/sh", "-c"]);
    command[2].clone()
}

/// The parameters of a command line, in whatever order.
fn parameters(script: &str) -> BTreeSet<String> {
    let words = script.split_whitespace().filter(|word| word.starts_with("--"));
    words.map(|word| word.trim_end_matches(';').to_owned()).collect()
}

fn set(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn names(resources: &Resources) -> Vec<String> {
    main(resources)
        .env
        .unwrap_or_default()
        .into_iter()
        .map(|one| one.name)
        .collect()
}

#[test]
fn vllm_on_one_machine_gets_the_parameters_of_model_machine_and_operator() {
    let resources = built(&serving("phi-4-mini-instruct", "Standard_NV36ads_A10_v5"), &settings());
    let script = script(&resources);
    assert!(script.starts_with("python3 /workspace/vllm/inference_api.py --"));
    assert_eq!(
        parameters(&script),
        set(
            r#"--load_format=auto --config_format=auto --tokenizer_mode=auto --trust-remote-code --dtype=bfloat16
            --chat-template=/workspace/chat_templates/tool-chat-phi4-mini.jinja
            --served-model-name=phi-4-mini-instruct --max-model-len=auto --gpu-memory-utilization=0.82
            --kv-events-config='{"enable_kv_cache_events":true}'
            --compilation-config.pass_config.fuse_allreduce_rms=False
            --model=microsoft/phi-4-mini-instruct --download-dir=/workspace/weights --tensor-parallel-size=1"#
        )
    );
    assert_eq!(names(&resources), ["VLLM_USE_FLASHINFER_SAMPLER", "VLLM_USE_DEEP_GEMM"]);
    let image = main(&resources).image.unwrap();
    assert_eq!(image, "mcr.microsoft.com/aks/kaito/kaito-base:0.5.0");
}

#[test]
fn several_machines_form_a_ray_cluster_whose_first_pod_leads() {
    let fields = serving("qwen2.5-coder-32b-instruct", "Standard_NC24ads_A100_v4");
    let resources = built(&fields, &settings());
    let script = script(&resources);
    let address = "ws1-0.ws1-headless.default.svc.cluster.local";
    assert!(script.starts_with(
        r#"if [ "${POD_INDEX}" = "0" ]; then /workspace/vllm/multi-node-serving.sh leader --ray_cluster_size=2 --ray_port=6379; python3 "#
    ));
    assert!(script.ends_with(&format!(
        "; else /workspace/vllm/multi-node-serving.sh worker --ray_address={address} --ray_port=6379; fi"
    )));
    let given = parameters(&script);
    let wanted = set(
        "--pipeline-parallel-size=2 --tensor-parallel-size=1 --distributed-executor-backend=ray
        --kaito-kv-cache-cpu-memory-utilization=0 --gpu-memory-utilization=0.84 --tool-call-parser=hermes
        --enable-auto-tool-choice --chat-template=/workspace/chat_templates/tool-chat-hermes.jinja",
    );
    assert!(given.is_superset(&wanted), "{given:?}");
    assert_eq!(names(&resources).last().map(String::as_str), Some("POD_INDEX"));

    let exec = |probe: Option<Probe>| probe.unwrap().exec.unwrap().command.unwrap()[2].clone();
    let check = "python3 /workspace/vllm/multi-node-health-check.py";
    let main = main(&resources);
    assert_eq!(
        exec(main.startup_probe),
        r#"if [ "${POD_INDEX}" = "0" ]; then python3 /workspace/vllm/benchmark_entrypoint.py; else true; fi"#
    );
    assert_eq!(
        exec(main.liveness_probe),
        format!("{check} liveness --leader-address={address} --ray-port=6379")
    );
    assert_eq!(
        exec(main.readiness_probe),
        format!("{check} readiness --leader-address={address} --vllm-port=5000")
    );
}

#[test]
fn the_time_to_load_a_model_follows_from_its_size() {
    for (model, machine, attempts) in [
        ("phi-4-mini-instruct", "Standard_NV36ads_A10_v5", 180),
        ("qwen2.5-coder-32b-instruct", "Standard_NC24ads_A100_v4", 200),
        ("gpt-oss-120b", "Standard_ND96isr_H100_v5", 309),
    ] {
        let startup = main(&built(&serving(model, machine), &settings()))
            .startup_probe
            .unwrap();
        assert_eq!(startup.failure_threshold, Some(attempts), "{model}");
        assert_eq!(startup.period_seconds, Some(10));
    }
}

#[test]
fn without_the_benchmark_a_pod_is_up_when_it_answers() {
    let mut fields = serving("phi-4-mini-instruct", "Standard_NV36ads_A10_v5");
    fields["metadata"]["annotations"] = json!({"kaito.sh/disable-benchmark": "true"});
    let startup = main(&built(&fields, &settings())).startup_probe.unwrap();
    assert_eq!(startup.http_get.unwrap().path.as_deref(), Some("/health"));
    assert_eq!((startup.timeout_seconds, startup.failure_threshold), (None, Some(180)));
    fields["resource"]["count"] = json!(2);
    let startup = main(&built(&fields, &settings())).startup_probe.unwrap();
    assert!(startup.exec.unwrap().command.unwrap()[2].contains("multi-node-health-check.py readiness"));
}

#[test]
fn a_container_of_the_workspaces_name_is_the_one_that_serves() {
    let mut fields = serving("phi-4-mini-instruct", "Standard_NV36ads_A10_v5");
    fields["metadata"]["name"] = json!("puller-pets");
    fields["inference"]["adapters"] = json!([{"source": {"name": "pets", "image": "registry.example.com/pets:1"}}]);
    let resources = built(&fields, &settings());
    let pod = pod(&resources);
    let puller = &pod.init_containers.unwrap()[0].name;
    assert_eq!(pod.containers[0].name, "puller-pets");
    assert!(puller.starts_with("puller-pets-") && puller.len() <= 63, "{puller}");
}

#[test]
fn names_of_adapters_do_not_clash_with_each_other_or_with_our_volumes() {
    let mut fields = serving("phi-4-mini-instruct", "Standard_NV36ads_A10_v5");
    let long = "x".repeat(120);
    let adapters = ["a.b", "a-b", "pets", &long].map(|name| {
        let volume = json!({"persistentVolumeClaim": {"claimName": "adapters"}});
        json!({"source": {"name": name, "volumeSource": volume}})
    });
    let images = ["dshm", "c.d", "c-d"].map(|name| {
        let image = "registry.example.com/data:1";
        json!({"source": {"name": name, "image": image, "imagePullSecrets": ["pull"]}})
    });
    fields["inference"]["adapters"] = json!([&adapters[..], &images[..]].concat());
    let resources = built(&fields, &settings());
    let pod = pod(&resources);
    let volumes: Vec<_> = pod.volumes.unwrap().into_iter().map(|volume| volume.name).collect();
    let different: BTreeSet<_> = volumes.iter().collect();
    assert_eq!(different.len(), volumes.len(), "{volumes:?}");
    assert!(volumes.iter().all(|name| name.len() <= 63 && !name.contains('.')));
    let main = &pod.containers[0];
    let mounts = main.volume_mounts.clone().unwrap();
    assert!(mounts.iter().all(|mount| volumes.contains(&mount.name)), "{mounts:?}");
    let paths: BTreeSet<_> = mounts.iter().map(|mount| mount.mount_path.as_str()).collect();
    assert_eq!(paths.len(), mounts.len());
    assert!(paths.contains("/mnt/adapter/a.b") && paths.contains("/mnt/adapter"));
    let init: BTreeSet<_> = pod.init_containers.unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(init.len(), 3);
    assert_eq!(pod.image_pull_secrets.unwrap().len(), 1, "a Secret is named once");
    let with_adapters = script(&resources);
    assert!(parameters(&with_adapters).contains("--enable-lora"));
}

#[test]
fn spot_machines_are_tolerated_on_azure_only() {
    let keys = |settings: &Settings, machine| {
        let pod = pod(&built(&serving("phi-4-mini-instruct", machine), settings));
        let keys = pod.tolerations.unwrap().into_iter().filter_map(|one| one.key);
        keys.collect::<Vec<_>>()
    };
    let spot = "kubernetes.azure.com/scalesetpriority";
    assert_eq!(
        keys(&settings(), "Standard_NV36ads_A10_v5"),
        ["nvidia.com/gpu", "sku", spot]
    );
    assert_eq!(
        keys(&crate::workspace::testing::aws(), "g6.xlarge"),
        ["nvidia.com/gpu", "sku"]
    );
}

#[test]
fn only_the_model_is_let_in_from_outside_and_only_vllm_has_cache_events() {
    let ports = |fields: &Value| {
        let services = built(fields, &settings()).services;
        let ports = services[0].spec.clone().unwrap().ports.unwrap();
        ports.into_iter().filter_map(|port| port.name).collect::<Vec<_>>()
    };
    let mut fields = serving("phi-4", "Standard_NC24ads_A100_v4");
    assert_eq!(ports(&fields), ["http", "ray", "dashboard", "kv-events"]);
    fields["metadata"]["annotations"] = json!({"kaito.sh/enablelb": "True"});
    assert_eq!(ports(&fields), ["http"]);
    fields["metadata"]["annotations"] = json!({"kaito.sh/runtime": "transformers"});
    assert_eq!(ports(&fields), ["http", "ray", "dashboard"]);
}

#[test]
fn a_new_revision_alone_does_not_restart_pods() {
    let workspace = workspace(&serving("phi-4-mini-instruct", "Standard_NV36ads_A10_v5"));
    let references = references(&workspace, &settings());
    let template = |revision| {
        let workload = validate(&workspace, &references, revision, &settings()).unwrap();
        let set = build(&workload).stateful_set.unwrap();
        (set.metadata.annotations.unwrap(), set.spec.unwrap().template)
    };
    let (first, second) = (template(1), template(2));
    assert_eq!(first.1, second.1);
    assert_eq!(first.0["workspace.kaito.io/revision"], "1");
    assert_ne!(first.0, second.0);
}

#[test]
fn what_cannot_be_changed_is_found_and_what_the_api_server_adds_is_not() {
    let fields = serving("phi-4-mini-instruct", "Standard_NC24ads_A100_v4");
    let desired = built_with(&fields, &settings(), |references| references.nvme = true)
        .stateful_set
        .unwrap();
    let mut live = desired.clone();
    let spec = live.spec.as_mut().unwrap();
    let claim = &mut spec.volume_claim_templates.as_mut().unwrap()[0];
    claim.spec.as_mut().unwrap().volume_mode = Some("Filesystem".to_owned());
    claim.status = Some(k8s_openapi::api::core::v1::PersistentVolumeClaimStatus::default());
    spec.replicas = Some(7);
    assert_eq!(recreate::must_be_recreated(&live, &desired), None);

    let changed = |change: fn(&mut k8s_openapi::api::apps::v1::StatefulSetSpec)| {
        let mut live = live.clone();
        change(live.spec.as_mut().unwrap());
        recreate::must_be_recreated(&live, &desired)
    };
    assert_eq!(changed(|spec| spec.service_name = None), Some("serviceName"));
    assert_eq!(
        changed(|spec| spec.pod_management_policy = None),
        Some("podManagementPolicy")
    );
    assert_eq!(changed(|spec| spec.selector.match_labels = None), Some("selector"));
    assert_eq!(
        changed(|spec| spec.volume_claim_templates = None),
        Some("volumeClaimTemplates")
    );
}

#[test]
fn models_whose_kernels_are_compiled_get_the_toolkit_and_others_do_not() {
    for (model, deep_gemm, toolkit) in [
        ("deepseek-ai/DeepSeek-V3.2", "1", true),
        ("mistralai/Mistral-Small-4-119B-2603", "0", true),
        ("openai/gpt-oss-120b", "0", false),
    ] {
        let resources = built(&serving(model, "Standard_ND96isr_H200_v5"), &settings());
        let environment = main(&resources).env.unwrap();
        let value = |name: &str| environment.iter().find(|one| one.name == name)?.value.clone();
        assert_eq!(value("VLLM_USE_DEEP_GEMM").as_deref(), Some(deep_gemm), "{model}");
        let home = toolkit.then_some("/opt/kaito/cuda/129");
        assert_eq!(value("CUDA_HOME").as_deref(), home, "{model}");
        let pod = pod(&resources);
        let volumes: Vec<_> = pod
            .volumes
            .iter()
            .flatten()
            .filter_map(|one| one.host_path.clone())
            .collect();
        assert_eq!(volumes.first().map(|one| one.path.as_str()), home, "{model}");
        let provisioner = pod.init_containers.unwrap_or_default().into_iter().next();
        assert_eq!(
            provisioner.is_some_and(|one| one.name == "cuda-toolkit-provisioner"),
            toolkit,
            "{model}"
        );
    }
}

/// Of every model on every machine type that can serve it.
#[test]
fn every_command_line_is_one_that_a_shell_can_read() {
    let mut built_pairs = 0;
    let mut scripts = BTreeSet::new();
    for settings in [settings(), crate::workspace::testing::aws()] {
        for model in ModelCatalogue::builtin().models() {
            for machine in crate::presets::catalogue(settings.cloud).names() {
                let mut fields = serving(model.facts().id.as_str(), machine);
                fields["inference"]["preset"]["presetOptions"] = json!({"modelAccessSecret": "hf"});
                let workspace = workspace(&fields);
                let mut references = references(&workspace, &settings);
                references.token = Some(SecretState::Found);
                let Ok(workload) = validate(&workspace, &references, 1, &settings) else {
                    continue;
                };
                scripts.insert(script(&build(&workload)));
                built_pairs += 1;
            }
        }
    }
    assert!(built_pairs > 1000, "{built_pairs} pairs only");
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for script in scripts {
        writeln!(file, "{script}").unwrap();
    }
    let checked = Command::new("/bin/sh").arg("-n").arg(file.path()).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
