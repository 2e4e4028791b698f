use serde_json::{Value, json};

use super::*;
use crate::workspace::references::tuning::{TrainingReference, TrainingSource};
use crate::workspace::references::{ConfigReference, SecretState};
use crate::workspace::testing::{byo, references, serving, settings, workspace};
use crate::workspace::workload::{Serving, Weights};

const A10: &str = "Standard_NV36ads_A10_v5";
const A100: &str = "Standard_NC24ads_A100_v4";

fn checked(fields: &Value, adjust: impl FnOnce(&mut References)) -> Result<Workload, InvalidWorkspace> {
    let workspace = workspace(fields);
    let mut references = references(&workspace, &settings());
    adjust(&mut references);
    validate(&workspace, &references, 1, &settings())
}

fn refused(fields: &Value) -> String {
    checked(fields, |_| {}).unwrap_err().to_string()
}

fn served(fields: &Value, adjust: impl FnOnce(&mut References)) -> Serving {
    match checked(fields, adjust).unwrap().task {
        Task::Preset(serving) => *serving,
        other => panic!("{other:?}"),
    }
}

fn nodes(fields: &Value) -> u32 {
    served(fields, |_| {}).nodes.get()
}

fn options(text: &str) -> Option<ConfigReference> {
    Some(ConfigReference {
        name: "options".to_owned(),
        digest: Some("digest".to_owned()),
        text: Some(text.to_owned()),
        problem: None,
    })
}

#[test]
fn each_refusal_says_what_can_be_done() {
    let with = |path: &str, value: Value| {
        let mut fields = serving("phi-4-mini-instruct", A10);
        *fields.pointer_mut(path).unwrap() = value;
        fields
    };
    let metadata = |name: &str| {
        let mut fields = serving("phi-4-mini-instruct", A10);
        fields["metadata"]["name"] = json!(name);
        fields
    };
    let template = |template: Value| with("/inference", json!({"template": template}));
    let annotated = |preset: &str, name: &str, value: &str| {
        let mut fields = serving(preset, A100);
        fields["metadata"]["annotations"][name] = json!(value);
        fields
    };
    for (fields, words) in [
        (metadata("my.ws"), "at most 52"),
        (metadata("1st"), "begins with a letter"),
        (metadata(&"x".repeat(53)), "at most 52"),
        (with("/inference", Value::Null), "exactly one of inference and tuning"),
        (with("/inference", json!({})), "inference.preset and inference.template"),
        (with("/inference/preset/name", json!("phi-2")), "choose another one"),
        (with("/inference/preset/name", json!("foo")), "no preset \"foo\""),
        (
            with("/inference/preset/name", json!("some/model")),
            "make a ConfigMap with its config.json and weights",
        ),
        (
            with("/inference/preset/name", json!("llama-3.1-8b-instruct")),
            "modelAccessSecret",
        ),
        (
            with("/resource/instanceType", json!("Standard_D8s_v5")),
            "use another type",
        ),
        (with("/resource/instanceType", Value::Null), "set resource.instanceType"),
        (
            annotated("phi-4-mini-instruct", "kaito.sh/runtime", "transformers"),
            "kaito.sh/runtime",
        ),
        (template(json!({})), "no containers"),
        (
            template(json!({"spec": {"containers": 1}})),
            "inference.template cannot be used",
        ),
        (
            template(json!({"spec": {"containers": [{"name": "a"}], "restartPolicy": "Never"}})),
            "must be Always",
        ),
    ] {
        let refusal = refused(&fields);
        assert!(refusal.contains(words), "{refusal:?} does not contain {words:?}");
        assert!(!refusal.ends_with('.'), "{refusal}");
    }
}

#[test]
fn adapters_are_checked_one_by_one() {
    let image = json!({"source": {"name": "pets", "image": "registry.example.com/pets:1"}});
    let with = |more: Value| {
        let mut adapter = image.clone();
        for (key, value) in more.as_object().unwrap() {
            adapter["source"][key] = value.clone();
        }
        json!([adapter])
    };
    let strength = |strength: &str| {
        let mut adapter = image.clone();
        adapter["strength"] = json!(strength);
        json!([adapter])
    };
    let claim = json!({"persistentVolumeClaim": {"claimName": "pets"}});
    for (runtime, adapters, words) in [
        ("vllm", Value::Array(vec![image.clone(); 11]), "at most 10"),
        ("vllm", json!([{}]), "no source"),
        ("vllm", with(json!({"name": "Pets"})), "lower-case"),
        ("vllm", with(json!({"name": "../pets"})), "lower-case"),
        ("vllm", with(json!({"name": ""})), "lower-case"),
        ("vllm", Value::Array(vec![image.clone(); 2]), "two adapters"),
        ("vllm", with(json!({"volumeSource": claim})), "exactly one"),
        ("vllm", with(json!({"urls": ["http://example.com/a"]})), "exactly one"),
        ("vllm", with(json!({"image": null})), "exactly one"),
        ("vllm", with(json!({"image": null, "volumeSource": {}})), "of no kind"),
        (
            "vllm",
            with(json!({"image": null, "volumeSource": {"nfs": 1}})),
            "cannot be used",
        ),
        ("vllm", strength("0.5"), "does not support adapter strength"),
        ("transformers", strength("1.5"), "from \"0.0\" to \"1.0\""),
        ("transformers", strength("NaN"), "from \"0.0\" to \"1.0\""),
    ] {
        let mut fields = serving("phi-4", A100);
        fields["metadata"]["annotations"] = json!({"kaito.sh/runtime": runtime});
        fields["inference"]["adapters"] = adapters;
        let refusal = refused(&fields);
        assert!(refusal.contains(words), "{refusal:?} does not contain {words:?}");
    }
}

#[test]
fn the_number_of_machines_is_what_the_model_needs_or_more_and_is_kept() {
    let mut fields = serving("qwen2.5-coder-32b-instruct", A100);
    assert_eq!(nodes(&fields), 2);
    fields["resource"]["count"] = json!(3);
    assert_eq!(nodes(&fields), 3);
    fields["status"] = json!({"targetNodeCount": 2});
    assert_eq!(nodes(&fields), 2);
    fields["status"] = json!({"targetNodeCount": 0});
    assert_eq!(nodes(&fields), 3);
}

#[test]
fn a_longer_context_takes_more_machines_and_too_long_a_one_is_refused() {
    let fields = serving("phi-4-mini-instruct", A10);
    let with = |text: &str| checked(&fields, |references| references.config = options(text));
    let count = |text: &str| match with(text).unwrap().task {
        Task::Preset(serving) => (serving.nodes.get(), serving.config.unwrap().max_model_len),
        other => panic!("{other:?}"),
    };
    assert_eq!(count("kv_cache_cpu_memory_utilization: 0.5"), (1, None));
    assert_eq!(count("vllm: {max-model-len: 4096}"), (1, Some(4096)));
    assert_eq!(
        count("vllm:\n  # max-model-len: 1\n  max-model-len: '100000'\n"),
        (2, Some(100_000))
    );
    let refusal = with("vllm: {max-model-len: 200000}").unwrap_err().to_string();
    assert!(refusal.contains("131072"), "{refusal}");
    let refusal = with("vllm: [").unwrap_err().to_string();
    assert!(refusal.contains("options") && refusal.contains("YAML"), "{refusal}");
    assert_eq!(count("vllm: {max-model-len: 131072}"), (5, Some(131_072)));
}

#[test]
fn options_that_cannot_be_read_hold_up_only_what_has_not_begun() {
    let mut fields = serving("phi-4-mini-instruct", A10);
    let missing = |references: &mut References| {
        references.config = Some(ConfigReference {
            name: "options".to_owned(),
            digest: Some("digest of before".to_owned()),
            text: None,
            problem: Some("it does not exist; make it".to_owned()),
        });
    };
    let refusal = checked(&fields, missing).unwrap_err().to_string();
    assert!(refusal.contains("options") && refusal.contains("make it"), "{refusal}");
    fields["status"] = json!({"targetNodeCount": 1});
    let workload = checked(&fields, missing).unwrap();
    assert_eq!(workload.inputs["inference-config"], "digest of before");
}

#[test]
fn a_gated_model_waits_for_its_token() {
    let mut fields = serving("llama-3.1-8b-instruct", A100);
    fields["inference"]["preset"]["presetOptions"] = json!({"modelAccessSecret": "hf"});
    let with = |fields: &Value, state: Option<SecretState>| checked(fields, |references| references.token = state);
    for (state, words) in [
        (None, "make it"),
        (Some(SecretState::Missing), "make it"),
        (Some(SecretState::WithoutKey), "HF_TOKEN"),
    ] {
        let refusal = with(&fields, state).unwrap_err().to_string();
        assert!(refusal.contains(words), "{refusal}");
    }
    assert!(with(&fields, Some(SecretState::Found)).is_ok());
    fields["status"] = json!({"targetNodeCount": 1});
    assert!(
        with(&fields, Some(SecretState::Missing)).is_ok(),
        "its pods have downloaded it"
    );
}

#[test]
fn a_model_that_is_too_large_is_refused_unless_nobody_is_to_check() {
    let mut fields = serving("qwen2.5-coder-32b-instruct", A10);
    fields["metadata"]["annotations"] = json!({"kaito.sh/runtime": "transformers"});
    assert!(refused(&fields).contains("61.03 GiB"), "{}", refused(&fields));
    fields["metadata"]["annotations"]["kaito.sh/bypass-resource-checks"] = json!("");
    assert_eq!(nodes(&fields), 1);
}

#[test]
fn weights_are_on_the_node_or_its_fast_disk_or_its_ordinary_one() {
    let mut fields = serving("microsoft/Phi-4-mini-instruct", A10);
    assert_eq!(served(&fields, |_| {}).weights, Weights::Disk);
    assert_eq!(
        served(&fields, |references| references.nvme = true).weights,
        Weights::Nvme
    );
    fields["metadata"]["annotations"] = json!({"kaito.sh/use-local-weights": "true"});
    let path = "/opt/kaito/models/microsoft-phi-4-mini-instruct".to_owned();
    assert_eq!(
        served(&fields, |references| references.nvme = true).weights,
        Weights::Node { path }
    );
    fields["metadata"]["annotations"] = json!({"kaito.sh/use-local-weights": "false"});
    assert_eq!(served(&fields, |_| {}).weights, Weights::Disk);
}

#[test]
fn a_set_is_asked_by_its_own_name() {
    let mut fields = serving("phi-4-mini-instruct", A10);
    fields["metadata"]["labels"] = json!({"inferenceset.kaito.sh/created-by": "phi"});
    assert_eq!(served(&fields, |_| {}).served_name, "phi");
    fields["metadata"]["labels"]["multiroleinference.kaito.sh/created-by"] = json!("roles");
    assert_eq!(served(&fields, |_| {}).served_name, "phi-4-mini-instruct");
}

#[test]
fn vllm_can_be_switched_off() {
    let mut without = settings();
    without.feature_gates.vllm = false;
    let workspace = workspace(&serving("phi-4", A100));
    let references = references(&workspace, &without);
    let Task::Preset(serving) = validate(&workspace, &references, 1, &without).unwrap().task else {
        panic!("it is a preset");
    };
    assert!(!serving.benchmark && !serving.is_distributed());
}

#[test]
fn nodes_that_users_bring_are_known_by_the_users_labels_alone() {
    let mut fields = serving("phi-4-mini-instruct", "");
    fields["resource"]["partition"] = json!({"mode": "mig", "profile": "3g.40gb"});
    fields["resource"]["labelSelector"]["matchLabels"]["kaito.sh/workspace"] = json!("reserved");
    let workspace = workspace(&fields);
    let mut references = references(&workspace, &byo());
    references.placement = BTreeMap::new();
    let workload = validate(&workspace, &references, 1, &byo()).unwrap();
    assert_eq!(
        workload.placement.node_labels,
        BTreeMap::from([("apps".to_owned(), "phi".to_owned())])
    );
}

#[test]
fn a_tuning_is_checked_with_what_it_refers_to() {
    let fields = json!({
        "metadata": {"name": "x".repeat(60)},
        "resource": {"instanceType": A100, "labelSelector": {"matchLabels": {"apps": "tuning"}}},
        "tuning": {
            "preset": {"name": "phi-3-mini-128k-instruct"},
            "method": "LoRA",
            "input": {"name": "pets", "urls": ["https://example.com/pets.json"]},
            "output": {"volumeSource": {"persistentVolumeClaim": {"claimName": "results"}}},
        },
    });
    let text = "training_config:\n  TrainingArguments:\n    output_dir: results\n";
    let refusal = refused(&fields);
    assert!(refusal.contains("\"lora-params-template\""), "{refusal}");
    assert!(refusal.contains("none in namespace \"kaito-ragengine\""), "{refusal}");
    let workload = checked(&fields, |references| {
        references.training_config = Some(TrainingReference {
            source: TrainingSource::Named("options".to_owned()),
            text: Some(text.to_owned()),
            problem: None,
        });
    })
    .unwrap();
    let resources = crate::workspace::build::build(&workload);
    assert!(resources.job.is_some() && resources.services.is_empty() && resources.stateful_set.is_none());
}
