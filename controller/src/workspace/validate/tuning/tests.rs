use kaito_presets::Resolution;
use serde_json::{Value, json};

use super::*;

const LORA: &str = include_str!("../../../../../charts/workspace/files/lora-params-template.yaml");
const QLORA: &str = include_str!("../../../../../charts/workspace/files/qlora-params-template.yaml");

fn model(name: &str) -> &'static Model {
    match ModelCatalogue::builtin().resolve(name) {
        Resolution::Known(model) => model,
        _ => panic!("{name} is in the catalogue"),
    }
}

fn named(text: &str) -> TrainingReference {
    TrainingReference {
        source: TrainingSource::Named("mine".to_owned()),
        text: Some(text.to_owned()),
        problem: None,
    }
}

fn check(preset: &str, changes: &Value, config: &TrainingReference) -> Result<Tuning, InvalidTuning> {
    let mut spec = json!({
        "preset": {"name": preset},
        "method": "lora",
        "input": {"urls": ["https://example.com/pets.csv"]},
        "output": {"volumeSource": {"persistentVolumeClaim": {"claimName": "results"}}},
    });
    for (name, value) in changes.as_object().unwrap() {
        spec[name] = value.clone();
    }
    let spec: TuningSpec = serde_json::from_value(spec).unwrap();
    let facts = TuningFacts {
        workspace: "tune",
        model: model(preset),
        gpus: NonZeroU32::MIN,
        config,
        registry: "registry.example.com/kaito",
    };
    tuning(&spec, &facts)
}

#[test]
fn the_defaults_of_the_chart_are_right_for_their_methods() {
    for (method, text) in [("LoRA", LORA), ("QLoRA", QLORA)] {
        let found = check("phi-4", &json!({"method": method}), &named(text)).unwrap();
        assert_eq!(found.config.output_directory, "/mnt/results");
        assert_eq!(
            found.config.copy, None,
            "a ConfigMap that is there already is used as it is"
        );
    }
    let error = check("phi-4", &json!({"method": "qlora"}), &named(LORA)).unwrap_err();
    assert!(error.to_string().contains("qlora quantizes"), "{error}");
}

#[test]
fn a_default_is_copied_for_the_workspace() {
    let config = TrainingReference {
        source: TrainingSource::Default("lora-params-template".to_owned()),
        text: Some(LORA.to_owned()),
        problem: None,
    };
    let found = check("phi-4", &json!({}), &config).unwrap().config;
    assert_eq!(found.config_map, "tune-training-config");
    assert_eq!(found.copy.as_deref(), Some(LORA));
    assert_eq!(
        default_config_map(method(Some("QLORA")).unwrap()),
        "qlora-params-template"
    );
}

#[test]
fn every_alias_of_a_model_that_can_be_tuned_finds_its_weights() {
    for (preset, image) in [
        ("mistral-7b", "kaito-mistral-7b:0.2.0"),
        ("mistralai/Mistral-7B-v0.3", "kaito-mistral-7b:0.2.0"),
        ("Phi-3-Mini-128k-Instruct", "kaito-phi-3-mini-128k-instruct:0.2.0"),
    ] {
        let found = check(preset, &json!({}), &named(LORA)).unwrap();
        assert_eq!(found.weights_image, format!("registry.example.com/kaito/{image}"));
        assert!(
            found.image.starts_with("registry.example.com/kaito/kaito-base:"),
            "{}",
            found.image
        );
    }
}

#[test]
fn a_model_without_weights_to_tune_is_refused_with_those_that_have_some() {
    let error = check("llama-3.1-8b-instruct", &json!({}), &named(LORA)).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("Llama-3.1-8B-Instruct\" cannot be tuned"), "{message}");
    assert!(
        message.contains("microsoft/phi-4, microsoft/Phi-4-mini-instruct"),
        "{message}"
    );
}

#[test]
fn what_an_older_api_server_let_in_is_refused_with_words() {
    let claim = json!({"persistentVolumeClaim": {"claimName": "data"}});
    for (changes, fragment) in [
        (json!({"method": "full"}), "must be lora or qlora"),
        (json!({"method": null}), "must be lora or qlora"),
        (json!({"input": {}}), "tuning.input needs exactly one"),
        (
            json!({"input": {"image": "a", "volumeSource": claim}}),
            "tuning.input needs exactly one",
        ),
        (
            json!({"input": {"volumeSource": {}}}),
            "tuning.input.volumeSource cannot be used",
        ),
        (json!({"output": {}}), "tuning.output needs exactly one"),
        (
            json!({"output": {"image": "a", "volumeSource": claim}}),
            "tuning.output needs exactly one",
        ),
        (json!({"output": {"image": "a"}}), "needs tuning.output.imagePushSecret"),
        (
            json!({"output": {"volumeSource": {"emptyDir": 1}}}),
            "tuning.output.volumeSource cannot be used",
        ),
    ] {
        let message = check("phi-4", &changes, &named(LORA)).unwrap_err().to_string();
        assert!(message.contains(fragment), "{message}");
    }
}

#[test]
fn options_that_cannot_be_read_or_used_are_named() {
    let missing = TrainingReference {
        source: TrainingSource::Named("mine".to_owned()),
        text: None,
        problem: Some("it does not exist; make it".to_owned()),
    };
    let without_key = TrainingReference {
        problem: None,
        ..missing.clone()
    };
    let text = "training_config: {Other: {}, TrainingArguments: {output_dir: ..}}";
    for (config, fragment) in [
        (
            missing,
            "\"mine\" with the options of training cannot be read: it does not exist; make it",
        ),
        (without_key, "no key \"training_config.yaml\""),
        (named(text), "unknown section \"Other\""),
        (named(text), "below /mnt"),
    ] {
        let message = check("phi-4", &json!({}), &config).unwrap_err().to_string();
        assert!(message.contains(fragment), "{message}");
    }
}
