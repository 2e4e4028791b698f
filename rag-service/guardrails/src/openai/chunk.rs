//! The form of a chunk of a stream. What has another form can not be scanned and is refused, with KAITO's words.

use serde_json::{Map, Value};

/// A chunk taken apart.
pub(super) struct Chunk {
    /// Everything but the choices.
    pub(super) envelope: Map<String, Value>,
    /// The choices, if there is a list of them; `None` if they are missing or null.
    pub(super) choices: Option<Vec<ChunkChoice>>,
}

/// A choice of a chunk taken apart.
pub(super) struct ChunkChoice {
    pub(super) index: u64,
    /// Everything but the delta.
    pub(super) fields: Map<String, Value>,
    pub(super) delta: Map<String, Value>,
    pub(super) is_finish: bool,
}

impl Chunk {
    pub(super) fn new(chunk: Value) -> Result<Self, &'static str> {
        let Value::Object(mut envelope) = chunk else {
            return Err("OpenAI chat stream data must be a JSON object.");
        };
        let choices = match envelope.get_mut("choices").map(Value::take) {
            None | Some(Value::Null) => None,
            Some(Value::Array(choices)) => Some(choices.into_iter().map(ChunkChoice::new).collect::<Result<_, _>>()?),
            Some(_) => return Err("OpenAI chat stream choices must be a list."),
        };
        Ok(Self { envelope, choices })
    }
}

impl ChunkChoice {
    fn new(choice: Value) -> Result<Self, &'static str> {
        let Value::Object(mut fields) = choice else {
            return Err("OpenAI chat stream choice must be a JSON object.");
        };
        let Some(index) = fields.get("index").and_then(Value::as_u64) else {
            return Err("OpenAI chat stream choice index must be an integer.");
        };
        let delta = match fields.get_mut("delta").map(Value::take) {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(delta)) => delta,
            Some(_) => return Err("OpenAI chat stream choice delta must be a JSON object."),
        };
        if !matches!(delta.get("content"), None | Some(Value::Null | Value::String(_))) {
            return Err("OpenAI chat stream delta content must be a string or null.");
        }
        let is_finish = match fields.get("finish_reason") {
            None | Some(Value::Null) => false,
            Some(Value::String(_)) => true,
            Some(_) => return Err("OpenAI chat stream finish_reason must be a string or null."),
        };
        Ok(Self {
            index,
            fields,
            delta,
            is_finish,
        })
    }
}
