use clap::{CommandFactory, Parser};

use super::*;
use crate::options::{Command, Options};

/// What the program would say to these words after `presets`.
fn asked(words: &str) -> Result<Answer, Question> {
    let words = ["kaito-controller", "presets"].into_iter().chain(words.split(' '));
    let Some(Command::Presets(command)) = Options::try_parse_from(words).unwrap().command else {
        panic!("it is a command");
    };
    answer(&command)
}

fn text(words: &str) -> String {
    asked(words).unwrap().text
}

#[test]
fn the_command_line_is_sound_and_without_a_command_the_controller_runs() {
    Options::command().debug_assert();
    let options = Options::try_parse_from(["kaito-controller", "--namespace", "kaito"]).unwrap();
    assert!(options.command.is_none());
    assert_eq!(options.scope.namespace.as_deref(), Some("kaito"));
    for wrong in [
        vec!["kaito-controller", "presets"],
        vec!["kaito-controller", "--namespace", "kaito", "presets", "list"],
        vec!["kaito-controller", "presets", "show", "a/b", "--weights", "1Gi"],
        vec!["kaito-controller", "presets", "estimate", "phi-4", "x", "--count", "0"],
        vec![
            "kaito-controller",
            "presets",
            "estimate",
            "phi-4",
            "x",
            "--context",
            "0",
        ],
    ] {
        assert!(Options::try_parse_from(&wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn the_catalogue_is_listed() {
    insta::assert_snapshot!("list", text("list"));
    let list: serde_json::Value = serde_json::from_str(&text("list -o json")).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 60);
}

#[test]
fn a_model_is_shown() {
    insta::assert_snapshot!("show", text("show phi-4-mini-instruct"));
    insta::assert_snapshot!("show_json", text("show Meta-Llama/llama-3.1-8b-INSTRUCT --output json"));
}

#[test]
fn an_estimate_says_what_runs_and_why() {
    for (name, words) in [
        ("one_gpu", "phi-4-mini-instruct Standard_NV36ads_A10_v5"),
        ("copies", "phi-4-mini-instruct Standard_NC96ads_A100_v4"),
        ("tensor", "phi-4 Standard_NV72ads_A10_v5"),
        (
            "several_gpus",
            "Qwen/Qwen2.5-Coder-32B-Instruct g6.12xlarge --cloud aws --context 32768",
        ),
        (
            "several_nodes",
            "qwen/qwen2.5-coder-32b-instruct standard_nc24ads_a100_v4",
        ),
        ("more_than_needed", "phi-4 Standard_NV36ads_A10_v5 --count 3"),
        (
            "transformers",
            "phi-4 a2-highgpu-1g --cloud gcp --runtime transformers --count 2",
        ),
        ("other_accelerators", "llama-3.1-8b-instruct trn1.32xlarge --cloud AWS"),
        (
            "json",
            "qwen/qwen2.5-coder-32b-instruct standard_nc24ads_a100_v4 --output json",
        ),
    ] {
        let answer = asked(&format!("estimate {words}"));
        let answer = answer.unwrap_or_else(|error| panic!("{words}: {error}"));
        assert!(answer.fits, "{words}");
        insta::assert_snapshot!(format!("estimate_{name}"), answer.text);
    }
}

#[test]
fn what_does_not_fit_is_told_with_the_sum_and_with_what_would() {
    for (name, words) in [
        (
            "cache",
            "phi-3-mini-128k-instruct Standard_NV36ads_A10_v5 --context 131072",
        ),
        (
            "nowhere",
            "phi-4-mini-instruct Standard_NC4_A2 --cloud arc --context 131072",
        ),
        ("transformers", "phi-4 Standard_NV36ads_A10_v5 --runtime transformers"),
        (
            "json",
            "phi-3-mini-128k-instruct Standard_NV36ads_A10_v5 --context 131072 --output json",
        ),
    ] {
        let answer = asked(&format!("estimate {words}")).unwrap();
        assert!(!answer.fits, "{words}");
        insta::assert_snapshot!(format!("refused_{name}"), answer.text);
    }
}

#[test]
fn a_model_outside_of_the_catalogue_is_described_by_its_config() {
    let path = std::env::temp_dir().join(format!("kaito-presets-command-{}.json", std::process::id()));
    let config = r#"{"architectures": ["Qwen2ForCausalLM"], "num_hidden_layers": 28, "num_attention_heads": 28,
        "num_key_value_heads": 4, "hidden_size": 3584, "max_position_embeddings": 32768}"#;
    std::fs::write(&path, config).unwrap();
    let described = format!("--config-json {} --weights 14.19Gi", path.display());
    let shown = asked(&format!("show Somebody/Tuned-7B {described}"));
    let estimated = asked(&format!(
        "estimate Somebody/Tuned-7B Standard_NV36ads_A10_v5 {described}"
    ));
    let nameless = asked(&format!("show tuned {described}"));
    std::fs::remove_file(&path).unwrap();
    insta::assert_snapshot!("show_described", shown.unwrap().text);
    assert!(
        estimated
            .unwrap()
            .text
            .contains("GPUs needed  1          and 1 node(s) for them")
    );
    assert_eq!(
        nameless.unwrap_err().to_string(),
        "tuned is not the id of a model on Hugging Face; write owner/name before --config-json"
    );
    let gone = asked(&format!("show Somebody/Tuned-7B {described}")).unwrap_err();
    assert_eq!(
        chain(&gone),
        format!(
            "{} cannot be read: No such file or directory (os error 2)",
            path.display()
        )
    );
}

#[test]
fn what_cannot_be_answered_is_told_with_what_to_do() {
    for (words, start) in [
        (
            "show phi-2",
            "model phi-2 is deprecated and no longer supported; `kaito-controller",
        ),
        (
            "show foo",
            "there is no model foo; `kaito-controller presets list` shows",
        ),
        (
            "show a/b",
            "a/b is not in the catalogue; say what it is with --config-json",
        ),
        (
            "estimate phi-4 Standard_Bad",
            "nothing is known of instance type Standard_Bad of azure; those that are known: Standard_NV36ads_A10_v5, ",
        ),
        (
            "estimate phi-4 Standard_NV36ads_A10_v5 --context 16385",
            "microsoft/phi-4 reads and writes 16384 tokens at most; lower --context",
        ),
        (
            "estimate phi-4-mini-instruct Standard_NV36ads_A10_v5 --runtime transformers",
            "microsoft/Phi-4-mini-instruct cannot be served by transformers; leave --runtime out",
        ),
    ] {
        let message = asked(words).unwrap_err().to_string();
        assert!(message.starts_with(start), "{message}");
    }
}
