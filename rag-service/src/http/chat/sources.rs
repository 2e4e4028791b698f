//! Where an answer came from, on the wire: `source_nodes`, `grounded`, `annotations`.

use std::collections::BTreeMap;

use rag_core::chat::citation::Citation;
use rag_guardrails::openai::guard_sources;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Exchange;
use crate::engine::{Grounding, PassageSource, SourceNode};
use crate::guardrails::Scanned;
use crate::http::wire::NodeWithScore;

/// What is told of an answer's sources, ready to be sent.
pub(super) struct WireSources {
    /// `null` when there was nothing to look up or nothing was found, as in KAITO.
    nodes: Value,
    passages: Vec<PassageSource>,
    grounded: bool,
    /// Whether the client wants to be told of them.
    included: bool,
}

#[derive(Serialize)]
struct WireNode {
    #[serde(flatten)]
    node: NodeWithScore,
    /// The passage of the prompt that it stands in: `[1]` in the answer.
    citation: u32,
}

impl WireSources {
    /// Everything that leaves is scanned, sources too: a secret redacted from an answer would stand in its source. May
    /// take milliseconds.
    pub(super) fn new(grounding: Grounding, exchange: &Exchange, response_id: &str) -> Self {
        let include_sources = exchange.options.include_sources;
        let Grounding::Grounded(sources) = grounding else {
            return Self {
                nodes: Value::Null,
                passages: Vec::new(),
                grounded: false,
                included: include_sources,
            };
        };
        let mut nodes = Vec::new();
        let mut passages = sources.passages;
        if include_sources {
            nodes = sources.nodes.into_iter().map(wire_node).collect();
        }
        if let Some(policy) = &exchange.policy {
            let report = guard_sources(policy, &mut nodes);
            exchange.record(response_id, Scanned::Sources, &report);
            for passage in &mut passages {
                passage.label = policy.scan_fragment(&passage.label).text;
            }
        }
        Self {
            nodes: Value::Array(nodes),
            passages,
            grounded: true,
            included: include_sources,
        }
    }

    /// How many passages an answer can cite.
    pub(super) fn passage_count(&self) -> u32 {
        u32::try_from(self.passages.len()).unwrap_or(u32::MAX)
    }

    /// Adds `source_nodes` and `grounded` to an answer.
    pub(super) fn describe(&self, answer: &mut Map<String, Value>) {
        if self.included {
            answer.insert("source_nodes".to_owned(), self.nodes.clone());
        }
        answer.insert("grounded".to_owned(), Value::Bool(self.grounded));
    }

    /// As [`WireSources::describe`] for a stream, in which no sources are an empty list.
    pub(super) fn describe_in_stream(&self, chunk: &mut Map<String, Value>) {
        self.describe(chunk);
        if self.included && self.nodes.is_null() {
            chunk.insert("source_nodes".to_owned(), Value::Array(Vec::new()));
        }
    }

    /// One entry for each citation, in the shape of OpenAI's.
    pub(super) fn annotations(&self, citations: &[Citation]) -> Vec<Value> {
        let by_number: BTreeMap<u32, &PassageSource> =
            self.passages.iter().map(|passage| (passage.number, passage)).collect();
        citations
            .iter()
            .filter_map(|citation| {
                let passage = by_number.get(&citation.number)?;
                Some(json!({
                    "type": "file_citation",
                    "file_citation": {
                        "number": citation.number,
                        "start_index": citation.start,
                        "end_index": citation.end,
                        "file_id": passage.document_id.as_str(),
                        "filename": passage.label,
                        "node_ids": passage.node_ids.iter().map(|id| id.as_str()).collect::<Vec<_>>(),
                    }
                }))
            })
            .collect()
    }
}

fn wire_node(source: SourceNode) -> Value {
    let node = WireNode {
        node: NodeWithScore::of_chat(source.node),
        citation: source.passage,
    };
    // Strings, numbers and metadata that came from JSON: nothing that JSON could not hold.
    serde_json::to_value(node).unwrap_or_default()
}
