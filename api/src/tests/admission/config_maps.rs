//! ConfigMaps that objects name.

use serde_json::{Value, json};

use crate::admission::{
    GuardrailsPolicy, Lookup, max_model_len, training_output_directory, validate_inference_config,
    validate_training_config,
};
use crate::v1beta1::RAGEngine;

#[test]
fn guardrails_name_the_config_map_and_what_to_do() {
    let engine = |guardrails: Value| -> RAGEngine {
        serde_json::from_value(json!({
            "metadata": {"name": "e", "namespace": "ml"}, "spec": {"embedding": {}, "guardrails": guardrails},
        }))
        .unwrap()
    };
    assert_eq!(
        GuardrailsPolicy::of(&engine(json!({"configMapRef": {"name": "p"}})), "release"),
        None
    );
    let default = GuardrailsPolicy::of(
        &engine(json!({"enabled": true, "configMapRef": {"name": ""}})),
        "release",
    );
    let own = GuardrailsPolicy::of(
        &engine(json!({"enabled": true, "configMapRef": {"name": "p"}})),
        "release",
    );
    let (default, own) = (default.unwrap(), own.unwrap());
    assert_eq!((default.namespace.as_str(), own.namespace.as_str()), ("release", "ml"));
    let said = |policy: &GuardrailsPolicy, lookup: Lookup| policy.check(&lookup).map(|error| error.message);
    assert_eq!(said(&own, Lookup::Found(vec!["guardrails.yaml".to_owned()])), None);
    for (policy, lookup, fragments) in [
        (
            &default,
            Lookup::Missing,
            ["ragengine-guardrails-policy-template", "\"release\""],
        ),
        (
            &own,
            Lookup::Missing,
            [
                "\"p\" does not exist in namespace \"ml\"",
                "kubectl create configmap p -n ml",
            ],
        ),
        (
            &own,
            Lookup::Found(vec!["x".to_owned()]),
            ["has no key \"guardrails.yaml\"", "kubectl"],
        ),
        (
            &own,
            Lookup::Unreadable("forbidden".to_owned()),
            ["forbidden", "kubectl get configmap p -n ml"],
        ),
    ] {
        let message = said(policy, lookup).unwrap();
        assert!(fragments.iter().all(|fragment| message.contains(fragment)), "{message}");
    }
}

#[test]
fn options_of_serving() {
    let check = |text: Option<&str>| {
        let errors = validate_inference_config(text, Some(4096));
        errors.first().map(|error| error.message.clone())
    };
    for fine in [
        "{}",
        "vllm:",
        "vllm: {max-model-len: 4096}",
        "vllm: {max-model-len: '100', a: b}",
        "vllm: {max-model-len: ''}",
    ] {
        assert_eq!(check(Some(fine)), None, "{fine}");
    }
    for (text, fragment) in [
        (None, "no key \"inference_config.yaml\""),
        (Some("vllm: [}"), "is not YAML"),
        (Some("vllm: [a]"), "must be a map"),
        (Some("vllm: {a: {b: c}}"), "one plain value"),
        (Some("vllm: {max-model-len: many}"), "must be a whole number"),
        (
            Some("vllm: {max-model-len: 4097}"),
            "more than the model's limit of 4096",
        ),
    ] {
        let message = check(text).unwrap();
        assert!(message.contains(fragment), "{message}");
    }
    assert_eq!(
        validate_inference_config(Some("vllm: {max-model-len: 9999999}"), None),
        []
    );
}

#[test]
fn options_of_tuning() {
    let check = |text: Option<&str>, method: &str| {
        let errors = validate_training_config(text, method);
        errors.first().map(|error| error.message.clone())
    };
    let lora = "training_config: {ModelConfig: {}, TrainingArguments: {output_dir: /mnt/results}}";
    let qlora = "training_config: {QuantizationConfig: {load_in_4bit: true}}";
    assert_eq!(check(Some(lora), "LoRA"), None);
    assert_eq!(check(Some(qlora), "qlora"), None);
    for (text, method, fragment) in [
        (None, "lora", "no key \"training_config.yaml\""),
        (Some("a: b"), "lora", "map training_config"),
        (
            Some("training_config: {Other: {}}"),
            "lora",
            "unknown section \"Other\"",
        ),
        (
            Some("training_config: {QuantizationConfig: {load_in_4bit: 'yes'}}"),
            "lora",
            "must be true or false",
        ),
        (
            Some("training_config: {QuantizationConfig: {load_in_4bit: true, load_in_8bit: true}}"),
            "qlora",
            "both",
        ),
        (Some(qlora), "lora", "lora does not quantize"),
        (Some(lora), "qlora", "qlora quantizes"),
        (
            Some("training_config: {TrainingArguments: {output_dir: 1}}"),
            "lora",
            "must be a text",
        ),
        (
            Some("training_config: {TrainingArguments: {output_dir: ../etc}}"),
            "lora",
            "below /mnt",
        ),
        (
            Some("training_config: {TrainingArguments: {output_dir: a/..}}"),
            "lora",
            "below /mnt",
        ),
    ] {
        let message = check(text, method).unwrap();
        assert!(message.contains(fragment), "{message}");
    }
}

#[test]
fn results_of_a_tuning_are_below_mnt_and_beside_its_input() {
    let directory = |arguments: &str| {
        let text = format!("training_config: {{TrainingArguments: {arguments}}}");
        training_output_directory(Some(&text)).map_err(|error| error.message)
    };
    for (arguments, expected) in [
        ("{output_dir: /mnt/results}", "/mnt/results"),
        ("{output_dir: results/}", "/mnt/results"),
        ("{output_dir: /mnt//a/./b/../c}", "/mnt/a/c"),
        ("{output_dir: /results}", "/mnt/results"),
        ("{output_dir: /mnt2}", "/mnt/mnt2"),
        ("{output_dir: /mnt/data/results}", "/mnt/data/results"),
        ("{output_dir: }", "/mnt/output"),
        ("{}", "/mnt/output"),
    ] {
        assert_eq!(directory(arguments).as_deref(), Ok(expected), "{arguments}");
    }
    for (given, fragment) in [
        ("/mnt", "below /mnt"),
        ("/mnt/", "below /mnt"),
        ("\"\"", "below /mnt"),
        ("/mnt/../etc", "below /mnt"),
        ("../mnt/results", "below /mnt"),
        ("a/../..", "below /mnt"),
        ("/mnt/config/results", "input"),
        ("data", "input"),
        ("\"a:b\"", "colon"),
    ] {
        let message = directory(&format!("{{output_dir: {given}}}")).unwrap_err();
        assert!(message.contains(fragment), "{message}");
    }
    assert!(training_output_directory(None).is_err());
}

#[test]
fn the_context_is_the_one_that_vllm_is_given() {
    for (text, expected) in [
        ("vllm: {max-model-len: 4096}", Some(4096)),
        (
            "max-model-len: 1\nvllm:\n  # max-model-len: 2\n  max-model-len: ' 8192 '\n",
            Some(8192),
        ),
        ("vllm: {max-model-len: auto}", None),
        ("vllm: {max-model-len: 0}", None),
        ("vllm: {max-model-len: -1}", None),
        ("vllm: {}", None),
        ("vllm", None),
        ("{", None),
        ("", None),
    ] {
        assert_eq!(max_model_len(text), expected, "{text}");
    }
}
