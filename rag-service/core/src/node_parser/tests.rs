mod large_texts;
mod properties;
mod samples;

use std::sync::Arc;

use serde_json::{Map, json};
use tokenizers::Tokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

use super::*;

/// A tokenizer as BERT models have it, whose words are English function words and single characters.
fn word_pieces() -> TokenCounter {
    let characters = ('!'..='~').flat_map(|character| [character.to_string(), format!("##{character}")]);
    let words = ["[UNK]", "the", "of", "and", "is", "return", "function", "##ing", "##ed"].map(str::to_owned);
    let vocabulary: Map<String, Value> = words
        .into_iter()
        .chain(characters)
        .zip(0..)
        .map(|(piece, id)| (piece, json!(id)))
        .collect();
    tokenizer(&json!({
        "version": "1.0", "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 20, "vocab": vocabulary},
    }))
}

/// A tokenizer in which every byte, white space included, is a token.
fn bytes() -> TokenCounter {
    let mut alphabet: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    alphabet.sort_unstable();
    let vocabulary: Map<String, Value> = alphabet
        .into_iter()
        .zip(0..)
        .map(|(byte, id)| (byte.to_string(), json!(id)))
        .collect();
    tokenizer(&json!({
        "version": "1.0", "added_tokens": [],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
    }))
}

fn tokenizer(definition: &Value) -> TokenCounter {
    TokenCounter::exact(Arc::new(
        definition
            .to_string()
            .parse::<Tokenizer>()
            .expect("the tokenizer is valid"),
    ))
}

fn document(text: &str, metadata: Value) -> Document {
    Document::new(
        text.to_owned(),
        serde_json::from_value(metadata).expect("metadata is an object"),
    )
}

fn code(text: &str, language: &str) -> Document {
    document(text, json!({"split_type": "code", "language": language}))
}

fn sized(chunk_tokens: usize) -> NodeParser {
    NodeParser::new(
        NodeParserSettings {
            chunk_tokens,
            ..Default::default()
        },
        TokenCounter::estimate(),
    )
}

fn texts(nodes: &[Node]) -> Vec<&str> {
    nodes.iter().map(|node| node.text.as_str()).collect()
}

/// Parses and checks what holds for every document.
fn parse_checked(parser: &NodeParser, document: &Document) -> Vec<Node> {
    let nodes = parser.parse(document).expect("the document can be cut");
    assert_eq!(
        parser.parse(document).as_ref(),
        Ok(&nodes),
        "parsing again gives other nodes"
    );

    let limit = parser
        .passage_tokens(&document.metadata)
        .expect("there is room below the metadata");
    let characters: Vec<char> = document.text.chars().collect();
    let mut covered = vec![false; characters.len()];
    let mut previous = None;
    for node in &nodes {
        let span = node.span.start as usize..node.span.end as usize;
        let spanned: String = characters[span.clone()].iter().collect();
        assert_eq!(spanned, node.text, "the span shows other text");
        assert!(!node.text.trim().is_empty(), "a node is blank");
        covered[span.clone()].fill(true);

        let tokens = parser.counter.count(&node.text);
        assert!(
            tokens <= limit,
            "{tokens} tokens are more than {limit}: {:?}",
            node.text
        );
        let most = match node.kind {
            TextKind::Code => parser.settings.max_code_chars,
            TextKind::Prose => limit * MAX_CHARACTERS_PER_TOKEN,
        };
        assert!(span.len() <= most, "{} characters are more than {most}", span.len());

        if let Some((start, end)) = previous {
            assert!(span.start > start && span.end > end, "nodes are not in reading order");
            assert!(span.start >= end || node.kind == TextKind::Prose, "code overlaps");
        }
        previous = Some((span.start, span.end));
    }
    for (position, character) in characters.iter().enumerate() {
        assert!(
            covered[position] || character.is_whitespace(),
            "{character:?} at {position} is in no node"
        );
    }
    nodes
}

#[test]
fn text_of_white_space_has_no_nodes() {
    for text in ["", " ", "\n\t \u{3000}\r\n"] {
        assert_eq!(sized(100).parse(&document(text, json!({}))), Ok(vec![]));
        assert_eq!(
            sized(100).parse(&document(text, json!({"split_type": "markdown"}))),
            Ok(vec![])
        );
        assert_eq!(sized(100).parse(&code(text, "go")), Ok(vec![]));
    }
}

#[test]
fn a_short_text_is_one_node_without_its_outer_white_space() {
    let nodes = parse_checked(&sized(100), &document("\n  Ein Bär. Zwei Bären. \n", json!({})));
    assert_eq!(texts(&nodes), ["Ein Bär. Zwei Bären."]);
    assert_eq!(nodes[0].span, CharSpan { start: 3, end: 23 });
    assert_eq!(nodes[0].kind, TextKind::Prose);
}

#[test]
fn prose_is_cut_between_paragraphs_and_then_between_sentences() {
    let text = "One two three. Four five six.\n\nSeven eight nine. Ten eleven twelve.";
    let settings = NodeParserSettings {
        overlap_tokens: 0,
        ..Default::default()
    };
    let cut = |chunk_tokens| {
        let parser = NodeParser::new(
            NodeParserSettings {
                chunk_tokens,
                ..settings.clone()
            },
            TokenCounter::estimate(),
        );
        let nodes = parse_checked(&parser, &document(text, json!({})));
        nodes.into_iter().map(|node| node.text).collect::<Vec<_>>()
    };
    assert_eq!(
        cut(16),
        ["One two three. Four five six.", "Seven eight nine. Ten eleven twelve."]
    );
    assert_eq!(
        cut(9),
        [
            "One two three.",
            "Four five six.",
            "Seven eight nine.",
            "Ten eleven twelve."
        ]
    );
}

#[test]
fn neighbouring_prose_shares_at_most_a_fifth_of_a_passage() {
    let text: String = (0..200)
        .map(|number| format!("Sentence number {number} is here. "))
        .collect();
    let document = document(&text, json!({}));
    for (chunk_tokens, overlap_tokens, most) in [(100, 200, 20), (100, 12, 12), (100, 0, 0)] {
        let settings = NodeParserSettings {
            chunk_tokens,
            overlap_tokens,
            ..Default::default()
        };
        let parser = NodeParser::new(settings, TokenCounter::estimate());
        let nodes = parse_checked(&parser, &document);
        let shared: Vec<usize> = nodes
            .windows(2)
            .map(|pair| {
                let length = pair[0].span.end.saturating_sub(pair[1].span.start) as usize;
                let shared: String = pair[1].text.chars().take(length).collect();
                parser.counter.count(&shared)
            })
            .collect();
        assert!(shared.iter().all(|tokens| *tokens <= most), "{shared:?}");
        assert_eq!(shared.iter().any(|tokens| *tokens > 0), most > 0);
    }
}

#[test]
fn the_model_limit_and_the_embedded_metadata_reduce_the_size() {
    let text = "word ".repeat(1000);
    let settings = NodeParserSettings {
        chunk_tokens: 400,
        model_token_limit: Some(100),
        embedded_keys: EmbeddedKeys::new(vec!["title".to_owned()]),
        ..Default::default()
    };
    let parser = NodeParser::new(settings, TokenCounter::estimate());
    let largest = |metadata: Value| {
        let nodes = parse_checked(&parser, &document(&text, metadata));
        nodes.iter().map(|node| parser.counter.count(&node.text)).max()
    };
    assert_eq!(largest(json!({})), Some(100));
    assert_eq!(largest(json!({"title": "one two three", "other": "x"})), Some(100 - 8));
}

#[test]
fn metadata_that_leaves_no_room_is_refused() {
    let settings = NodeParserSettings {
        chunk_tokens: 40,
        embedded_keys: EmbeddedKeys::new(vec!["title".to_owned()]),
        ..Default::default()
    };
    let parser = NodeParser::new(settings, TokenCounter::estimate());
    let error = parser
        .parse(&document("text", json!({"title": "a ".repeat(30)})))
        .expect_err("there is no room");
    assert_eq!(
        error.to_string(),
        "metadata named by RAG_EMBED_METADATA_KEYS takes 33 of the 40 tokens the model reads; shorten it or leave the \
         key out"
    );
    assert!(
        parser
            .parse(&document("text", json!({"title": "a ".repeat(21)})))
            .is_ok()
    );
}

#[test]
fn markdown_is_cut_at_headings() {
    let section = |title: &str| format!("## {title}\n\nA paragraph of some length about it.\n\n- one\n- two\n\n");
    let text = format!(
        "# Title\n\nIntroduction.\n\n{}{}{}",
        section("First"),
        section("Second"),
        section("Third")
    );
    let nodes = parse_checked(&sized(25), &document(&text, json!({"split_type": "markdown"})));
    let starts: Vec<&str> = nodes.iter().filter_map(|node| node.text.lines().next()).collect();
    assert_eq!(starts, ["# Title", "## First", "## Second", "## Third"]);
    assert!(nodes.iter().all(|node| node.kind == TextKind::Prose));
}

#[test]
fn only_the_exact_split_types_are_known() {
    for split_type in [json!("Code"), json!("code "), json!(1), json!(null), json!("sentence")] {
        let document = document("text", json!({"split_type": split_type, "language": "nothing"}));
        assert_eq!(sized(100).parse(&document).expect("prose needs no language").len(), 1);
    }
}

#[test]
fn code_needs_a_language_that_has_a_grammar() {
    for metadata in [
        json!({"split_type": "code"}),
        json!({"split_type": "code", "language": ""}),
        json!({"split_type": "code", "language": null}),
    ] {
        let error = sized(100)
            .parse(&document("x = 1", metadata))
            .expect_err("there is no language");
        assert_eq!(error.to_string(), "Language not specified in node metadata.");
    }
    let error = sized(100)
        .parse(&code("x = 1", "klingon"))
        .expect_err("there is no grammar");
    assert!(
        error
            .to_string()
            .starts_with("Could not find language library for klingon (supported: bash, c, ")
    );
}

#[test]
fn a_small_go_file_stays_one_node() {
    let text = "package main\n\nimport \"fmt\"\n\n// main greets.\nfunc main() {\n\tfmt.Println(\"hello\")\n}\n";
    let nodes = parse_checked(&sized(1024), &code(text, "go"));
    assert_eq!(texts(&nodes), [text.trim_end()]);
    assert_eq!(nodes[0].kind, TextKind::Code);
}

#[test]
fn a_long_python_file_is_cut_between_functions() {
    let function = |number: usize| {
        let lines: String = (0..18)
            .map(|line| format!("    value_{line} = compute({number}, {line})\n"))
            .collect();
        format!("def function_{number}():\n{lines}    return value_0\n\n\n")
    };
    let text: String = (0..12).map(function).collect();
    let nodes = parse_checked(&sized(1024), &code(&text, "python"));
    assert!(nodes.len() >= 6);
    for node in &nodes {
        assert!(node.text.starts_with("def function_"), "{}", node.text);
        assert!(node.text.ends_with("return value_0"), "{}", node.text);
    }
}

#[test]
fn closing_brackets_are_no_nodes_of_their_own() {
    let function = |name: &str| format!("fn {name}() {{\n{}}}\n\n", "    call(1, 2, 3);\n".repeat(90));
    let text = format!("{}{}", function("first"), function("second"));
    let nodes = parse_checked(&sized(1024), &code(&text, "rust"));
    assert!(
        nodes.iter().all(|node| node.text.contains("call")),
        "{:?}",
        texts(&nodes)
    );
}

#[test]
fn a_literal_longer_than_a_node_is_not_lost() {
    let literal = "abcdefghij".repeat(1000);
    for (source, language) in [
        (format!("X = \"{literal}\"\n"), "python"),
        (format!("package p\n\nconst x = `{literal}`\n"), "go"),
        (format!("{{\"key\": \"{literal}\", \"other\": [1, 2]}}"), "json"),
        (format!("/* {literal} */\nint x;\n"), "c"),
    ] {
        let nodes = parse_checked(&sized(1024), &code(&source, language));
        assert!(nodes.len() >= 7);
        let joined: String = nodes.iter().map(|node| node.text.as_str()).collect();
        assert!(joined.contains(&literal), "{language}");
    }
}

#[test]
fn a_window_of_php_needs_no_opening_tag() {
    let body: String = (0..40)
        .map(|number| format!("function f{number}() {{ return {number}; }}\n"))
        .collect();
    let parser = NodeParser::new(
        NodeParserSettings {
            max_code_chars: 200,
            ..Default::default()
        },
        TokenCounter::estimate(),
    );
    for text in [format!("<?php\n{body}"), body] {
        let nodes = parse_checked(&parser, &code(&text, "php"));
        assert!(nodes.iter().all(|node| node.text.ends_with('}')), "{:?}", texts(&nodes));
    }
}
