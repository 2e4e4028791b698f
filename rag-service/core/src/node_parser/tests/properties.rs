use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Pieces that prose, Markdown and code are made of, and arbitrary Unicode between them.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z]{1,12}",
        Just("the function is returning. ".to_owned()),
        "[ \t\r\n]{1,4}",
        "[(){}\\[\\];:,.<>=+*/&|!\"'`#$@~^-]{1,3}",
        Just("\n# Heading\n\n".to_owned()),
        Just("\n```\ncode\n```\n".to_owned()),
        Just("def f(x):\n    return x\n".to_owned()),
        Just("fn f() {\n  g();\n}\n".to_owned()),
        Just("{\"k\": [1, 2]}".to_owned()),
        "\\PC{0,4}",
        any::<String>(),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn parser(counter: TokenCounter) -> impl Strategy<Value = NodeParser> {
    (8_usize..80, 0_usize..40, 8_usize..100).prop_map(move |(chunk_tokens, overlap_tokens, max_code_chars)| {
        let settings = NodeParserSettings {
            chunk_tokens,
            overlap_tokens,
            max_code_chars,
            ..Default::default()
        };
        NodeParser::new(settings, counter.clone())
    })
}

fn any_parser() -> impl Strategy<Value = NodeParser> {
    prop_oneof![parser(word_pieces()), parser(bytes()), parser(TokenCounter::estimate())]
}

fn any_language() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(Language::ALL.map(|language| language.name()).to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn prose_is_cut_completely_and_within_limits(text in text(), parser in any_parser()) {
        parse_checked(&parser, &document(&text, json!({})));
    }

    #[test]
    fn markdown_is_cut_completely_and_within_limits(text in text(), parser in any_parser()) {
        parse_checked(&parser, &document(&text, json!({"split_type": "markdown"})));
    }

    #[test]
    fn code_is_cut_completely_and_within_limits(
        text in text(),
        language in any_language(),
        parser in any_parser(),
    ) {
        parse_checked(&parser, &code(&text, language));
    }

    #[test]
    fn prose_overlaps_by_a_fifth_at_most(text in text(), parser in parser(TokenCounter::estimate())) {
        let most = parser.settings.overlap_tokens.min(parser.settings.chunk_tokens / 5);
        for pair in parse_checked(&parser, &document(&text, json!({}))).windows(2) {
            let length = pair[0].span.end.saturating_sub(pair[1].span.start) as usize;
            let shared: String = pair[1].text.chars().take(length).collect();
            prop_assert!(parser.counter.count(&shared) <= most, "{:?} is shared", shared);
        }
    }
}
