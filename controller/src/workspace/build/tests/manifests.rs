//! Whole objects, as the API server would be sent them.

use std::collections::BTreeMap;

use kaito_presets::Gpus;
use serde_json::json;

use super::*;
use crate::workspace::references::gpus::gpus;
use crate::workspace::references::{ConfigReference, SecretState};
use crate::workspace::render::objects;
use crate::workspace::testing::{aws, byo, serving, settings};

fn yaml(resources: &Resources) -> String {
    objects(resources)
        .into_iter()
        .map(|mut object| {
            object.sort_all_objects();
            serde_yaml_ng::to_string(&object).unwrap()
        })
        .collect::<Vec<_>>()
        .join("---\n")
}

#[test]
fn one_gpu() {
    let fields = serving("phi-4-mini-instruct", "Standard_NV36ads_A10_v5");
    insta::assert_snapshot!(yaml(&built(&fields, &settings())));
}

#[test]
fn tensor_parallel() {
    let fields = serving("phi-4", "Standard_NV72ads_A10_v5");
    insta::assert_snapshot!(yaml(&built(&fields, &settings())));
}

#[test]
fn data_parallel_with_options_and_a_load_balancer() {
    let mut fields = serving("phi-4-mini-instruct", "Standard_NC96ads_A100_v4");
    fields["metadata"]["annotations"] = json!({
        "kaito.sh/enablelb": "true",
        "kaito.sh/performance-mode": "throughput",
    });
    fields["inference"]["config"] = json!("options");
    let resources = built_with(&fields, &settings(), |references| {
        references.config = Some(ConfigReference {
            name: "options".to_owned(),
            digest: Some("digest-of-options".to_owned()),
            text: Some("vllm:\n  max-model-len: 4096\n".to_owned()),
            problem: None,
        });
    });
    insta::assert_snapshot!(yaml(&resources));
}

#[test]
fn two_machines_with_fast_disks() {
    let fields = serving("qwen2.5-coder-32b-instruct", "Standard_NC24ads_A100_v4");
    let resources = built_with(&fields, &settings(), |references| references.nvme = true);
    insta::assert_snapshot!(yaml(&resources));
}

#[test]
fn a_gated_model_on_a_fast_disk() {
    let mut fields = serving("llama-3.1-8b-instruct", "Standard_NC24ads_A100_v4");
    fields["inference"]["preset"]["presetOptions"] = json!({"modelAccessSecret": "hf"});
    let resources = built_with(&fields, &settings(), |references| {
        references.nvme = true;
        references.token = Some(SecretState::Found);
    });
    insta::assert_snapshot!(yaml(&resources));
}

#[test]
fn transformers() {
    let mut fields = serving("phi-4", "Standard_NC24ads_A100_v4");
    fields["metadata"]["annotations"] = json!({"kaito.sh/runtime": "transformers"});
    insta::assert_snapshot!(yaml(&built(&fields, &settings())));
}

#[test]
fn adapters_from_an_image_and_a_volume() {
    let mut fields = serving("mistral-7b-instruct", "Standard_NC24ads_A100_v4");
    fields["metadata"]["annotations"] = json!({"kaito.sh/runtime": "transformers"});
    fields["inference"]["adapters"] = json!([
        {
            "source": {"name": "pets", "image": "registry.example.com/pets:1", "imagePullSecrets": ["pull"]},
            "strength": "0.5",
        },
        {
            "source": {"name": "law.v2", "volumeSource": {"persistentVolumeClaim": {"claimName": "law"}}},
            "strength": "1.0",
        },
    ]);
    insta::assert_snapshot!(yaml(&built(&fields, &settings())));
}

#[test]
fn pods_that_the_user_wrote() {
    let mut fields = serving("", "Standard_NC24ads_A100_v4");
    fields["resource"]["count"] = json!(2);
    fields["inference"] = json!({"template": {
        "metadata": {"labels": {"app.kubernetes.io/name": "mine", "kaito.sh/workspace": "not-mine"}},
        "spec": {
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]},
            ]}}},
            "containers": [{"name": "server", "image": "registry.example.com/server:1"}],
            "tolerations": [
                {"key": "mine", "operator": "Exists"},
                {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"},
            ],
        },
    }});
    insta::assert_snapshot!(yaml(&built(&fields, &settings())));
}

#[test]
fn a_slice_of_a_gpu() {
    let mut fields = serving("phi-4-mini-instruct", "");
    fields["resource"]["partition"] = json!({"mode": "mig", "profile": "3g.40gb"});
    let resources = built_with(&fields, &byo(), |references| references.placement = BTreeMap::new());
    insta::assert_snapshot!(yaml(&resources));
}

#[test]
fn some_of_the_gpus_of_a_node_that_was_brought() {
    let mut fields = serving("phi-4", "");
    fields["resource"]["partition"] = json!({"mode": "accelerator", "count": 2});
    let labels: BTreeMap<String, String> = serde_json::from_value(json!({
        "nvidia.com/gpu.product": "NVIDIA-A10",
        "nvidia.com/gpu.count": "4",
        "nvidia.com/gpu.memory": "24576",
    }))
    .unwrap();
    let resource = workspace(&fields).spec.resource.unwrap();
    let found: Gpus = gpus(&resource, Some(&labels), &byo()).unwrap();
    let resources = built_with(&fields, &byo(), |references| {
        references.placement = BTreeMap::new();
        references.gpus = Some(Ok(found));
    });
    insta::assert_snapshot!(yaml(&resources));
}

#[test]
fn on_amazons_cloud() {
    let fields = serving("gpt-oss-20b", "g6.12xlarge");
    let resources = built_with(&fields, &aws(), |references| references.nvme = true);
    insta::assert_snapshot!(yaml(&resources));
}

#[test]
fn weights_of_the_node_and_kernels_that_are_compiled() {
    let mut fields = serving("mistralai/Mistral-Small-4-119B-2603", "Standard_ND96isr_H100_v5");
    fields["metadata"]["annotations"] = json!({
        "kaito.sh/use-local-weights": "true",
        "kaito.sh/disable-benchmark": "true",
    });
    let resources = built_with(&fields, &settings(), |references| references.nvme = true);
    insta::assert_snapshot!(yaml(&resources));
}

#[test]
fn a_member_of_a_set() {
    let mut fields = serving("phi-4-mini-instruct", "Standard_NV36ads_A10_v5");
    fields["metadata"]["labels"] = json!({"inferenceset.kaito.sh/created-by": "phi", "team": "a"});
    insta::assert_snapshot!(yaml(&built(&fields, &settings())));
}
