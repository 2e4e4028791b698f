//! A completion in OpenAI's format: chat or text, whole or as the chunks of a stream (as vLLM sends them).

use serde_json::{Map, Value, json};

/// Deterministic, so that a whole answer can be compared.
const CREATED: u64 = 1_700_000_000;
/// Characters of one delta of a tool's arguments.
const ARGUMENT_PIECE: usize = 8;

#[derive(Clone, Debug)]
pub(super) struct Completion {
    choices: Vec<Choice>,
    usage: Usage,
    fields: Map<String, Value>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Choice {
    text: Option<String>,
    pieces: Option<Vec<String>>,
    tool_calls: Vec<(String, String)>,
    finish_reason: Option<String>,
    fields: Map<String, Value>,
}

#[derive(Clone, Copy, Debug)]
enum Usage {
    Counted,
    Given { prompt: u64, completion: u64 },
    Absent,
}

impl Choice {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::default()
        }
    }

    pub(super) fn tool_calls(calls: &[(&str, Value)]) -> Self {
        Self {
            tool_calls: calls
                .iter()
                .map(|(name, arguments)| ((*name).to_owned(), arguments.to_string()))
                .collect(),
            ..Self::default()
        }
    }

    fn finish_reason(&self) -> &str {
        let usual = if self.tool_calls.is_empty() {
            "stop"
        } else {
            "tool_calls"
        };
        self.finish_reason.as_deref().unwrap_or(usual)
    }

    fn message(&self) -> Value {
        let mut message = Map::from_iter([
            ("role".to_owned(), json!("assistant")),
            ("content".to_owned(), json!(self.text)),
        ]);
        if !self.tool_calls.is_empty() {
            let calls = self.tool_calls.iter().enumerate().map(|(index, (name, arguments))| {
                json!({
                    "id": format!("call_{index}"),
                    "type": "function",
                    "function": {"name": name, "arguments": arguments},
                })
            });
            message.insert("tool_calls".to_owned(), calls.collect());
        }
        message.extend(self.fields.clone());
        Value::Object(message)
    }

    /// What is streamed, in order: the role, other fields one by one, the text by pieces, the calls of tools.
    fn deltas(&self) -> Vec<Value> {
        let mut deltas = vec![json!({"role": "assistant", "content": ""})];
        for (name, value) in &self.fields {
            deltas.push(Value::Object(Map::from_iter([(name.clone(), value.clone())])));
        }
        deltas.extend(self.pieces().iter().map(|piece| json!({"content": piece})));
        for (index, (name, arguments)) in self.tool_calls.iter().enumerate() {
            let function = json!({"name": name, "arguments": ""});
            let call = json!({"index": index, "id": format!("call_{index}"), "type": "function", "function": function});
            deltas.push(json!({"tool_calls": [call]}));
            let characters: Vec<char> = arguments.chars().collect();
            for piece in characters.chunks(ARGUMENT_PIECE) {
                let piece: String = piece.iter().collect();
                deltas.push(json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}));
            }
        }
        deltas
    }

    fn pieces(&self) -> Vec<String> {
        let words = || {
            let text = self.text.as_deref().unwrap_or_default();
            text.split_inclusive(' ').map(str::to_owned).collect()
        };
        self.pieces.clone().unwrap_or_else(words)
    }
}

impl Completion {
    pub(super) fn new(choices: impl IntoIterator<Item = Choice>) -> Self {
        Self {
            choices: choices.into_iter().collect(),
            usage: Usage::Counted,
            fields: Map::new(),
        }
    }

    pub(super) fn finish_with(&mut self, reason: &str) {
        for choice in &mut self.choices {
            choice.finish_reason = Some(reason.to_owned());
        }
    }

    pub(super) fn set_usage(&mut self, prompt: u64, completion: u64) {
        self.usage = Usage::Given { prompt, completion };
    }

    pub(super) fn leave_usage_out(&mut self) {
        self.usage = Usage::Absent;
    }

    pub(super) fn set_field(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }

    pub(super) fn set_message_field(&mut self, name: &str, value: Value) {
        if let Some(choice) = self.choices.first_mut() {
            choice.fields.insert(name.to_owned(), value);
        }
    }

    pub(super) fn set_pieces(&mut self, pieces: &[&str]) {
        if let Some(choice) = self.choices.first_mut() {
            choice.pieces = Some(pieces.iter().map(|piece| (*piece).to_owned()).collect());
        }
    }

    /// The answer to a chat request.
    pub(super) fn chat(&self, request: &Value) -> Value {
        self.whole(request, "chat.completion", |choice| ("message", choice.message()))
    }

    /// The answer to a text completion request.
    pub(super) fn text(&self, request: &Value) -> Value {
        self.whole(request, "text_completion", |choice| {
            ("text", json!(choice.text.as_deref().unwrap_or_default()))
        })
    }

    /// The events of a streamed answer to a chat request, without `[DONE]`.
    pub(super) fn chat_chunks(&self, request: &Value) -> Vec<Value> {
        self.chunks(request, "chat.completion.chunk", |choice| {
            let deltas = choice.deltas().into_iter().map(|delta| ("delta", delta)).collect();
            (deltas, ("delta", json!({})))
        })
    }

    /// The events of a streamed answer to a text completion request, without `[DONE]`.
    pub(super) fn text_chunks(&self, request: &Value) -> Vec<Value> {
        self.chunks(request, "text_completion", |choice| {
            let pieces = choice
                .pieces()
                .into_iter()
                .map(|piece| ("text", json!(piece)))
                .collect();
            (pieces, ("text", json!("")))
        })
    }

    fn whole(&self, request: &Value, object: &str, content: impl Fn(&Choice) -> (&'static str, Value)) -> Value {
        let choices = (0_u64..).zip(&self.choices).map(|(index, choice)| {
            let (name, value) = content(choice);
            choice_object(index, name, value, json!(choice.finish_reason()))
        });
        let mut answer = self.envelope(request, object, choices.collect());
        if let Some(usage) = self.usage(request) {
            answer.insert("usage".to_owned(), usage);
        }
        Value::Object(answer)
    }

    /// All choices' contents, one choice after the other, then each one's end, then the usage if it was asked for.
    fn chunks(
        &self,
        request: &Value,
        object: &str,
        contents: impl Fn(&Choice) -> (Vec<(&'static str, Value)>, (&'static str, Value)),
    ) -> Vec<Value> {
        let mut chunks = Vec::new();
        for (index, choice) in (0_u64..).zip(&self.choices) {
            let (contents, (name, nothing)) = contents(choice);
            let unfinished = contents
                .into_iter()
                .map(|(name, value)| choice_object(index, name, value, Value::Null));
            let last = choice_object(index, name, nothing, json!(choice.finish_reason()));
            chunks.extend(unfinished.chain([last]).map(|choice| json!([choice])));
        }
        let mut chunks: Vec<Value> = chunks
            .into_iter()
            .map(|choices| Value::Object(self.envelope(request, object, choices)))
            .collect();
        let asked = request.pointer("/stream_options/include_usage") == Some(&Value::Bool(true));
        if let Some(usage) = self.usage(request).filter(|_| asked) {
            let mut chunk = self.envelope(request, object, json!([]));
            chunk.insert("usage".to_owned(), usage);
            chunks.push(Value::Object(chunk));
        }
        chunks
    }

    fn envelope(&self, request: &Value, object: &str, choices: Value) -> Map<String, Value> {
        let model = request.get("model").cloned().unwrap_or_else(|| json!("test-model"));
        let mut envelope = Map::from_iter([
            ("id".to_owned(), json!("chatcmpl-test")),
            ("object".to_owned(), json!(object)),
            ("created".to_owned(), json!(CREATED)),
            ("model".to_owned(), model),
            ("choices".to_owned(), choices),
        ]);
        envelope.extend(self.fields.clone());
        envelope
    }

    fn usage(&self, request: &Value) -> Option<Value> {
        let (prompt, completion) = match self.usage {
            Usage::Absent => return None,
            Usage::Given { prompt, completion } => (prompt, completion),
            Usage::Counted => (words_below(request), self.words()),
        };
        let total = prompt + completion;
        Some(json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}))
    }

    fn words(&self) -> u64 {
        let texts = self.choices.iter().filter_map(|choice| choice.text.as_deref());
        texts.map(words).sum()
    }
}

fn choice_object(index: u64, name: &str, value: Value, finish_reason: Value) -> Value {
    let mut choice = Map::from_iter([("index".to_owned(), json!(index))]);
    choice.insert(name.to_owned(), value);
    choice.insert("logprobs".to_owned(), Value::Null);
    choice.insert("finish_reason".to_owned(), finish_reason);
    Value::Object(choice)
}

/// Words in the messages or the prompt of a request: the server's idea of tokens.
fn words_below(request: &Value) -> u64 {
    match request {
        Value::String(text) => words(text),
        Value::Array(list) => list.iter().map(words_below).sum(),
        Value::Object(object) => ["messages", "prompt", "content", "text"]
            .iter()
            .filter_map(|name| object.get(*name))
            .map(words_below)
            .sum(),
        _ => 0,
    }
}

fn words(text: &str) -> u64 {
    text.split_whitespace().map(|_| 1).sum()
}
