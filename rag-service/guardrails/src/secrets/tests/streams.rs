//! The shipped policy on answers as a whole and on the same answers in pieces.

use std::sync::{Arc, LazyLock};

use kaito_presets::DEFAULT_GUARDRAILS_POLICY;
use proptest::prelude::*;
use proptest::sample::select;

use super::harmless;
use super::{CATALOGUE, sample};
use crate::{Outcome, Policy, ScannerType};

fn policy() -> Arc<Policy> {
    static POLICY: LazyLock<Arc<Policy>> = LazyLock::new(|| {
        let loaded = Policy::parse(DEFAULT_GUARDRAILS_POLICY.as_bytes()).expect("the shipped policy is valid");
        assert_eq!(loaded.diagnostics, [], "the shipped policy has no faults");
        Arc::new(loaded.policy)
    });
    Arc::clone(&POLICY)
}

fn streamed(text: &str, piece_bytes: usize) -> String {
    let mut stream = policy().stream();
    let mut shown = String::new();
    let mut piece = String::new();
    for character in text.chars() {
        piece.push(character);
        if piece.len() >= piece_bytes {
            shown.push_str(&stream.feed(&piece).text);
            piece.clear();
        }
    }
    shown.push_str(&stream.feed(&piece).text);
    shown.push_str(&stream.finish().text);
    shown
}

/// Every credential of the catalogue as an answer shows it, and what it is.
fn answers() -> Vec<(String, String)> {
    let mut answers = Vec::new();
    for row in CATALOGUE.tokens() {
        for (seed, shape) in (100..).zip(row.shapes.iter().chain(&row.examples)) {
            let token = sample(&CATALOGUE, shape, seed, seed % 2 == 0);
            answers.push((row.name.clone(), format!("Your token is {token} now.\n")));
        }
    }
    for row in CATALOGUE.assigned() {
        for (seed, shape) in (200..).zip(&row.values) {
            let value = sample(&CATALOGUE, shape, seed, false);
            let vendor = row.vendors.first().expect("a row has vendors");
            answers.push((row.name.clone(), format!("Set `{vendor}_key = \"{value}\"` there.\n")));
        }
    }
    answers
}

#[test]
fn the_shipped_policy_has_three_scanners_and_works_in_streams() {
    let policy = policy();
    let scanners: Vec<_> = policy.scanner_types().collect();
    assert_eq!(
        scanners,
        [ScannerType::Regex, ScannerType::Secrets, ScannerType::Sensitive]
    );
    assert_eq!(policy.streamability(), Ok(()));
}

#[test]
fn every_credential_of_the_catalogue_is_redacted_for_good_in_whole_answers_and_in_pieces() {
    for (name, answer) in answers() {
        let verdict = policy().scan(&answer);
        assert_eq!(verdict.outcome, Outcome::Redacted, "{name}: {answer}");
        assert_eq!(policy().scan(&verdict.text).text, verdict.text, "{name}: {answer}");
        for piece_bytes in [1, 4] {
            assert_eq!(streamed(&answer, piece_bytes), verdict.text, "{name}: {answer}");
        }
    }
}

#[test]
fn the_policys_own_patterns_are_redacted_wherever_they_occur() {
    let run = |shape: &str| {
        let shape = kaito_presets::Shape::try_from(shape.to_owned()).expect("a shape");
        policy().scan(&sample(&CATALOGUE, &shape, 7, false)).text
    };
    assert_eq!(run("AKIA{upper:16} AKIA{upper:16}"), "[REDACTED] [REDACTED]");
    assert_eq!(run("AIza{alnum:35}, ghs_{alnum:20}."), "[REDACTED], [REDACTED].");
    assert_eq!(
        run("SK-{alnum:20}; Authorization: Bearer {alnum:24}"),
        "[REDACTED]; Authorization: [REDACTED]"
    );
    assert_eq!(
        run("task-{lower:30} and a bearer of news"),
        run("task-{lower:30} and a bearer of news")
    );
    let key = "-----BEGIN RSA PRIVATE KEY-----\n{base64:64}\n{base64:30}==\n-----END RSA PRIVATE KEY-----";
    assert_eq!(
        run(&format!("a\n{key}\nb\n{key}\nc")),
        "a\n[REDACTED]\nb\n[REDACTED]\nc"
    );
    assert_eq!(
        run("a\n-----BEGIN PRIVATE KEY-----\n{base64:64}\n{base64:30}"),
        "a\n[REDACTED]"
    );
    assert_eq!(
        run("It begins with `-----BEGIN PRIVATE KEY-----`, as this does."),
        "It begins with `[REDACTED]`, as this does."
    );
}

#[test]
fn the_policy_and_the_catalogue_agree_on_private_keys() {
    let pattern = CATALOGUE
        .tokens()
        .iter()
        .find(|row| row.name == "private-key")
        .and_then(|row| row.pattern.as_deref());
    let in_yaml = pattern.expect("a pattern").replace('\'', "''");
    assert!(DEFAULT_GUARDRAILS_POLICY.contains(&in_yaml));
}

#[test]
fn personal_data_is_labelled() {
    let text = "Mail a@example.com, call 206-555-0100, pay with 4111 1111 1111 1111, from 10.0.0.1.";
    let redacted = "Mail <EMAIL>, call <PHONE>, pay with <CREDIT_CARD>, from <IP_ADDRESS>.";
    assert_eq!(policy().scan(text).text, redacted);
    assert_eq!(streamed(text, 3), redacted);
}

#[test]
fn a_private_key_is_withheld_from_its_opening_line_on() {
    let mut stream = policy().stream();
    assert_eq!(
        stream.feed("The key:\n-----BEGIN PRIVATE KEY-----\nMIIEvQ").text,
        "The key:\n"
    );
    assert_eq!(stream.feed("\nAAAA\n-----END PRIVATE ").text, "");
    assert!(
        stream
            .feed("KEY-----\nThat was it. ")
            .text
            .starts_with("[REDACTED]\nThat was")
    );
}

/// Waiting for the end of a word is what the scanners need; waiting for a sentence would be felt.
#[test]
fn ordinary_answers_flow() {
    let (mut held, mut pieces, mut most) = (0, 0, 0);
    for place in 0..harmless::TEXTS.len() {
        let mut stream = policy().stream();
        for word in harmless::answer(place, 1).split_inclusive(' ') {
            // Data in a URI is one long word to the scanners, and held back as such.
            if word.len() > 100 {
                continue;
            }
            stream.feed(word);
            held += stream.pending_bytes();
            most = most.max(stream.pending_bytes());
            pieces += 1;
        }
    }
    assert!(
        held / pieces < 20 && most < 120,
        "{held} bytes in {pieces} pieces, at most {most}"
    );
}

fn fragment() -> impl Strategy<Value = String> {
    let answers: Vec<String> = answers().into_iter().map(|(_, answer)| answer).collect();
    let sensitive = [
        "+1 206 555 0100 2024-01-01",
        "(030) 1234567",
        "4111111111111111",
        "a.b@example.co.uk",
        "192.168.0.1",
        "1.2.3.4.5",
        "01.02.2024 10:30",
    ];
    prop_oneof![
        3 => select(answers),
        2 => (0..harmless::TEXTS.len(), 0_u64..1000).prop_map(|(place, seed)| harmless::answer(place, seed)),
        2 => select(sensitive.to_vec()).prop_map(str::to_owned),
        2 => "[ -~]{0,20}",
        1 => "\\PC{0,5}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_answer_comes_out_the_same_in_pieces_of_any_size(
        fragments in prop::collection::vec(fragment(), 1..5),
        separator in select(vec!["", " ", "\n", "\"", ": "]),
        piece_bytes in 1_usize..40,
    ) {
        let answer = fragments.join(separator);
        prop_assert_eq!(streamed(&answer, piece_bytes), policy().scan(&answer).text);
    }
}

/// Base64 that no row of the catalogue knows, in lines of 64 as OpenSSL writes a key of 2048 bits.
fn key_body(seed: u64) -> Vec<String> {
    let run = kaito_presets::Shape::try_from("{base64:1622}".to_owned()).expect("a shape");
    let body = sample(&CATALOGUE, &run, seed, false) + "==";
    let bytes: Vec<char> = body.chars().collect();
    bytes.chunks(64).map(|line| line.iter().collect()).collect()
}

/// The longest run of the key's characters that a text shows, whatever stands between its lines.
fn shown(body: &str, text: &str) -> usize {
    let letters: String = text
        .split(|character: char| character.is_whitespace() || character == '\\')
        .collect();
    (0..body.len())
        .map(|start| {
            let common = body[start..].bytes();
            let longest = |place: usize| {
                common
                    .clone()
                    .zip(letters[place..].bytes())
                    .take_while(|(left, right)| left == right)
                    .count()
            };
            (0..letters.len()).map(longest).max().unwrap_or_default()
        })
        .max()
        .unwrap_or_default()
}

/// Passages are scanned one by one, so that only the first has the opening line.
#[test]
fn no_passage_of_a_key_shows_a_line_of_it() {
    for (seed, separator) in [(1, "\n"), (2, "\r\n"), (3, " "), (4, "\n    ")] {
        let lines = key_body(seed);
        let body = lines.concat();
        let block = format!(
            "-----BEGIN RSA PRIVATE KEY-----{separator}{}{separator}-----END RSA PRIVATE KEY-----\n",
            lines.join(separator)
        );
        for size in [200, 331, 512, 700, 1000] {
            for first in [7, 20, 64, 100, 200] {
                let mut rest = block.as_str();
                let mut length = first;
                while !rest.is_empty() {
                    let (piece, others) = rest.split_at(length.min(rest.len()));
                    let scanned = policy().scan_fragment(piece).text;
                    assert!(
                        shown(&body, &scanned) < 20,
                        "{size} {first}: {piece:?} becomes {scanned:?}"
                    );
                    assert_eq!(streamed(piece, 5), scanned);
                    (rest, length) = (others, size);
                }
            }
        }
    }
}

#[test]
fn a_certificate_and_a_picture_stay_and_do_not_stop_a_stream() {
    let lines = key_body(5);
    let certificate = format!(
        "It is:\n-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\nThat was it.",
        lines.join("\n")
    );
    let picture = format!(
        "![logo](data:image/png;base64,{}) That was it.",
        lines.concat().replace('=', "").repeat(4)
    );
    for text in [certificate, picture] {
        assert_eq!(policy().scan(&text).text, text);
        assert_eq!(streamed(&text, 7), text);
    }
}

#[test]
fn of_a_line_of_base64_no_more_is_withheld_than_a_line_of_a_key_has() {
    let mut stream = policy().stream();
    for line in key_body(6) {
        stream.feed(&line.repeat(3));
        stream.feed(". Prose, ");
        assert!(stream.pending_bytes() <= 80, "{}", stream.pending_bytes());
    }
}
