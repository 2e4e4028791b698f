//! What the model says.

use std::collections::BTreeSet;

use serde_json::Value;

const NOTHING: &str = "I was given no documents to answer from.";
const FENCE: &str = "```";

/// The passage that fits the question best, with its number.
pub(super) fn answer(request: &Value) -> String {
    let said = |role: &str| -> Vec<&str> {
        let messages = request.get("messages").and_then(Value::as_array).into_iter().flatten();
        messages
            .filter(|message| message.get("role").and_then(Value::as_str) == Some(role))
            .filter_map(|message| message.get("content")?.as_str())
            .collect()
    };
    let question = said("user").pop().map(words).unwrap_or_default();
    let context = said("system").join("\n");
    let common = |passage: &&Passage| words(passage.text).intersection(&question).count();
    // The first of the best ones.
    let best = passages(&context);
    let best = best.iter().rev().max_by_key(common);
    best.map_or_else(
        || NOTHING.to_owned(),
        |found| format!("{} [{}]", found.text, found.number),
    )
}

struct Passage<'a> {
    number: usize,
    text: &'a str,
}

/// What stands between fences, each under a line that begins with its number in brackets.
fn passages(context: &str) -> Vec<Passage<'_>> {
    let mut passages = Vec::new();
    let mut pieces = context.split(FENCE);
    while let (Some(before), Some(text)) = (pieces.next(), pieces.next()) {
        let line = before.trim_end().lines().last().unwrap_or_default();
        let number = line.strip_prefix('[').and_then(|line| line.split_once(']'));
        if let Some(number) = number.and_then(|(number, _)| number.parse().ok()) {
            let text = text.trim();
            passages.push(Passage { number, text });
        }
    }
    passages
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !character.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_passage_with_most_words_of_the_question_is_the_answer() {
        let context =
            "Use this.\n\n[1] document a\n```\nFish swim.\n```\n\n[2] document b\n```\nCats purr when content.\n```\n";
        let ask = |context: &str| {
            answer(&json!({"messages": [
                {"role": "system", "content": context}, {"role": "user", "content": "What do content cats do?"},
            ]}))
        };
        assert_eq!(ask(context), "Cats purr when content. [2]");
        assert_eq!(ask("Be brief."), NOTHING);
    }
}
