use std::sync::Arc;

use super::TextStream;
use crate::policy::Policy;
use crate::verdict::Outcome;

mod examples;
mod properties;

fn policy(scanners: &str) -> Arc<Policy> {
    let loaded = Policy::parse(format!("scanners: {scanners}").as_bytes()).unwrap();
    assert_eq!(loaded.diagnostics, [], "{scanners}");
    Arc::new(loaded.policy)
}

/// What comes out of a stream of these pieces, and the stream.
fn run<'text>(policy: &Arc<Policy>, pieces: impl IntoIterator<Item = &'text str>) -> (String, TextStream) {
    let mut stream = policy.stream();
    let mut output = String::new();
    for piece in pieces {
        output.push_str(&stream.feed(piece).text);
    }
    output.push_str(&stream.finish().text);
    (output, stream)
}

/// What comes out of a stream of these pieces, and what became of it.
fn streamed<'text>(policy: &Arc<Policy>, pieces: impl IntoIterator<Item = &'text str>) -> (String, Outcome) {
    let (output, stream) = run(policy, pieces);
    (output, stream.outcome())
}

/// The text in pieces that end at these characters.
fn pieces<'text>(text: &'text str, cuts: &[usize]) -> Vec<&'text str> {
    let mut bounds: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
    bounds.push(text.len());
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| bounds[cut % bounds.len()]).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

fn characters(text: &str) -> Vec<&str> {
    text.split("").filter(|character| !character.is_empty()).collect()
}

const KEY: &str = "AKIAIOSFODNN7EXAMPLQ";
const GITHUB: &str = "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";
