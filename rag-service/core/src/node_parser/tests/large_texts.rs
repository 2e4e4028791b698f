//! Texts of many windows, and texts made to be hard.

use serde_json::json;

use super::*;

fn paragraphs(count: usize) -> String {
    (0..count)
        .map(|number| {
            let sentences: String = (0..number % 7 + 1)
                .map(|sentence| format!("Die Größe {number} of part {sentence} is known. "))
                .collect();
            let heading = if number % 11 == 0 {
                format!("## Part {number}\n\n")
            } else {
                String::new()
            };
            format!("{heading}{sentences}\n\n")
        })
        .collect()
}

fn prose() -> [Value; 2] {
    [json!({}), json!({"split_type": "markdown"})]
}

fn source(languages: &[&str]) -> Vec<Value> {
    languages
        .iter()
        .map(|language| json!({"split_type": "code", "language": language}))
        .collect()
}

fn check_all(counter: TokenCounter, texts: &[String], split_types: &[Value]) {
    let parser = NodeParser::new(
        NodeParserSettings {
            chunk_tokens: 512,
            ..Default::default()
        },
        counter,
    );
    for (text, split_type) in texts
        .iter()
        .flat_map(|text| split_types.iter().map(move |kind| (text, kind)))
    {
        parse_checked(&parser, &document(text, split_type.clone()));
    }
}

#[test]
fn a_text_of_several_windows_is_cut_as_one() {
    let text = paragraphs(900);
    assert!(text.len() > 100_000);
    check_all(word_pieces(), std::slice::from_ref(&text), &prose());
    check_all(bytes(), std::slice::from_ref(&text), &prose());
    check_all(TokenCounter::estimate(), &[text], &source(&["rust", "json", "yaml"]));
}

#[test]
fn prose_overlaps_across_windows_too() {
    let text: String = (0..5000)
        .map(|number| format!("Sentence number {number} is here. "))
        .collect();
    let nodes = parse_checked(&sized(200), &document(&text, json!({})));
    assert!(nodes.windows(2).all(|pair| pair[1].span.start < pair[0].span.end));
}

#[test]
fn prose_without_boundaries_is_cut_in_bounded_time() {
    let texts = [
        "a".repeat(140_000),
        (0..140_000_u32)
            .filter_map(|number| char::from_digit(number.wrapping_mul(2_654_435_761) >> 28, 16))
            .collect(),
        format!("{}x", " ".repeat(140_000)),
        (1..400).map(|length| format!("x{}", "\n".repeat(length))).collect(),
        "> ".repeat(30_000),
        format!("e{}", "\u{301}".repeat(70_000)),
        "👨‍👩‍👧".repeat(5_000),
        "日本語の文章です。".repeat(2_000),
        "\u{fdfa}".repeat(20_000),
    ];
    check_all(word_pieces(), &texts, &prose());
}

#[test]
fn code_of_extreme_depth_is_cut_in_bounded_time() {
    let texts = [
        "[".repeat(50_000),
        "<a>".repeat(12_000),
        "a+".repeat(20_000),
        "{\n".repeat(20_000),
        "- ".repeat(20_000),
        (0..300).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
        format!("f({})\n", ["<<~A"; 300].join(", ")),
    ];
    check_all(
        TokenCounter::estimate(),
        &texts,
        &source(&["rust", "json", "html", "bash", "yaml", "python", "ruby"]),
    );
}
