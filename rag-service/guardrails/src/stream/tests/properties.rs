//! Whatever the policy, the text and the pieces: a stream gives what the whole gives.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{GITHUB, KEY, characters, pieces, policy, run};
use crate::detector::Detector;
use crate::policy::Policy;
use crate::span::SpanScanner;
use crate::stage::{Replacement, SpanStage};
use crate::stream::SpanStream;
use crate::verdict::{Outcome, add_hits};

/// Compares a stream with the scan of the whole, and what comes out of a blocked stream with what would come out if
/// nothing blocked.
pub(super) fn check(policy: &Arc<Policy>, text: &str, pieces: &[&str]) -> Result<(), TestCaseError> {
    let whole = policy.scan(text);
    let (output, stream) = run(policy, pieces.iter().copied());
    prop_assert_eq!(stream.outcome(), whole.outcome, "{:?}", pieces);
    if whole.outcome == Outcome::Blocked {
        let unblocked = policy.unblocked().scan(text).text;
        prop_assert!(
            unblocked.starts_with(&output),
            "{:?}: {:?} of {:?}",
            pieces,
            output,
            unblocked
        );
    } else {
        prop_assert_eq!(output, whole.text, "{:?}", pieces);
        let mut hits = Vec::new();
        add_hits(&mut hits, &whole.hits);
        hits.sort_by_key(|hit| hit.scanner);
        let mut streamed = stream.hits().to_vec();
        streamed.sort_by_key(|hit| hit.scanner);
        prop_assert_eq!(streamed, hits, "{:?}", pieces);
    }
    Ok(())
}

const STREAMABLE: &[&str] = &[
    "{type: ban_substrings, substrings: [plum, 'plum pie', iep], match_type: str}",
    "{type: ban_substrings, substrings: [plum, 'a b', c++, 'größe']}",
    "{type: ban_substrings, substrings: [Plum], case_sensitive: true}",
    "{type: regex, patterns: ['\\bsk-\\w{4,}', 'BEGIN[\\s\\S]*?END', '(?m)^note:.*$', 'plum$']}",
    "{type: regex, patterns: ['[a-z]+@[a-z]+', '(?i)bearer +[a-z0-9]{4,}', '\\d{3}(?:-\\d{3})?']}",
    "{type: invisible_text}",
    "{type: secrets}",
    "{type: secrets, redact_mode: partial}",
    "{type: secrets, redact_mode: hash}",
    "{type: sensitive}",
    "{type: sensitive, detectors: [ip_address, credit_card]}",
    "{type: regex, patterns: ['REDACTED', '\\*{6}'], match_type: all}",
    "{type: regex, patterns: [forbidden], action: block}",
    "{type: secrets, action: block}",
    "{type: invisible_text, action: block}",
];

const PIECES: &[&str] = &[
    "plum",
    "Plum",
    " pie",
    "plum pieplum",
    "a b",
    "c++",
    "größe",
    "GRÖßE",
    "sk-abcd",
    "sk-ab",
    "BEGIN",
    "END",
    "\nnote: x",
    "ann@example.com",
    "ann@",
    "ex",
    ".com",
    "Bearer abcd1",
    "123",
    "123-456",
    "-",
    "\u{200b}",
    "é",
    "日本",
    "\u{e000}",
    "10.0.0.1",
    "999.1",
    "4111 1111 1111 1111",
    "4111-1111",
    "+1 206 555 0100",
    "0100",
    "2024-01-01",
    "REDACTED",
    "*****",
    " ",
    " ",
    "\n",
    "\r\n",
    ". ",
    ",",
    "\"",
    "x",
    "forbidden",
    "forbid",
];

/// Secrets occur in a form in which they are recognised, or cut off.
const SECRETS: &[&str] = &[
    " AKIAIOSFODNN7EXAMPLQ ",
    " 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.\n",
    " AKIAIOSF",
    " ghp_wWPw5k4aXcaT4fNP0U ",
    "\n-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA75\n-----END RSA PRIVATE KEY-----\n",
    "\n-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIB",
];

fn policies() -> impl Strategy<Value = Arc<Policy>> {
    subsequence(STREAMABLE, 1..=4)
        .prop_shuffle()
        .prop_map(|scanners| policy(&format!("[{}]", scanners.join(", "))))
}

/// Patterns of a small alphabet with all kinds of assertions and repetitions.
fn pattern() -> impl Strategy<Value = String> {
    let atom = select(
        &[
            "a", "b", " ", "[ab]", ".", "[^a]", "\\b", "\\B", "^", "$", "(?m:^)", "(?m:$)", "\\n", "\\w", "ab",
        ][..],
    );
    let any = atom.prop_map(str::to_owned).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.concat()),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            (
                inner.clone(),
                select(&["*", "+", "?", "*?", "+?", "{2}", "{1,3}", "{2,}?"][..])
            )
                .prop_map(|(part, repeated)| format!("(?:{part}){repeated}")),
            inner.prop_map(|part| format!("({part})")),
        ]
    });
    // A stream can not look for nothing.
    any.prop_map(
        |pattern| match regex_syntax::parse(&pattern).map(|hir| hir.properties().minimum_len()) {
            Ok(Some(0)) => format!("(?:{pattern})a"),
            _ => pattern,
        },
    )
}

fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![6 => select(PIECES), 1 => select(SECRETS)];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_stream_gives_what_the_whole_gives(
        policy in policies(),
        text in texts(),
        cuts in prop::collection::vec(0_usize..400, 0..8),
    ) {
        check(&policy, &text, &pieces(&text, &cuts))?;
        check(&policy, &text, &characters(&text))?;
    }

    #[test]
    fn patterns_of_any_kind_follow_a_stream(
        patterns in prop::collection::vec(pattern(), 1..4),
        text in "[ab \\n.]{0,24}",
        cuts in prop::collection::vec(0_usize..24, 0..6),
    ) {
        let list = serde_json::to_string(&patterns).unwrap();
        let policy = policy(&format!("[{{type: regex, patterns: {list}}}, {{type: regex, patterns: {list}}}]"));
        prop_assert_eq!(policy.streamability(), Ok(()));
        check(&policy, &text, &pieces(&text, &cuts))?;
        check(&policy, &text, &characters(&text))?;
    }

    #[test]
    fn rejected_matches_hide_what_they_overlap_in_a_stream_too(
        patterns in prop::collection::vec(pattern(), 1..4),
        text in "[ab \\n.]{0,24}",
        cuts in prop::collection::vec(0_usize..24, 0..6),
    ) {
        let detectors = patterns.iter().map(|pattern| Detector {
            name: "generated".into(),
            pattern: crate::python_regex::translate(pattern),
            keywords: Vec::new(),
            accept: |candidate| candidate.value.len() % 2 == 0,
            label: None,
        });
        let stage = SpanStage {
            scanner: Arc::new(SpanScanner::new(detectors.collect()).unwrap()),
            replacement: Replacement::Fixed("#"),
        };
        let whole = stage.run(&text).map_or(text.clone(), |finding| finding.text);
        for pieces in [pieces(&text, &cuts), characters(&text)] {
            let mut stream = SpanStream::new();
            let mut output: String = pieces.iter().map(|piece| stream.take(&stage, piece, false).text).collect();
            output.push_str(&stream.take(&stage, "", true).text);
            prop_assert_eq!(&output, &whole, "{:?}", pieces);
        }
    }

    #[test]
    fn what_secrets_are_replaced_by_is_no_secret(
        mode in select(&["all", "partial", "hash"][..]),
        assigned in select(&["token = ", "aws_secret_access_key: ", "password=\"", "facebook = ", "", "api_key: '"][..]),
        value in select(&[KEY, GITHUB, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzzKEY", "0f3a9c5b7e1d2a4c6b8e9f0a1d2c3b4e"][..]),
        behind in select(&["", "\"", "'", "\n", " and more", "-us12", ", "][..]),
        text in texts(),
    ) {
        let policy = policy(&format!("[{{type: secrets, redact_mode: {mode}}}]"));
        let once = policy.scan(&format!("{text} {assigned}{value}{behind} {text}"));
        let twice = policy.scan(&once.text);
        prop_assert_eq!(twice.outcome, Outcome::Allowed, "{:?} -> {:?}", once.text, twice.text);
    }
}
