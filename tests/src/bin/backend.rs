//! Serves the tests' model server, for demonstrations: no model, it repeats what it is told.

use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use kaito_tests::backend::{Backend, Reply, last_user_text};

/// Serves an OpenAI-compatible API without a model: every answer repeats the last user message.
#[derive(Parser)]
struct Arguments {
    /// Address and port to listen on.
    #[arg(long, default_value = "127.0.0.1:8000")]
    address: String,
    /// Name of the model it lists.
    #[arg(long, default_value = "test-model")]
    model: String,
    /// Context window that it says the model has, in tokens.
    #[arg(long)]
    max_model_len: Option<u64>,
    /// Answer this instead of repeating the user's message.
    #[arg(long)]
    answer: Option<String>,
    /// Milliseconds between the words of a streamed answer.
    #[arg(long, default_value_t = 0)]
    pace: u64,
    /// Bearer token to insist on.
    #[arg(long)]
    key: Option<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let backend = Backend::start_on(&arguments.address).await?;
    backend.serve_models(&[(&arguments.model, arguments.max_model_len)]);
    if let Some(key) = &arguments.key {
        backend.require_key(key);
    }
    let pace = Duration::from_millis(arguments.pace);
    let answer = arguments.answer;
    backend.reply_by(move |body| {
        let text = answer.clone();
        let text = text.unwrap_or_else(|| format!("You said: {}", last_user_text(body)));
        Reply::text(text).shaped(move |script| if pace.is_zero() { script } else { script.paced(pace) })
    });
    println!("LLM_INFERENCE_URL={}", backend.chat_url());
    tokio::signal::ctrl_c().await?;
    backend.stop().await
}
