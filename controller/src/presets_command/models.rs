//! `presets list` and `presets show`.

use kaito_presets::{ByteSize, HubId, Model, ModelCatalogue, Quantisation, RunParameters};
use serde::Serialize;

use super::arguments::Output;
use super::table::columns;

/// A model, as programs read it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ModelView<'model> {
    id: &'model str,
    short_names: Vec<&'static str>,
    licence: Option<&'model str>,
    needs_token: bool,
    architectures: &'model [String],
    weights_bytes: u64,
    context_tokens: u64,
    cache_bytes_per_token: u64,
    attention: String,
    quantisation: Option<String>,
    disk_bytes: u64,
    readiness_seconds: u64,
    tunable: bool,
    vllm: String,
    transformers: Option<String>,
}

impl<'model> ModelView<'model> {
    fn of(model: &'model Model) -> Self {
        let facts = model.facts();
        Self {
            id: facts.id.as_str(),
            short_names: short_names(&facts.id),
            licence: facts.licence.as_deref(),
            needs_token: model.needs_token(),
            architectures: &facts.architectures,
            weights_bytes: model.weights().bytes(),
            context_tokens: model.token_limit(),
            cache_bytes_per_token: model.kv_bytes_per_token(),
            attention: model.attention().to_string(),
            quantisation: model.quantisation().map(quantisation),
            disk_bytes: model.disk_request().bytes(),
            readiness_seconds: model.readiness_timeout().as_secs(),
            tunable: model.tuning().is_some(),
            vllm: model.vllm().to_string(),
            transformers: model.transformers().map(RunParameters::to_string),
        }
    }
}

/// All models of the catalogue.
pub(super) fn list(catalogue: &ModelCatalogue, output: Output) -> String {
    let models = catalogue.models();
    if output == Output::Json {
        return json(&models.iter().map(ModelView::of).collect::<Vec<_>>());
    }
    let head = [
        "MODEL",
        "SHORT NAME",
        "WEIGHTS",
        "CONTEXT",
        "RUNTIMES",
        "TUNING",
        "TOKEN",
    ]
    .map(str::to_owned);
    let rows = models.iter().map(|model| {
        let facts = model.facts();
        [
            facts.id.to_string(),
            short_names(&facts.id).join(","),
            model.weights().to_string(),
            model.token_limit().to_string(),
            runtimes(model).to_owned(),
            yes(model.tuning().is_some()),
            yes(model.needs_token()),
        ]
    });
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

/// All that is known of one.
pub(super) fn show(model: &Model, output: Output) -> String {
    if output == Output::Json {
        return json(&ModelView::of(model));
    }
    let facts = model.facts();
    let names = short_names(&facts.id);
    let unknown = || "unknown".to_owned();
    let token = match facts.gated {
        Some(true) => "needed: a Secret with the key HF_TOKEN, named in modelAccessSecret",
        Some(false) => "not needed",
        None => "not known to be needed",
    };
    let mut rows = vec![
        row("model", facts.id.to_string()),
        row(
            "short names",
            if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            },
        ),
        row("licence", facts.licence.clone().unwrap_or_else(unknown)),
        row("token", token),
        row("architectures", facts.architectures.join(", ")),
        row("weights", model.weights().to_string()),
        row(
            "quantisation",
            model.quantisation().map_or_else(|| "none".to_owned(), quantisation),
        ),
        row("context", format!("{} tokens at most", model.token_limit())),
        row("attention", model.attention().to_string()),
        row("cache", cache(model)),
        row("disk", model.disk_request().quantity()),
        row("start", format!("{} s at most", model.readiness_timeout().as_secs())),
        row("vLLM", model.vllm().to_string()),
        row(
            "Transformers",
            model
                .transformers()
                .map_or_else(|| "no".to_owned(), RunParameters::to_string),
        ),
    ];
    let tuning = model.tuning();
    rows.push(row(
        "tuning",
        tuning.map_or_else(
            || "no".to_owned(),
            |tuning| {
                format!(
                    "takes {} of GPU memory and {} of disk",
                    tuning.memory,
                    tuning.disk.quantity()
                )
            },
        ),
    ));
    columns(&rows)
}

/// JSON, for programs.
pub(super) fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("text, numbers and lists of them can be written");
    text.push('\n');
    text
}

fn row(name: &str, value: impl Into<String>) -> [String; 2] {
    [name.to_owned(), value.into()]
}

fn cache(model: &Model) -> String {
    let bytes = model.kv_bytes_per_token();
    let whole = ByteSize::from_bytes(bytes.saturating_mul(model.token_limit()));
    format!("{bytes} bytes a token, {whole} for the whole context")
}

fn short_names(id: &HubId) -> Vec<&'static str> {
    ModelCatalogue::builtin().aliases(id)
}

fn quantisation(quantisation: &Quantisation) -> String {
    match quantisation.bits {
        Some(bits) => format!("{}, {bits} bits", quantisation.method),
        None => quantisation.method.clone(),
    }
}

fn runtimes(model: &Model) -> &'static str {
    if model.transformers().is_some() {
        "vllm,transformers"
    } else {
        "vllm"
    }
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "-" }.to_owned()
}
