//! The two wire formats: what is sent, and how an answer is read. No I/O.

use serde::{Deserialize, Serialize};

use super::RemoteFlavour;
use crate::EmbedError;

/// The texts of one request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    One(String),
    Many(Vec<String>),
}

/// A request's JSON.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Body<'a> {
    OpenAi {
        #[serde(skip_serializing_if = "Option::is_none")]
        model: Option<&'a str>,
        input: &'a [String],
        encoding_format: &'static str,
    },
    One {
        inputs: &'a str,
    },
    Many {
        inputs: &'a [String],
    },
}

#[derive(Deserialize)]
struct OpenAiAnswer {
    data: Vec<OpenAiVector>,
}

#[derive(Deserialize)]
struct OpenAiVector {
    /// Some servers leave it out and answer in order.
    index: Option<usize>,
    embedding: Vec<f32>,
}

/// One vector, or one for each text.
#[derive(Deserialize)]
#[serde(untagged)]
enum InputsAnswer {
    Nested(Vec<Vec<f32>>),
    Flat(Vec<f32>),
}

pub(super) const NOT_THE_FORMAT: &str = "it is not JSON of the expected shape";
pub(super) const FLAT_FOR_MANY: &str = "one vector for several texts";
const OTHER_COUNT: &str = "it does not have one vector for each text";

impl Request {
    fn texts(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }

    /// The request's JSON.
    pub(super) fn body<'a>(&'a self, flavour: RemoteFlavour, model: Option<&'a str>) -> Body<'a> {
        match (flavour, self) {
            (RemoteFlavour::OpenAi, _) => Body::OpenAi {
                model,
                input: self.texts(),
                encoding_format: "float",
            },
            (RemoteFlavour::Inputs, Self::One(text)) => Body::One { inputs: text },
            (RemoteFlavour::Inputs, Self::Many(texts)) => Body::Many { inputs: texts },
        }
    }

    /// One vector for each text, in the texts' order.
    pub(super) fn read_answer(&self, flavour: RemoteFlavour, answer: &[u8]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let vectors = match flavour {
            RemoteFlavour::OpenAi => in_order(parse::<OpenAiAnswer>(answer)?.data)?,
            RemoteFlavour::Inputs => match (parse::<InputsAnswer>(answer)?, self) {
                (InputsAnswer::Nested(vectors), _) => vectors,
                (InputsAnswer::Flat(vector), Self::One(_)) => vec![vector],
                (InputsAnswer::Flat(_), Self::Many(_)) => return Err(malformed(FLAT_FOR_MANY)),
            },
        };
        if vectors.len() != self.texts().len() {
            return Err(malformed(OTHER_COUNT));
        }
        if vectors.iter().any(Vec::is_empty) {
            return Err(malformed("a vector is empty"));
        }
        Ok(vectors)
    }
}

fn parse<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Result<T, EmbedError> {
    // serde's message may quote the answer, and the answer may quote the text: it is dropped.
    serde_json::from_slice(answer).map_err(|_quotes_the_answer| malformed(NOT_THE_FORMAT))
}

fn in_order(mut data: Vec<OpenAiVector>) -> Result<Vec<Vec<f32>>, EmbedError> {
    if data.iter().any(|vector| vector.index.is_some()) {
        data.sort_by_key(|vector| vector.index);
        if data
            .iter()
            .enumerate()
            .any(|(position, vector)| vector.index != Some(position))
        {
            return Err(malformed("its indexes are not those of the texts"));
        }
    }
    Ok(data.into_iter().map(|vector| vector.embedding).collect())
}

fn malformed(reason: &'static str) -> EmbedError {
    EmbedError::RemoteMalformed { reason }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn many() -> Request {
        Request::Many(vec!["a".into(), "b".into()])
    }

    fn one() -> Request {
        Request::One("a".into())
    }

    #[test]
    fn requests_have_the_shape_that_each_protocol_wants() {
        let body = |request: &Request, flavour, model| {
            serde_json::to_value(request.body(flavour, model)).expect("serialisable")
        };
        assert_eq!(
            body(&many(), RemoteFlavour::OpenAi, Some("m")),
            json!({"model": "m", "input": ["a", "b"], "encoding_format": "float"})
        );
        assert_eq!(
            body(&one(), RemoteFlavour::OpenAi, None),
            json!({"input": ["a"], "encoding_format": "float"})
        );
        assert_eq!(body(&one(), RemoteFlavour::Inputs, Some("m")), json!({"inputs": "a"}));
        assert_eq!(
            body(&many(), RemoteFlavour::Inputs, None),
            json!({"inputs": ["a", "b"]})
        );
    }

    #[test]
    fn flat_nested_and_openai_answers_are_read_in_the_texts_order() {
        let read = |request: &Request, flavour, answer: serde_json::Value| {
            request.read_answer(flavour, answer.to_string().as_bytes())
        };
        assert_eq!(
            read(&one(), RemoteFlavour::Inputs, json!([1.0, 2])).expect("flat"),
            [[1.0, 2.0]]
        );
        assert_eq!(
            read(&one(), RemoteFlavour::Inputs, json!([[1.0, 2.0]])).expect("nested"),
            [[1.0, 2.0]]
        );
        assert_eq!(
            read(&many(), RemoteFlavour::Inputs, json!([[1.0], [2.0]])).expect("nested"),
            [[1.0], [2.0]]
        );
        let shuffled = json!({"data": [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]});
        assert_eq!(
            read(&many(), RemoteFlavour::OpenAi, shuffled).expect("OpenAI"),
            [[1.0], [2.0]]
        );
        let unnumbered = json!({"data": [{"embedding": [1.0]}, {"embedding": [2.0]}]});
        assert_eq!(
            read(&many(), RemoteFlavour::OpenAi, unnumbered).expect("OpenAI"),
            [[1.0], [2.0]]
        );
    }

    #[test]
    fn answers_of_another_shape_or_count_are_malformed() {
        for (request, flavour, answer) in [
            (many(), RemoteFlavour::Inputs, json!([1.0, 2.0])),
            (many(), RemoteFlavour::Inputs, json!([[1.0]])),
            (one(), RemoteFlavour::Inputs, json!([[]])),
            (one(), RemoteFlavour::Inputs, json!({"error": "no"})),
            (one(), RemoteFlavour::Inputs, json!(["a"])),
            (
                many(),
                RemoteFlavour::OpenAi,
                json!({"data": [{"index": 0, "embedding": [1.0]}]}),
            ),
            (
                many(),
                RemoteFlavour::OpenAi,
                json!({"data": [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}]}),
            ),
        ] {
            let read = request.read_answer(flavour, answer.to_string().as_bytes());
            assert!(
                matches!(read, Err(EmbedError::RemoteMalformed { .. })),
                "{answer}: {read:?}"
            );
        }
    }
}
