//! An OpenAI-compatible model server for tests: it answers what the test says and remembers what it was asked.
//!
//! `GET …/models`, `POST …/chat/completions` and `POST …/completions`, streamed or not, under any prefix. What it answers
//! is a [`Reply`], programmed in order or made by a function of the request, and may be changed while it runs. There is
//! no model in here and no clock: a streamed answer waits for a [`Gate`], not for a time.

mod completion;
mod gate;
mod recording;
mod reply;
mod routes;
mod script;

pub use gate::Gate;
pub use recording::{Counts, Request};
pub use reply::Reply;
pub use script::Script;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::serve::ListenerExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use routes::Shared;

/// How long a test waits for something that should happen at once before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running model server. Stopped when dropped.
pub struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<std::io::Result<()>>,
    stop: CancellationToken,
}

impl Backend {
    /// A server on a free port of 127.0.0.1 with one model, `test-model`, that echoes the last user message.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> Result<Self> {
        Self::start_on("127.0.0.1:0").await
    }

    /// The same on a given address.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start_on(address: &str) -> Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address:?}"))?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared::new(stop.clone()));
        shared.answer_by(|body| Reply::text(format!("You said: {}", last_user_text(body))));
        shared.answer_models(Reply::json(model_list(&[("test-model", None)])));
        // Without this, small chunks would wait for the client's delayed acknowledgements.
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        let router = routes::router(Arc::clone(&shared));
        let stopping = stop.clone().cancelled_owned();
        let server = tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stopping).await });
        Ok(Self {
            address,
            shared,
            server,
            stop,
        })
    }

    /// A server that gives these replies in order, the last one again and again.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn replying(replies: impl IntoIterator<Item = Reply>) -> Result<Self> {
        let backend = Self::start().await?;
        backend.reply(replies);
        Ok(backend)
    }

    /// From now on gives these replies in order, the last one again and again. Replies not used yet are forgotten.
    pub fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.answer_in_order(replies);
    }

    /// Adds a reply behind those not used yet.
    pub fn push(&self, reply: Reply) {
        self.shared.push(reply);
    }

    /// From now on makes each reply from the body of its request.
    pub fn reply_by(&self, make: impl Fn(&Value) -> Reply + Send + Sync + 'static) {
        self.shared.answer_by(make);
    }

    /// Lists these models, each with its `max_model_len` (vLLM's field) if it has one.
    pub fn serve_models(&self, models: &[(&str, Option<u64>)]) {
        self.shared.answer_models(Reply::json(model_list(models)));
    }

    /// Answers `GET /v1/models` with this: an error, something late, something broken.
    pub fn reply_to_models(&self, reply: Reply) {
        self.shared.answer_models(reply);
    }

    /// Refuses with 401 whoever does not send `Authorization: Bearer <key>`.
    pub fn require_key(&self, key: &str) {
        self.shared.require_key(key);
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://…/v1`, as SDKs want it.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The URL of chat completions, for `LLM_INFERENCE_URL`.
    pub fn chat_url(&self) -> String {
        format!("{}/chat/completions", self.base_url())
    }

    /// The URL of text completions.
    pub fn completions_url(&self) -> String {
        format!("{}/completions", self.base_url())
    }

    /// Every completion request so far, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.board.requests()
    }

    /// The newest completion request.
    ///
    /// # Errors
    /// When there was none.
    pub fn last_request(&self) -> Result<Request> {
        self.requests().pop().context("the backend was not asked")
    }

    /// Every request to list the models so far, oldest first.
    pub fn model_requests(&self) -> Vec<Request> {
        self.shared.board.model_requests()
    }

    /// How many requests there were and are.
    pub fn counts(&self) -> Counts {
        self.shared.board.counts()
    }

    /// Waits until `n` completion requests have arrived, and returns all.
    ///
    /// # Errors
    /// When they do not arrive.
    pub async fn wait_for_requests(&self, n: usize) -> Result<Vec<Request>> {
        self.wait_until(|counts| counts.received >= n).await?;
        Ok(self.requests())
    }

    /// Waits until a client has gone away before the end of its answer.
    ///
    /// # Errors
    /// When none goes.
    pub async fn cancelled(&self) -> Result<()> {
        self.wait_until(|counts| counts.cancelled > 0).await.map(drop)
    }

    /// Waits until no completion request is being answered any more.
    ///
    /// # Errors
    /// When one goes on.
    pub async fn idle(&self) -> Result<()> {
        self.wait_until(|counts| counts.in_flight == 0).await.map(drop)
    }

    /// Waits until the counts are as wanted.
    ///
    /// # Errors
    /// When they do not become so; the error has the counts.
    pub async fn wait_until(&self, wanted: impl FnMut(&Counts) -> bool) -> Result<Counts> {
        tokio::time::timeout(PATIENCE, self.shared.board.wait_until(wanted))
            .await
            .with_context(|| format!("the backend waited {PATIENCE:?} in vain; it has {:?}", self.counts()))
    }

    /// Stops listening, cuts off every answer under way, and returns when all connections are closed. The port is free
    /// then: [`Backend::start_on`] may take it again.
    ///
    /// # Errors
    /// When a connection stays open.
    pub async fn stop(mut self) -> Result<()> {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, &mut self.server)
            .await
            .context("the backend does not stop")???;
        Ok(())
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The text of the last message whose role is `user`, or the prompt of a text completion.
pub fn last_user_text(body: &Value) -> String {
    if let Some(prompt) = body.get("prompt") {
        return text_of(prompt);
    }
    body.get("messages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .rfind(|message| message.get("role").is_some_and(|role| role == "user"))
        .and_then(|message| message.get("content"))
        .map(text_of)
        .unwrap_or_default()
}

/// A string, or the texts of a list of content parts.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part.get("text").unwrap_or(part).as_str())
            .collect(),
        _ => String::new(),
    }
}

fn model_list(models: &[(&str, Option<u64>)]) -> Value {
    let data: Vec<Value> = models
        .iter()
        .map(|(id, max_model_len)| {
            let mut model = json!({"id": id, "object": "model", "created": 1_700_000_000, "owned_by": "tests"});
            if let (Some(max_model_len), Some(model)) = (max_model_len, model.as_object_mut()) {
                model.insert("max_model_len".to_owned(), json!(max_model_len));
            }
            model
        })
        .collect();
    json!({"object": "list", "data": data})
}
