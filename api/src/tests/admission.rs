//! What the webhook refuses.

mod config_maps;
mod load;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::admission::{
    Cloud, Environment, GuardrailsPolicy, InstanceTypes, Lookup, Preset, PresetFacts, is_hugging_face_id,
    validate_inference_set, validate_ragengine, validate_workspace,
};
use crate::cases::{Guard, Verdict, all};
use crate::conversion::convert;
use crate::v1beta1::{InferenceSet, RAGEngine, Workspace};

fn names(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|&name| name.to_owned()).collect()
}

/// As the chart starts the controller.
fn environment() -> Environment {
    Environment {
        instance_types: InstanceTypes {
            cloud: Cloud::Azure,
            names: names(&["Standard_NC24ads_A100_v4", "Standard_NV36ads_A10_v5"]),
        },
        node_auto_provisioning: true,
        node_classes: None,
        vllm: true,
        mig: false,
        accelerator: false,
    }
}

fn own_nodes() -> Environment {
    Environment {
        node_auto_provisioning: false,
        ..environment()
    }
}

const FACTS: PresetFacts = PresetFacts {
    download_at_runtime: true,
    needs_token: false,
    transformers: true,
    adapters: true,
    tunable: true,
    token_limit: Some(4096),
};

fn catalogue(name: &str) -> Preset {
    match name {
        "phi-2" => Preset::Deprecated,
        "gated" => Preset::Known(PresetFacts {
            needs_token: true,
            ..FACTS
        }),
        "baked" => Preset::Known(PresetFacts {
            download_at_runtime: false,
            ..FACTS
        }),
        "plain" => Preset::Known(PresetFacts {
            transformers: false,
            adapters: false,
            tunable: false,
            ..FACTS
        }),
        "phi-4" | "phi-4-mini-instruct" | "phi-3-mini-128k-instruct" => Preset::Known(FACTS),
        name if is_hugging_face_id(name) => Preset::Known(FACTS),
        _ => Preset::Unknown,
    }
}

fn workspace(object: &Value) -> Workspace {
    let mut complete = json!({"metadata": {"name": "w"}});
    for (name, value) in object.as_object().unwrap() {
        complete[name] = value.clone();
    }
    serde_json::from_value(complete).unwrap()
}

fn ask(new: &Value, old: Option<&Value>, environment: &Environment) -> Vec<String> {
    let new = workspace(new);
    let old = old.map(workspace);
    let inference = new
        .spec
        .inference
        .as_ref()
        .and_then(|inference| inference.preset.as_ref());
    let tuning = new.spec.tuning.as_ref().and_then(|tuning| tuning.preset.as_ref());
    let preset = inference.or(tuning).map(|preset| catalogue(&preset.name));
    let errors = validate_workspace(&new, old.as_ref(), preset.as_ref(), environment);
    errors.iter().map(ToString::to_string).collect()
}

fn expect(new: &Value, old: Option<&Value>, environment: &Environment, fragment: Option<&str>) {
    let said = ask(new, old, environment);
    let right = match fragment {
        None => said.is_empty(),
        Some(fragment) => said.iter().any(|one| one.contains(fragment)),
    };
    assert!(right, "{new}\nexpected {fragment:?}, not {said:?}");
}

#[test]
fn cases_of_the_webhook_are_decided_as_they_say() {
    for case in all().unwrap().into_iter().filter(|case| case.guard == Guard::Webhook) {
        let object = |object: &Value| convert(object.clone(), "kaito.sh/v1beta1").unwrap();
        let new = object(&case.object);
        let old = case.old.as_ref().map(object);
        let said: Vec<String> = match case.kind.as_str() {
            "Workspace" => ask(&new, old.as_ref(), &environment()),
            // That the named ConfigMap is looked for is shown with the webhook.
            "InferenceSet" if case.rule == "options-found" => continue,
            "InferenceSet" => {
                let set: InferenceSet = serde_json::from_value(new).unwrap();
                let old: Option<InferenceSet> = old.map(|old| serde_json::from_value(old).unwrap());
                let preset = set.spec.template.inference.preset.as_ref();
                let preset = preset.map(|preset| catalogue(&preset.name));
                let errors = validate_inference_set(&set, old.as_ref(), preset.as_ref(), &environment());
                errors.iter().map(ToString::to_string).collect()
            }
            _ => {
                let engine: RAGEngine = serde_json::from_value(new).unwrap();
                let old: Option<RAGEngine> = old.map(|old| serde_json::from_value(old).unwrap());
                let policy = GuardrailsPolicy::of(&engine, "kaito-ragengine").and_then(|policy| {
                    policy.check(&if policy.is_default {
                        Lookup::Found(vec!["guardrails.yaml".to_owned()])
                    } else {
                        Lookup::Missing
                    })
                });
                validate_ragengine(&engine, old.as_ref(), &environment())
                    .into_iter()
                    .chain(policy)
                    .map(|error| error.to_string())
                    .collect()
            }
        };
        match &case.verdict {
            Verdict::Reject(message) => {
                assert!(said.iter().any(|one| one.contains(message)), "{}: {said:?}", case.rule);
            }
            Verdict::Accept => assert!(said.is_empty(), "{}: {said:?}", case.rule),
        }
    }
}

fn model(instance_type: &str) -> Value {
    json!({
        "resource": {"instanceType": instance_type, "labelSelector": {}},
        "inference": {"preset": {"name": "phi-4"}},
    })
}

#[test]
fn machine_types_where_machines_are_made() {
    let a100 = model("Standard_NC24ads_A100_v4");
    let aws = Environment {
        instance_types: InstanceTypes {
            cloud: Cloud::Aws,
            names: names(&["g5.xlarge"]),
        },
        ..environment()
    };
    let unsupported = Some("Unsupported instance type");
    expect(&a100, None, &environment(), None);
    expect(&model("standard_nc24ADS_a100_v4"), None, &environment(), None);
    expect(&model("Standard_D8s_v5"), None, &environment(), None);
    expect(&model("Standard_B2s"), None, &environment(), unsupported);
    expect(&model("G5.XLARGE"), None, &aws, None);
    expect(&a100, None, &aws, unsupported);
    expect(&model(""), None, &environment(), unsupported);
    // Old objects: a type may be added, and one that left the catalogue does not matter.
    expect(&a100, Some(&model("")), &environment(), None);
    expect(
        &model("Standard_Bad"),
        Some(&model("Standard_Bad")),
        &environment(),
        None,
    );
    expect(
        &model(""),
        Some(&a100),
        &environment(),
        Some("instanceType cannot be changed once set"),
    );
}

#[test]
fn machine_types_where_users_bring_nodes() {
    let byo = Some("instanceType must be empty when node auto-provisioning is disabled (BYO scenario)");
    let a100 = model("Standard_NC24ads_A100_v4");
    expect(&model(""), None, &own_nodes(), None);
    expect(&a100, None, &own_nodes(), byo);
    expect(&a100, Some(&model("")), &own_nodes(), byo);
    expect(&model(""), Some(&a100), &own_nodes(), None);
    expect(
        &json!({"inference": {"preset": {"name": "phi-4"}}}),
        None,
        &own_nodes(),
        None,
    );
}

#[test]
fn partitions() {
    let mut object = model("");
    object["resource"]["partition"] = json!({"mode": "mig", "profile": "1g.10gb"});
    expect(&object, None, &own_nodes(), Some("feature gate enableMIG"));
    expect(
        &object,
        None,
        &Environment {
            mig: true,
            ..own_nodes()
        },
        None,
    );
    object["resource"]["partition"] = json!({"mode": "accelerator", "count": 1});
    expect(&object, None, &own_nodes(), Some("feature gate enableAccelerator"));
    expect(
        &object,
        None,
        &Environment {
            accelerator: true,
            ..own_nodes()
        },
        None,
    );
    expect(&object, None, &environment(), Some("partition is only supported when"));
}

#[test]
fn models_and_runtimes() {
    let named = |name: &str| json!({"resource": {"labelSelector": {}}, "inference": {"preset": {"name": name}}});
    let with_secret = |name: &str| {
        let mut object = named(name);
        object["inference"]["preset"]["presetOptions"] = json!({"modelAccessSecret": "hf"});
        object
    };
    let transformers = |mut object: Value| {
        object["metadata"] = json!({"name": "w", "annotations": {"kaito.sh/runtime": "transformers"}});
        object
    };
    let adapter = |mut object: Value, strength: Value| {
        object["inference"]["adapters"] = json!([{"strength": strength, "source": {"name": "a", "image": "i"}}]);
        object
    };
    let cases = [
        (named("phi-4"), None),
        (named("someone/something"), None),
        (named("foo"), Some("Unsupported inference preset name foo")),
        (
            named("phi-2"),
            Some("Model phi-2 is deprecated and no longer supported"),
        ),
        (named("gated"), Some("requires a modelAccessSecret")),
        (with_secret("gated"), None),
        (with_secret("baked"), Some("does not require a modelAccessSecret")),
        (transformers(named("phi-4")), None),
        (
            transformers(named("plain")),
            Some("Runtime validation: plain cannot be served by transformers"),
        ),
        (adapter(named("phi-4"), Value::Null), None),
        (
            adapter(named("phi-4"), json!("0.5")),
            Some("vLLM does not support adapter strength"),
        ),
        (transformers(adapter(named("phi-4"), json!("0.5"))), None),
        (
            adapter(named("plain"), Value::Null),
            Some("cannot serve adapters beside plain"),
        ),
    ];
    for (object, fragment) in cases {
        expect(&object, None, &own_nodes(), fragment);
    }
    // Without vLLM everything is served by transformers.
    let no_vllm = Environment {
        vllm: false,
        ..own_nodes()
    };
    expect(&adapter(named("phi-4"), json!("0.5")), None, &no_vllm, None);
    // A model that left the catalogue can be changed, but not against its runtime.
    let mut changed = named("foo");
    changed["inference"]["config"] = json!("c");
    expect(&changed, Some(&named("foo")), &own_nodes(), None);
    expect(
        &transformers(named("plain")),
        Some(&named("plain")),
        &own_nodes(),
        Some("cannot be served"),
    );
}

#[test]
fn models_to_tune() {
    let tuning = |name: &str| {
        json!({
            "resource": {"labelSelector": {}},
            "tuning": {"preset": {"name": name}, "method": "lora", "input": {"image": "i"}, "output": {"image": "o"}},
        })
    };
    expect(&tuning("phi-4"), None, &own_nodes(), None);
    expect(
        &tuning("foo"),
        None,
        &own_nodes(),
        Some("Unsupported tuning preset name foo"),
    );
    expect(
        &tuning("plain"),
        None,
        &own_nodes(),
        Some("Model plain cannot be tuned"),
    );
    expect(&tuning("phi-2"), None, &own_nodes(), Some("is deprecated"));
}

#[test]
fn annotations() {
    let with = |name: &str, value: &str| {
        let mut object = model("Standard_NC24ads_A100_v4");
        object["metadata"] = json!({"name": "w", "annotations": {name: value}});
        object
    };
    let karpenter = Environment {
        node_classes: Some(names(&["ubuntu", "azure-linux"])),
        ..environment()
    };
    expect(&with("kaito.sh/node-class-name", "other"), None, &environment(), None);
    expect(
        &with("kaito.sh/node-class-name", "other"),
        None,
        &karpenter,
        Some("unknown NodeClass \"other\""),
    );
    expect(&with("kaito.sh/node-class-name", "ubuntu"), None, &karpenter, None);
    expect(&with("kaito.sh/node-class-name", ""), None, &karpenter, None);
    let bad = with("kaito.sh/node-image-family", "windows");
    expect(&bad, None, &environment(), Some("invalid node image family"));
    expect(&bad, Some(&bad), &environment(), None);
}

#[test]
fn what_is_being_deleted_is_let_go() {
    let mut object = model("Standard_Bad");
    object["metadata"] = json!({"name": "w", "deletionTimestamp": "2026-01-01T00:00:00Z"});
    expect(&object, Some(&model("")), &environment(), None);
    let engine: RAGEngine = serde_json::from_value(json!({
        "metadata": {"name": "e", "deletionTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"embedding": {}, "compute": {"labelSelector": {}}},
    }))
    .unwrap();
    assert_eq!(validate_ragengine(&engine, None, &environment()), []);
}
