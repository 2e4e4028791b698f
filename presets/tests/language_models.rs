//! The catalogue of language models against what is expected of each of them.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use kaito_presets::{
    ByteSize, Cloud, DEFAULT_CONTEXT_TOKENS, InstanceTypes, Model, ModelCatalogue, Resolution, ServingRuntime,
    estimate, size,
};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    machines: Vec<String>,
    models: Vec<ExpectedModel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedModel {
    id: String,
    served_name: String,
    disk: ByteSize,
    kv_bytes_per_token: u64,
    attention: String,
    readiness_seconds: u64,
    run: String,
    #[serde(default)]
    switches: Vec<String>,
    transformers: Option<String>,
    tuning: Option<ExpectedTuning>,
    nodes: Vec<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedTuning {
    image: String,
    disk: ByteSize,
    memory: ByteSize,
}

fn expected() -> Expected {
    serde_yaml_ng::from_str(include_str!("fixtures/expected_models.yaml")).expect("the fixture is valid")
}

fn known(name: &str) -> &'static Model {
    let model = match ModelCatalogue::builtin().resolve(name) {
        Resolution::Known(model) => Some(model),
        _ => None,
    };
    model.expect(name)
}

#[test]
fn the_catalogue_lists_the_expected_models_and_no_others() {
    let listed: Vec<_> = ModelCatalogue::builtin()
        .models()
        .iter()
        .map(|model| model.facts().id.to_string())
        .collect();
    let expected: Vec<_> = expected().models.into_iter().map(|model| model.id).collect();
    assert_eq!(listed, expected);
    assert_eq!(listed.len(), 60);
}

#[test]
fn what_follows_from_the_rules_is_what_is_expected_of_each_model() {
    for expected in expected().models {
        let model = known(&expected.id);
        let id = expected.id;
        assert_eq!(model.repository(), id.to_lowercase());
        assert_eq!(model.served_name(), expected.served_name, "{id}");
        assert_eq!(model.disk_request(), expected.disk, "{id}");
        assert_eq!(model.kv_bytes_per_token(), expected.kv_bytes_per_token, "{id}");
        assert_eq!(model.attention().to_string(), expected.attention, "{id}");
        assert_eq!(model.readiness_timeout().as_secs(), expected.readiness_seconds, "{id}");
        assert_eq!(model.vllm().to_string(), expected.run, "{id}");
        let transformers = model.transformers().map(ToString::to_string);
        assert_eq!(transformers, expected.transformers, "{id}");
        let switches: Vec<_> = [
            ("no_kv_offload", !model.allows_kv_offload()),
            ("deep_gemm", model.needs_deep_gemm()),
            ("cuda_toolkit", model.needs_cuda_toolkit()),
        ]
        .into_iter()
        .filter_map(|(name, is_on)| is_on.then_some(name))
        .collect();
        assert_eq!(switches, expected.switches, "{id}");
        let tuning = model
            .tuning()
            .map(|tuning| (tuning.reference(), tuning.disk, tuning.memory));
        let expected_tuning = expected.tuning.map(|tuning| (tuning.image, tuning.disk, tuning.memory));
        assert_eq!(tuning, expected_tuning, "{id}");
        assert!(model.downloads_at_runtime() && model.allows_adapters(), "{id}");
    }
}

#[test]
fn each_model_takes_the_expected_number_of_machines() {
    let expected = expected();
    let machines: Vec<_> = expected
        .machines
        .iter()
        .map(|name| InstanceTypes::of(Cloud::Azure).find(name).expect(name).gpus())
        .collect();
    for expected in expected.models {
        let model = known(&expected.id);
        let demand = model.demand(DEFAULT_CONTEXT_TOKENS);
        let estimated: Vec<_> = machines
            .iter()
            .map(|gpus| estimate(&demand, gpus).expect(&expected.id).nodes.get())
            .collect();
        assert_eq!(estimated, expected.nodes, "{}", expected.id);
        let sized: Vec<_> = machines
            .iter()
            .map(|gpus| {
                size(
                    model,
                    ServingRuntime::Vllm,
                    gpus,
                    NonZeroU32::MIN,
                    DEFAULT_CONTEXT_TOKENS,
                )
            })
            .map(|sizing| sizing.expect(&expected.id).nodes.get())
            .collect();
        assert_eq!(sized, expected.nodes, "{}", expected.id);
    }
}

#[test]
fn short_names_stand_for_models_and_retired_ones_for_nothing() {
    for (name, id) in [
        ("phi-4", "microsoft/phi-4"),
        ("Phi-4-Mini-Instruct", "microsoft/Phi-4-mini-instruct"),
        ("gemma-3-4b-instruct", "google/gemma-3-4b-it"),
        ("mistral-7b", "mistralai/Mistral-7B-v0.3"),
        ("ministral-3-8b-instruct", "mistralai/Ministral-3-8B-Instruct-2512"),
        (
            "mistral-large-3-675b-instruct",
            "mistralai/Mistral-Large-3-675B-Instruct-2512",
        ),
        ("QWEN/qwen3-8b-awq", "Qwen/Qwen3-8B-AWQ"),
    ] {
        assert_eq!(known(name).facts().id.as_str(), id);
    }
    let catalogue = ModelCatalogue::builtin();
    for (name, aliases) in [
        ("mistralai/mistral-7b-v0.3", ["mistral-7b"].as_slice()),
        ("Qwen/Qwen3-8B-AWQ", &[]),
    ] {
        assert_eq!(catalogue.aliases(&known(name).facts().id), aliases);
    }
    for name in ["phi-2", "PHI-2"] {
        assert!(matches!(catalogue.resolve(name), Resolution::Deprecated), "{name}");
    }
    for name in [
        "",
        "falcon-7b",
        "qwen3-8b-awq",
        "a/",
        "/b",
        "a/b/c",
        "a/b;reboot",
        "phi-4 ",
    ] {
        assert!(matches!(catalogue.resolve(name), Resolution::Unknown), "{name}");
    }
    assert!(matches!(
        catalogue.resolve("Somebody/Model-7B"),
        Resolution::HuggingFaceId(id) if id.as_str() == "Somebody/Model-7B"
    ));
}

#[test]
fn only_models_that_are_known_to_want_a_token_need_one() {
    let gated: BTreeSet<_> = ModelCatalogue::builtin()
        .models()
        .iter()
        .filter(|model| model.needs_token())
        .map(Model::served_name)
        .collect();
    assert_eq!(
        gated.iter().map(String::as_str).collect::<Vec<_>>(),
        ["llama-3.1-8b-instruct", "llama-3.3-70b-instruct"]
    );
}

#[test]
fn only_phi_3_is_told_which_layers_to_adapt() {
    let told: Vec<_> = ModelCatalogue::builtin()
        .models()
        .iter()
        .filter(|model| model.tuning().is_some_and(|tuning| !tuning.target_modules.is_empty()))
        .map(Model::served_name)
        .collect();
    assert_eq!(told.len(), 5);
    assert!(told.iter().all(|name| name.starts_with("phi-3")), "{told:?}");
}

#[test]
fn the_base_image_runs_the_expected_programs() {
    let image = ModelCatalogue::builtin().base_image();
    assert_eq!(image.reference(), "kaito-base:0.5.0");
    assert_eq!((image.vllm.as_str(), image.transformers.as_str()), ("0.25.1", "5.14.1"));
    assert_eq!(image.architectures.len(), 356);
}

proptest! {
    #[test]
    fn names_are_resolved_in_whatever_case(index in 0_usize..60, upper in proptest::collection::vec(any::<bool>(), 64)) {
        let model = ModelCatalogue::builtin().models().get(index).expect("there are 60");
        let written: String = model
            .facts()
            .id
            .as_str()
            .chars()
            .zip(upper.into_iter().cycle())
            .map(|(letter, upper)| if upper { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() })
            .collect();
        prop_assert_eq!(&known(&written).facts().id, &model.facts().id);
    }

    #[test]
    fn no_name_makes_resolving_fail(name in ".*") {
        let _ = ModelCatalogue::builtin().resolve(&name);
    }
}
