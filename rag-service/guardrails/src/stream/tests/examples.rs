//! Streams that show one thing each.

use std::sync::Arc;

use super::properties::check;
use super::{KEY, characters, pieces, policy, run, streamed};
use crate::detector::Detector;
use crate::span::SpanScanner;
use crate::stage::{Replacement, SecretMode, SpanStage};
use crate::stream::{MAX_PENDING_BYTES, SpanStream, blocked};
use crate::verdict::{Action, Outcome, ScannerHit, ScannerType};

#[test]
fn no_split_in_two_or_three_lets_a_secret_through() {
    let text = format!("is {KEY}, a@b.io, plum!");
    let redacting = policy("[{type: secrets}, {type: sensitive}, {type: ban_substrings, substrings: [plum]}]");
    let expected = ("is ******, <EMAIL>, [REDACTED]!".to_owned(), Outcome::Redacted);
    let blocking = policy("[{type: secrets, action: block}]");
    for first in 0..=text.len() {
        for second in first..=text.len() {
            let pieces = [&text[..first], &text[first..second], &text[second..]];
            assert_eq!(streamed(&redacting, pieces), expected, "{pieces:?}");
            let (output, outcome) = streamed(&blocking, pieces);
            assert_eq!(outcome, Outcome::Blocked, "{pieces:?}");
            assert!("is ".starts_with(&output), "{pieces:?}: {output:?}");
        }
    }
    assert_eq!(streamed(&redacting, characters(&text)), expected);
}

#[test]
fn text_that_is_safe_flows_at_once() {
    let policy = policy("[{type: secrets}, {type: ban_substrings, substrings: [plum]}]");
    let mut stream = policy.stream();
    let text = "The quick brown fox jumps over the lazy dog, and then it rests for a while. ".repeat(4);
    let mut output = String::new();
    for word in text.split_inclusive(' ') {
        output.push_str(&stream.feed(word).text);
        assert!(stream.pending_bytes() < 64, "{} of {word:?}", stream.pending_bytes());
    }
    output.push_str(&stream.finish().text);
    assert_eq!(output, text);
}

#[test]
fn a_key_block_is_held_back_from_its_opening_mark_to_its_end() {
    let policy = policy("[{type: secrets}]");
    let mut stream = policy.stream();
    let mut output = stream.feed("Here it is:\n").text;
    output.push_str(&stream.feed("-----BEGIN RSA PRIVATE KEY-----\n").text);
    for _ in 0..40 {
        output.push_str(
            &stream
                .feed("MIIEpAIBAAKCAQEA75hC1eQe3Y5Q2m9s0k1l2m3n4o5p6q7r8s9t0u1v2w3x4y5\n")
                .text,
        );
    }
    assert_eq!(output.trim_end(), "Here it is:");
    output.push_str(&stream.feed("-----END RSA PRIVATE KEY-----").text);
    output.push_str(&stream.feed("\nDone.").text);
    output.push_str(&stream.finish().text);
    assert_eq!(output, "Here it is:\n******\nDone.");
}

#[test]
fn what_stays_undecided_for_too_long_is_blocked() {
    let policy = policy("[{type: regex, patterns: ['<secret>[^<]*</secret>']}]");
    let mut stream = policy.stream();
    assert_eq!(stream.feed("a <secret>").text, "a ");
    let mut fed = 0;
    while !stream.feed("0123456789abcdef").blocked {
        fed += 16;
        assert!(fed <= MAX_PENDING_BYTES + MAX_PENDING_BYTES / 8);
    }
    assert!(fed >= MAX_PENDING_BYTES - 32);
    assert_eq!(stream.finish(), blocked());
    assert_eq!(stream.outcome(), Outcome::Blocked);
    assert_eq!(stream.hits()[0].action, Action::Block);
}

#[test]
fn a_long_piece_without_anything_to_hold_back_passes() {
    let policy = policy("[{type: secrets}, {type: sensitive}]");
    let text = "Nothing to see here. ".repeat(20_000);
    let mut stream = policy.stream();
    let first = stream.feed(&text);
    assert!(!first.blocked && first.text.len() + 64 > text.len());
    assert_eq!(first.text + &stream.finish().text, text);
}

#[test]
fn a_block_is_sticky_and_discards_what_was_held() {
    let policy = policy("[{type: ban_substrings, substrings: [stop], match_type: str, action: block}]");
    let mut stream = policy.stream();
    assert_eq!(stream.feed("go st").text, "go ");
    assert_eq!(stream.pending_bytes(), 2);
    assert_eq!(stream.feed("op now"), blocked());
    assert_eq!(stream.pending_bytes(), 0);
    assert_eq!(stream.feed("harmless"), blocked());
    assert_eq!(stream.finish(), blocked());
    assert_eq!(
        stream.hits(),
        [ScannerHit {
            scanner: ScannerType::BanSubstrings,
            action: Action::Block,
            count: 1
        }]
    );
}

#[test]
fn a_secret_that_was_found_is_replaced_again_later() {
    let policy = policy("[{type: secrets}]");
    let text = format!("key {KEY} and x{KEY}y and {} {KEY}z", &KEY[..10]);
    let expected = format!("key ****** and x******y and {} ******z", &KEY[..10]);
    assert_eq!(policy.scan(&text).text, expected);
    assert_eq!(streamed(&policy, characters(&text)).0, expected);
    assert_eq!(streamed(&policy, pieces(&text, &[5, 30, 41, 50, 70])).0, expected);
    let many = format!("{KEY} ").repeat(20);
    assert_eq!(streamed(&policy, characters(&many)).0, "****** ".repeat(20));
}

#[test]
fn a_value_that_is_known_is_held_back_while_it_may_be_coming() {
    let detector = Detector {
        name: "assigned".into(),
        pattern: "key=([a-z]+);".to_owned(),
        keywords: vec!["key".to_owned()],
        accept: |_| true,
        label: None,
    };
    let stage = SpanStage {
        scanner: Arc::new(SpanScanner::new(vec![detector]).unwrap()),
        replacement: Replacement::Secret(SecretMode::All),
    };
    let text = "key=secret; secre, secret, secsecretary key=other; xotherother key=secret; secre";
    let expected = "key=******; secre, ******, sec******ary key=******; x************ key=******; secre";
    assert_eq!(stage.run(text).unwrap().text, expected);
    for first in 0..=text.len() {
        for second in first..=text.len() {
            let mut stream = SpanStream::new();
            let pieces = [&text[..first], &text[first..second], &text[second..]];
            let mut output: String = pieces
                .iter()
                .map(|piece| stream.take(&stage, piece, false).text)
                .collect();
            output.push_str(&stream.take(&stage, "", true).text);
            assert_eq!(output, expected, "{pieces:?}");
        }
    }
}

#[test]
fn word_boundaries_are_those_of_the_whole_text() {
    let policy = policy("[{type: ban_substrings, substrings: [cat, c++, a]}]");
    for (pieces, expected) in [
        (&["con", "cat", " cat"][..], "concat [REDACTED]"),
        (&["cat", "alog"], "catalog"),
        (&["cat", ""], "[REDACTED]"),
        (&["cat", "."], "[REDACTED]."),
        (&["x ", "c+", "+", "y"], "x [REDACTED]y"),
        (&["x ", "c+", "+", " "], "x c++ "),
        (&["a", "a", " a"], "aa [REDACTED]"),
        (&["é", "cat ", "cat", "é"], "écat caté"),
    ] {
        assert_eq!(streamed(&policy, pieces.iter().copied()).0, expected, "{pieces:?}");
    }
}

#[test]
fn anchors_are_those_of_the_whole_text() {
    let policy = policy("[{type: regex, patterns: ['^start', 'end$', '\\Aone', 'two\\Z']}]");
    for (pieces, expected) in [
        (&["start", " start"][..], "[REDACTED] start"),
        (&["x\n", "start"], "x\nstart"),
        (&["end", " end"], "end [REDACTED]"),
        (&["the end", "\n"], "the [REDACTED]"),
        (&["the end", "\n", "\n"], "the end\n\n"),
        (&["one ", "one two", " two"], "[REDACTED] one two [REDACTED]"),
    ] {
        assert_eq!(streamed(&policy, pieces.iter().copied()).0, expected, "{pieces:?}");
        assert_eq!(policy.scan(&pieces.concat()).text, expected, "{pieces:?}");
    }
}

#[test]
fn a_blank_text_passes_unscanned_and_leading_blanks_are_kept() {
    let policy = policy("[{type: regex, patterns: ['\\s+']}]");
    assert_eq!(
        streamed(&policy, [" ", "\n", " "]),
        (" \n ".to_owned(), Outcome::Allowed)
    );
    assert_eq!(
        streamed(&policy, [" ", "\n", "x"]),
        ("[REDACTED]x".to_owned(), Outcome::Redacted)
    );
}

#[test]
fn a_stage_that_needs_the_whole_text_collects_it() {
    let policy = policy("[{type: json, required_elements: 1, action: block}, {type: regex, patterns: ['(?=a)ab']}]");
    let mut stream = policy.stream();
    assert_eq!(stream.feed("{\"x\": 1} ab").text, "");
    assert_eq!(stream.finish().text, "{\"x\": 1} [REDACTED]");
    assert_eq!(streamed(&policy, ["no json"]), (String::new(), Outcome::Blocked));
    let mut endless = policy.stream();
    let piece = "x".repeat(1 << 20);
    assert!((0..5).any(|_| endless.feed(&piece).blocked));
}

#[test]
fn an_empty_policy_changes_nothing() {
    let policy = policy("[]");
    assert_eq!(streamed(&policy, [" ", KEY]), (format!(" {KEY}"), Outcome::Allowed));
}

#[test]
fn a_chain_gives_later_stages_what_earlier_ones_left() {
    let policy = policy(
        "[{type: ban_substrings, substrings: [plum]}, {type: regex, patterns: ['REDACTED\\] pie'], action: block}]",
    );
    for text in ["plum pie", "a plum, pie"] {
        check(&policy, text, &characters(text)).unwrap();
    }
    assert_eq!(
        streamed(&policy, ["pl", "um pi", "e"]),
        ("[".to_owned(), Outcome::Blocked)
    );
}

#[test]
fn every_kind_of_personal_data_is_found_across_every_cut() {
    let policy = policy("[{type: sensitive}]");
    let text =
        "To ann@example.com, +1 206-555-0100, 4111 1111 1111 1111 or 10.0.0.1; not 4111 1111 1111 1112, 1.2.3 or a@b.";
    let expected = "To <EMAIL>, <PHONE>, <CREDIT_CARD> or <IP_ADDRESS>; not 4111 1111 1111 1112, 1.2.3 or a@b.";
    assert_eq!(policy.scan(text).text, expected);
    for cut in 0..=text.len() {
        assert_eq!(streamed(&policy, [&text[..cut], &text[cut..]]).0, expected, "{cut}");
    }
}

#[test]
fn invisible_characters_do_not_hold_the_text_around_them_back() {
    let policy = policy("[{type: invisible_text}]");
    let text = format!("{}\u{200b}tail", "x".repeat(300));
    let mut stream = policy.stream();
    assert_eq!(stream.feed(&text).text, format!("{}tail", "x".repeat(300)));
    assert_eq!(stream.feed("\u{200b}").text, "", "held until the next character");
    assert_eq!(stream.feed("y").text, "");
    assert_eq!(stream.feed("z").text, "yz");
}

#[test]
fn a_long_phrase_is_found_across_every_cut() {
    let phrase = "a very long phrase ".repeat(16);
    let policy = policy(&format!(
        "[{{type: ban_substrings, substrings: ['{}'], match_type: str}}]",
        phrase.trim()
    ));
    let text = format!("It is {phrase}indeed, a very long one.");
    for cut in 0..=text.len() {
        let (output, stream) = run(&policy, [&text[..cut], &text[cut..]]);
        assert_eq!(output, "It is [REDACTED] indeed, a very long one.", "{cut}");
        assert_eq!(stream.hits()[0].count, 1);
    }
}
