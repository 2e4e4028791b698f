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

fn split_types() -> [Value; 5] {
    [
        json!({}),
        json!({"split_type": "markdown"}),
        json!({"split_type": "code", "language": "rust"}),
        json!({"split_type": "code", "language": "json"}),
        json!({"split_type": "code", "language": "html"}),
    ]
}

#[test]
fn a_text_of_several_windows_is_cut_as_one() {
    let text = paragraphs(900);
    assert!(text.len() > 100_000);
    for counter in [word_pieces(), bytes(), TokenCounter::estimate()] {
        let parser = NodeParser::new(
            NodeParserSettings {
                chunk_tokens: 256,
                ..Default::default()
            },
            counter,
        );
        for metadata in split_types() {
            parse_checked(&parser, &document(&text, metadata));
        }
    }
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
fn hard_texts_are_cut_in_bounded_time() {
    let texts = [
        "a".repeat(80_000),
        (0..80_000_u32)
            .filter_map(|number| char::from_digit(number.wrapping_mul(2_654_435_761) >> 28, 16))
            .collect(),
        format!("{}x", " ".repeat(80_000)),
        (1..400).map(|length| format!("x{}", "\n".repeat(length))).collect(),
        "[".repeat(70_000),
        "<a>".repeat(25_000),
        "a+".repeat(40_000),
        "> ".repeat(40_000),
        format!("e{}", "\u{301}".repeat(70_000)),
        "👨‍👩‍👧".repeat(5_000),
        "日本語の文章です。".repeat(3_000),
        "\u{fdfa}".repeat(24_000),
    ];
    for counter in [word_pieces(), TokenCounter::estimate()] {
        let parser = NodeParser::new(
            NodeParserSettings {
                chunk_tokens: 512,
                ..Default::default()
            },
            counter,
        );
        for (text, metadata) in texts
            .iter()
            .flat_map(|text| split_types().map(|metadata| (text, metadata)))
        {
            parse_checked(&parser, &document(text, metadata));
        }
    }
}
