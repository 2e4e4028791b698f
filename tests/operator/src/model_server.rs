//! Stands in for vLLM and for KAITO's programs around it, without a model: the [`crate::kubelet`] runs it in the place of a
//! Workspace's container.
//!
//! It finds its flags in whatever it is called with, also inside of a shell's script. Its answers quote the passage, of
//! those that it was given in a system message, that has most words of the question: so an answer shows that the passage
//! has come along. Called as KAITO's benchmark it asks the server that runs beside it for one, as KAITO's does.

mod answer;
mod flags;

use std::convert::Infallible;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use flags::Flags;

/// The variable that says where to listen, and where the server is.
pub const ADDRESS: &str = "MODEL_SERVER_ADDRESS";
/// The variable of a directory: while there is a file [`CRASH`] in it, no server keeps running.
pub const FAULTS: &str = "MODEL_SERVER_FAULTS";
/// See [`FAULTS`].
pub const CRASH: &str = "crash";
/// In the command of the probe that is a benchmark.
pub const BENCHMARK: &str = "benchmark_entrypoint.py";

const CRASH_CHECK_INTERVAL: Duration = Duration::from_millis(100);
const BENCHMARK_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until it is asked to end, or asks a server for a benchmark.
///
/// # Errors
/// When it cannot listen, is made to crash, or there is no server to ask.
pub async fn run() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let called = words.join(" ");
    let address = std::env::var(ADDRESS).with_context(|| format!("{ADDRESS} is not set"))?;
    if called.contains(BENCHMARK) {
        return ask_for_benchmark(&address).await;
    }
    tokio::select! {
        served = serve(&address, Flags::of(&called)) => served,
        crashed = crash_when_told() => crashed,
    }
}

/// Fails as soon as the file is there.
async fn crash_when_told() -> Result<()> {
    let Some(directory) = std::env::var_os(FAULTS) else {
        return std::future::pending().await;
    };
    let file = Path::new(&directory).join(CRASH);
    loop {
        ensure!(!file.exists(), "CUDA error: an illegal memory access was encountered");
        tokio::time::sleep(CRASH_CHECK_INTERVAL).await;
    }
}

async fn serve(address: &str, flags: Flags) -> Result<()> {
    let service = Router::new()
        .route("/health", get(|| std::future::ready(StatusCode::OK)))
        .route("/v1/models", get(list))
        .route("/v1/chat/completions", post(complete))
        .route("/benchmark", post(benchmark))
        .with_state(flags.clone());
    // Gives the file that makes it crash a chance to be seen before the server is.
    tokio::time::sleep(CRASH_CHECK_INTERVAL / 2).await;
    let listener = TcpListener::bind(address).await?;
    println!("serving {} at {address}", flags.model);
    let mut end = signal(SignalKind::terminate())?;
    axum::serve(listener, service)
        .with_graceful_shutdown(async move {
            end.recv().await;
        })
        .await?;
    Ok(())
}

/// The first pod of several has the server that is measured.
async fn ask_for_benchmark(address: &str) -> Result<()> {
    if std::env::var("POD_INDEX").is_ok_and(|index| index != "0") {
        return Ok(());
    }
    // Whoever comes first installs the provider; there is one either way.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(BENCHMARK_TIMEOUT)
        .build()?;
    let asked = http.post(format!("http://{address}/benchmark")).send().await?;
    asked.error_for_status()?;
    Ok(())
}

/// Prints what KAITO's benchmark prints, with figures that are made up.
async fn benchmark() -> StatusCode {
    let now = now();
    let config = json!({"duration_sec": 60, "input_tokens": 2048, "output_tokens": 256, "max_concurrency": 8});
    let result = json!({"vllm_total_tpm": 12_345.6, "ttft_avg_ms": 210.0, "tpot_avg_ms": 11.5});
    println!("KAITO_BENCHMARK_CONFIG {now} {config}");
    println!("KAITO_BENCHMARK_RESULT {now} {result}");
    StatusCode::OK
}

async fn list(State(flags): State<Flags>) -> Json<Value> {
    let model = json!({
        "id": flags.model, "object": "model", "created": now(), "owned_by": "vllm", "max_model_len": flags.max_model_len,
    });
    Json(json!({"object": "list", "data": [model]}))
}

async fn complete(State(flags): State<Flags>, Json(request): Json<Value>) -> Response {
    let asked_for = request.get("model").and_then(Value::as_str).unwrap_or_default();
    if asked_for != flags.model {
        let message = format!("The model `{asked_for}` does not exist.");
        let error = json!({"error": {"message": message, "type": "NotFoundError", "code": 404}});
        return (StatusCode::NOT_FOUND, Json(error)).into_response();
    }
    let answer = answer::answer(&request);
    if request.get("stream") == Some(&json!(true)) {
        return streamed(&flags, &answer).into_response();
    }
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"});
    Json(completion(&flags, "chat.completion", &choice)).into_response()
}

fn streamed(flags: &Flags, answer: &str) -> Response {
    let delta = |delta: Value, finish: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        completion(flags, "chat.completion.chunk", &choice).to_string()
    };
    let words = answer
        .split_inclusive(' ')
        .map(|word| delta(json!({"content": word}), None));
    let mut chunks = vec![delta(json!({"role": "assistant", "content": ""}), None)];
    chunks.extend(words);
    chunks.extend([delta(json!({}), Some("stop")), "[DONE]".to_owned()]);
    let events = chunks
        .into_iter()
        .map(|chunk| Ok::<_, Infallible>(Event::default().data(chunk)));
    Sse::new(stream::iter(events)).into_response()
}

fn completion(flags: &Flags, object: &str, choice: &Value) -> Value {
    json!({
        "id": "chatcmpl-tests", "object": object, "created": now(), "model": flags.model, "choices": [choice],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    })
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map(|since| since.as_secs()).unwrap_or_default()
}
