use super::*;
use crate::models::{AttentionKind, Model, ModelCatalogue};

fn generate(id: &str, config: &str, files: &[(&str, u64)]) -> Result<Model, GenerateModelError> {
    let files: Vec<_> = files
        .iter()
        .map(|(path, size)| HubFile {
            path: (*path).to_owned(),
            size: *size,
        })
        .collect();
    ModelCatalogue::builtin().generate(&HubModel {
        id: &HubId::try_from(id).expect("an id"),
        config,
        files: &files,
        gated: None,
    })
}

fn model(config: &str) -> Model {
    generate("somebody/model", config, &[("model.safetensors", 1)]).expect(config)
}

const GIB: u64 = 1 << 30;

#[test]
fn a_model_of_the_catalogue_comes_out_of_its_own_config_the_same() {
    let config = r#"{"architectures": ["Qwen2ForCausalLM"], "hidden_size": 5120, "max_position_embeddings": 32768,
        "num_attention_heads": 40, "num_hidden_layers": 64, "num_key_value_heads": 8, "torch_dtype": "bfloat16"}"#;
    let files = [
        ("model-00001-of-00002.safetensors", 40 * GIB),
        ("model-00002-of-00002.safetensors", 21 * GIB + 32_212_255),
        ("pytorch_model.bin", 61 * GIB),
        ("config.json", 100),
    ];
    let made = generate("Qwen/Qwen2.5-Coder-32B-Instruct", config, &files).expect("a model");
    let Some(known) = ModelCatalogue::builtin()
        .models()
        .iter()
        .find(|model| model.served_name() == made.served_name())
    else {
        panic!("the catalogue has the model");
    };
    assert_eq!(made.vllm(), known.vllm());
    assert_eq!(made.disk_request(), known.disk_request());
    assert_eq!(made.readiness_timeout(), known.readiness_timeout());
    assert_eq!(made.token_limit(), known.token_limit());
    assert_eq!(made.facts().attention, known.facts().attention);
    assert_eq!(made.attention(), AttentionKind::GroupedQuery);
}

#[test]
fn an_inner_configuration_fills_gaps_only() {
    let inner = r#""num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 8, "n_ctx": 10, "dtype": "half""#;
    let both = model(&format!(
        r#"{{"text_config": {{{inner}}}, "llm_config": {{"n_layer": 9}}, "num_hidden_layers": 3, "head_dim": null}}"#
    ));
    assert_eq!(
        both.facts().attention,
        Attention::Heads {
            layers: 3,
            heads: 4,
            kv_heads: 4,
            head_size: 8
        }
    );
    assert_eq!(both.token_limit(), 10);
    assert_eq!(both.facts().dtype.as_deref(), Some("half"));
    let other = model(&format!(r#"{{"llm_config": {{{inner}}}}}"#));
    assert_eq!(other.attention(), AttentionKind::MultiHead);
}

#[test]
fn the_cache_is_worked_out_for_each_kind_of_attention() {
    for (config, kind, bytes) in [
        (
            r#"{"n_layer": 2, "n_head": 8, "n_embd": 64, "multi_query": true}"#,
            AttentionKind::MultiQuery,
            2 * 8 * 2 * 2,
        ),
        (
            r#"{"n_layers": 2, "n_heads": 8, "dim": 100}"#,
            AttentionKind::MultiHead,
            2 * 8 * 12 * 2 * 2,
        ),
        (
            r#"{"num_hidden_layers": 61, "num_attention_heads": 128, "kv_lora_rank": 512, "qk_rope_head_dim": 64}"#,
            AttentionKind::Latent,
            70_272,
        ),
        (r#"{"n_layer": 2}"#, AttentionKind::Unknown, 0),
        (
            r#"{"n_layer": 2, "n_head": 0, "n_embd": 64}"#,
            AttentionKind::Unknown,
            0,
        ),
        ("{}", AttentionKind::Unknown, 0),
    ] {
        let model = model(config);
        assert_eq!(model.attention(), kind, "{config}");
        assert_eq!(model.kv_bytes_per_token(), bytes, "{config}");
    }
}

#[test]
fn numbers_that_json_does_not_have_are_read_as_nothing() {
    let made = model(
        r#"{"a": Infinity, "b": [-Infinity, NaN], "c \" NaN": "Infinity", "max_position_embeddings": NaN, "n_ctx": 7}"#,
    );
    assert_eq!(made.token_limit(), 7);
    assert_eq!(
        without_infinities(r#"{"a\\": NaN, "é\"": "NaN \" Infinity", "b": -Infinity"#),
        r#"{"a\\": null, "é\"": "NaN \" Infinity", "b": null"#
    );
    assert_eq!(without_infinities("\"NaN"), "\"NaN");
    assert_eq!(model("{}").token_limit(), 2048);
}

#[test]
fn mistral_s_own_files_are_loaded_instead_of_the_usual_ones() {
    let files = [
        ("consolidated-00001-of-00001.safetensors", 4 * GIB),
        ("model.safetensors", 9 * GIB),
    ];
    let made = generate("mistralai/Ministral-3-9B", "{}", &files).expect("a model");
    assert_eq!(made.weights(), ByteSize::from_gib(4));
    assert_eq!(made.facts().architectures, ["Mistral3ForConditionalGeneration"]);
    assert_eq!(
        made.vllm().to_string(),
        "--load_format=mistral --config_format=mistral --tokenizer_mode=mistral --trust-remote-code --dtype=bfloat16 \
         --reasoning-parser=mistral"
    );
}

#[test]
fn the_number_format_is_automatic_for_quantised_weights_and_never_anything_strange() {
    for (config, dtype) in [
        (r#"{"torch_dtype": "float16"}"#, "float16"),
        (r#"{"dtype": "float32", "torch_dtype": "float16"}"#, "float32"),
        (r#"{"torch_dtype": "float16; reboot"}"#, "bfloat16"),
        (
            r#"{"torch_dtype": "float16", "quantization_config": {"quant_method": "awq", "bits": 4}}"#,
            "auto",
        ),
        (r#"{"torch_dtype": "float16", "quantization_config": {}}"#, "float16"),
    ] {
        let made = model(config);
        let given = made.vllm().find("dtype").and_then(|dtype| dtype.value.as_deref());
        assert_eq!(given, Some(dtype), "{config}");
    }
    let quantised =
        model(r#"{"quantization_config": {"quant_method": "compressed-tensors", "format": "pack-quantized"}}"#);
    let method = quantised
        .quantisation()
        .map(|quantisation| quantisation.method.as_str());
    assert_eq!(method, Some("pack-quantized"));
}

#[test]
fn models_that_cannot_be_run_are_refused_with_what_to_do() {
    let weights = [("model.safetensors", 1)];
    let refused =
        |config: &str, files: &[(&str, u64)]| generate("a/b", config, files).expect_err("refused").to_string();
    assert_eq!(
        refused("[]", &weights),
        "the configuration of a/b on Hugging Face is not a JSON object; choose another model"
    );
    assert_eq!(
        refused("{}", &[("model.gguf", 1)]),
        "a/b has no weights in .safetensors or .bin files on Hugging Face; choose a model that has, such as the one \
         that it was converted from"
    );
    assert_eq!(
        refused(r#"{"architectures": ["A", "B"]}"#, &weights),
        "unsupported model architecture for a/b: vLLM 0.25.1 has none of A, B; choose another model"
    );
}
