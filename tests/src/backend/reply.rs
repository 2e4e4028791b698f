//! What the server answers to one request.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::{Value, json};

use super::completion::{Choice, Completion};
use super::gate::Gate;
use super::script::Script;

/// An answer. A completion is rendered as the request wants it: for chat or text, whole or streamed.
#[derive(Clone)]
pub struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(String, String)>,
    pub(super) before: Vec<Before>,
    pub(super) content: Content,
    pub(super) shape: Option<Shape>,
}

/// Changes the steps of a body.
type Shape = Arc<dyn Fn(Script) -> Script + Send + Sync>;

/// What is waited for before the status line.
#[derive(Clone)]
pub(super) enum Before {
    Pass(Gate),
    Wait(Duration),
    Forever,
}

#[derive(Clone)]
pub(super) enum Content {
    Completion(Completion),
    Bytes { content_type: &'static str, bytes: Bytes },
    Script { content_type: &'static str, script: Script },
}

/// Completions.
impl Reply {
    /// An assistant's text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::completion([Choice::text(text)])
    }

    /// Several choices, each a text.
    pub fn choices<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::completion(texts.into_iter().map(Choice::text))
    }

    /// Calls of tools: name and arguments of each. Their ids are `call_0`, `call_1` and so on.
    pub fn tool_calls(calls: &[(&str, Value)]) -> Self {
        Self::completion([Choice::tool_calls(calls)])
    }

    fn completion(choices: impl IntoIterator<Item = Choice>) -> Self {
        Self::new(Content::Completion(Completion::new(choices)))
    }

    /// With `reasoning_content` in the first choice.
    #[must_use]
    pub fn reasoning(self, text: &str) -> Self {
        self.message_field("reasoning_content", text)
    }

    /// With this `finish_reason` in every choice instead of `stop` or `tool_calls`.
    #[must_use]
    pub fn finish_reason(self, reason: &str) -> Self {
        self.edit(|completion| completion.finish_with(reason))
    }

    /// With this usage instead of a count of words.
    #[must_use]
    pub fn usage(self, prompt_tokens: u64, completion_tokens: u64) -> Self {
        self.edit(|completion| completion.set_usage(prompt_tokens, completion_tokens))
    }

    /// Without usage, even if the request asks for it.
    #[must_use]
    pub fn without_usage(self) -> Self {
        self.edit(Completion::leave_usage_out)
    }

    /// With a top-level field; in every chunk when streamed. Replaces `id`, `model` and the like.
    #[must_use]
    pub fn field(self, name: &str, value: impl Into<Value>) -> Self {
        self.edit(|completion| completion.set_field(name, value.into()))
    }

    /// With a field in the first choice's message, or in a delta of its own when streamed.
    #[must_use]
    pub fn message_field(self, name: &str, value: impl Into<Value>) -> Self {
        self.edit(|completion| completion.set_message_field(name, value.into()))
    }

    /// With the first choice's text streamed in these pieces instead of word by word.
    #[must_use]
    pub fn in_pieces(self, pieces: &[&str]) -> Self {
        self.edit(|completion| completion.set_pieces(pieces))
    }

    fn edit(mut self, change: impl FnOnce(&mut Completion)) -> Self {
        if let Content::Completion(completion) = &mut self.content {
            change(completion);
        }
        self
    }
}

/// Everything else.
impl Reply {
    /// JSON as it is, streamed or not.
    pub fn json(body: impl Into<Value>) -> Self {
        Self::bytes("application/json", body.into().to_string())
    }

    /// Bytes as they are.
    pub fn bytes(content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self::new(Content::Bytes {
            content_type,
            bytes: bytes.into(),
        })
    }

    /// A body of server-sent events in steps, whatever the request wants.
    pub fn stream(script: Script) -> Self {
        Self::script("text/event-stream", script)
    }

    /// A body in steps.
    pub fn script(content_type: &'static str, script: Script) -> Self {
        Self::new(Content::Script { content_type, script })
    }

    /// An error in OpenAI's format. `status` is one; an impossible one becomes 500.
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(json!({"error": {"message": message, "type": "test_error", "param": null, "code": status}}))
            .status(status)
    }

    /// No answer, not even a status line, until the client goes away.
    pub fn hang() -> Self {
        Self::text("").with_before(Before::Forever)
    }

    /// A connection that is closed without a status line.
    pub fn hang_up() -> Self {
        Self::stream(Script::new().disconnect())
    }

    /// With another status. An impossible one becomes 500.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends nothing, not even the status line, until the gate lets it through.
    #[must_use]
    pub fn held(self, gate: &Gate) -> Self {
        self.with_before(Before::Pass(gate.clone()))
    }

    /// Sends nothing for a time. For tests of time limits; others use a gate.
    #[must_use]
    pub fn late(self, time: Duration) -> Self {
        self.with_before(Before::Wait(time))
    }

    /// Sends the body in changed steps: one piece an event when streamed, one piece in all otherwise.
    #[must_use]
    pub fn shaped(mut self, shape: impl Fn(Script) -> Script + Send + Sync + 'static) -> Self {
        self.shape = Some(match self.shape.take() {
            Some(first) => Arc::new(move |script| shape(first(script))),
            None => Arc::new(shape),
        });
        self
    }

    /// Waits for the gate before each piece of the body.
    #[must_use]
    pub fn gated(self, gate: &Gate) -> Self {
        let gate = gate.clone();
        self.shaped(move |script| script.gated(&gate))
    }

    fn new(content: Content) -> Self {
        Self {
            status: StatusCode::OK,
            headers: Vec::new(),
            before: Vec::new(),
            content,
            shape: None,
        }
    }

    fn with_before(mut self, before: Before) -> Self {
        self.before.push(before);
        self
    }
}
