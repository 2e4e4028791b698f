use super::*;
use crate::verdict::ScannerType;

fn load(yaml: &str) -> LoadedPolicy {
    Policy::parse(yaml.as_bytes()).unwrap()
}

/// Loads a policy of these scanners, about which there is nothing to say.
fn scanners(list: &str) -> Policy {
    let loaded = load(&format!("scanners: {list}"));
    assert_eq!(loaded.diagnostics, [], "{list}");
    loaded.policy
}

fn events(loaded: &LoadedPolicy) -> Vec<(Option<usize>, &'static str)> {
    loaded
        .diagnostics
        .iter()
        .map(|diagnostic| (diagnostic.entry, diagnostic.event.name()))
        .collect()
}

fn kinds(policy: &Policy) -> Vec<(&'static str, Action)> {
    policy
        .stages()
        .iter()
        .map(|stage| (stage.scanner.name(), stage.action))
        .collect()
}

#[test]
fn a_policy_has_an_action_a_message_a_hash_and_scanners_in_order() {
    let yaml = "action: Block\nblockMessage: Stop it.\nscanners:\n\
                - {type: sensitive}\n\
                - {type: secrets, redactMode: partial, action: REDACT}\n\
                - {type: sensitive, detectors: [Email]}\n";
    let loaded = load(yaml);
    assert_eq!(loaded.diagnostics, []);
    let policy = loaded.policy;
    assert_eq!((policy.action(), policy.block_message()), (Action::Block, "Stop it."));
    assert_eq!(policy.sha256().len(), 64);
    assert_eq!((policy.scanner_count(), policy.is_empty()), (3, false));
    assert_eq!(
        kinds(&policy),
        [
            ("sensitive", Action::Block),
            ("secrets", Action::Redact),
            ("sensitive", Action::Block)
        ]
    );
}

#[test]
fn policies_are_equal_if_their_bytes_are() {
    let policy = |yaml| load(yaml).policy;
    assert_eq!(policy("scanners: []"), policy("scanners: []"));
    assert_ne!(policy("scanners: []"), policy("scanners:  []"));
    assert_eq!(
        policy("").sha256(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
}

#[test]
fn a_file_that_is_no_policy_is_an_error_of_its_kind() {
    for (yaml, status) in [
        (&b"\xff\xfe"[..], "load_failed"),
        (b"scanners: [", "load_failed"),
        (b"a: *unknown", "load_failed"),
        (b"- type: secrets", "invalid"),
        (b"text", "invalid"),
        (b"5", "invalid"),
    ] {
        assert_eq!(Policy::parse(yaml).unwrap_err().status(), status, "{yaml:?}");
    }
}

#[test]
fn an_empty_file_is_a_policy_without_scanners() {
    for yaml in [
        "",
        "# nothing\n",
        "{}",
        "---\n",
        "null",
        "scanners:",
        "other: 1",
        "scanners: []",
    ] {
        let loaded = load(yaml);
        assert_eq!(loaded.diagnostics, [], "{yaml:?}");
        assert!(loaded.policy.is_empty() && loaded.policy.scan("AKIA").outcome == Outcome::Allowed);
        assert_eq!(loaded.policy.block_message(), DEFAULT_BLOCK_MESSAGE);
    }
}

#[test]
fn top_level_names_are_not_normalised_and_values_have_defaults() {
    for (yaml, message) in [
        ("block_message: no", DEFAULT_BLOCK_MESSAGE),
        ("blockMessage: ''", DEFAULT_BLOCK_MESSAGE),
        ("blockMessage: '  '", DEFAULT_BLOCK_MESSAGE),
        ("blockMessage: 5", DEFAULT_BLOCK_MESSAGE),
        ("blockMessage: no way", "no way"),
    ] {
        assert_eq!(load(yaml).policy.block_message(), message, "{yaml}");
    }
    let invalid = "output_guardrails_policy_invalid_action";
    for (yaml, action, told) in [
        ("{}", Action::Redact, false),
        ("action: BLOCK", Action::Block, false),
        ("action: stop", Action::Redact, true),
        ("action: 1", Action::Redact, true),
        ("action: null", Action::Redact, false),
    ] {
        let loaded = load(yaml);
        assert_eq!(loaded.policy.action(), action, "{yaml}");
        assert_eq!(
            events(&loaded),
            if told { vec![(None, invalid)] } else { vec![] },
            "{yaml}"
        );
    }
}

#[test]
fn scanners_that_are_no_list_are_none() {
    let loaded = load("scanners: {type: secrets}");
    assert!(loaded.policy.is_empty());
    assert_eq!(events(&loaded), [(None, "output_guardrails_policy_invalid_scanners")]);
}

#[test]
fn unusable_entries_are_skipped_and_the_others_kept() {
    let loaded = load(
        "scanners:\n- text\n- null\n- {action: block}\n- {type: null}\n- {type: ' '}\n- {type: 5}\n- {type: magic}\n\
         - {type: regex, patterns: ['(']}\n- {type: secrets, action: stop}\n- {type: token_limit, model_name: davinci}\n\
         - {type: ban-substrings, substrings: [a, 1, '', null]}\n",
    );
    assert_eq!(
        kinds(&loaded.policy),
        [("secrets", Action::Redact), ("ban_substrings", Action::Redact)]
    );
    let event = |name: &str| format!("output_guardrails_policy_{name}");
    let expected = [
        (0, event("skipped_entry")),
        (1, event("skipped_entry")),
        (2, event("skipped_entry")),
        (3, event("skipped_entry")),
        (4, event("skipped_entry")),
        (5, event("unknown_scanner")),
        (6, event("unknown_scanner")),
        (7, event("invalid_scanner_config")),
        (8, event("invalid_action")),
        (9, event("scanner_build_failed")),
    ];
    assert_eq!(
        events(&loaded),
        expected
            .iter()
            .map(|(entry, event)| (Some(*entry), event.as_str()))
            .collect::<Vec<_>>()
    );
    assert_eq!(
        loaded.diagnostics[9].to_string(),
        "scanners[9] (token_limit): the encoding is not part of this program; there are cl100k_base, o200k_base and \
         the models that use them"
    );
}

#[test]
fn every_scanner_takes_its_fields() {
    for entry in [
        "{type: ban_substrings, substrings: [a], matchType: STR, case-sensitive: true, containsAll: false}",
        "{type: BanSubstrings, substrings: [a], match_type: Word, CASE_SENSITIVE: yes}",
        "{type: regex, patterns: [a], match_type: fullmatch}",
        "{type: regex, patterns: [a, '(?=b)'], match_type: ALL, isBlocked: false}",
        "{type: json}",
        "{type: json, required_elements: 0, repair: false}",
        "{type: reading-time, maxTime: 0.5, truncate: true}",
        "{type: reading_time, max_time: 3}",
        "{type: token_limit}",
        "{type: token_limit, limit: 1, encoding_name: o200k_base}",
        "{type: tokenLimit, encoding_name: unknown, model_name: gpt-4o-mini}",
        "{type: invisible_text, action: block}",
        "{type: secrets, redact_mode: Hash, extra: ignored}",
        "{type: sensitive, detectors: [PHONE, credit_card, phone, 1]}",
        "{type: sensitive, detectors: null}",
    ] {
        assert_eq!(scanners(&format!("[{entry}]")).scanner_count(), 1);
    }
}

#[test]
fn wrong_fields_reject_the_scanner() {
    for entry in [
        "{type: ban_substrings}",
        "{type: ban_substrings, substrings: []}",
        "{type: ban_substrings, substrings: a}",
        "{type: ban_substrings, substrings: [1, '']}",
        "{type: ban_substrings, substrings: [a], match_type: regex}",
        "{type: ban_substrings, substrings: [a], case_sensitive: 'true'}",
        "{type: ban_substrings, substrings: [a], contains_all: 1}",
        "{type: regex}",
        "{type: regex, patterns: [a, '[']}",
        "{type: regex, patterns: [a], match_type: sometimes}",
        "{type: regex, patterns: [a], is_blocked: 'no!'}",
        "{type: json, required_elements: -1}",
        "{type: json, required_elements: true}",
        "{type: json, required_elements: 1.5}",
        "{type: json, repair: 1}",
        "{type: reading_time}",
        "{type: reading_time, max_time: 0}",
        "{type: reading_time, max_time: true}",
        "{type: reading_time, max_time: '1'}",
        "{type: reading_time, max_time: 1, truncate: 1}",
        "{type: token_limit, limit: 0}",
        "{type: token_limit, limit: true}",
        "{type: token_limit, limit: '5'}",
        "{type: token_limit, encoding_name: ''}",
        "{type: token_limit, model_name: 4}",
        "{type: invisible_text, limit: 1}",
        "{type: invisible_text, detectors: null}",
        "{type: secrets, redact_mode: some}",
        "{type: secrets, redact_mode: 1}",
        "{type: sensitive, detectors: []}",
        "{type: sensitive, detectors: [email, name]}",
        "{type: sensitive, detectors: email}",
    ] {
        let loaded = load(&format!("scanners: [{entry}, {{type: secrets}}]"));
        assert_eq!(kinds(&loaded.policy), [("secrets", Action::Redact)], "{entry}");
        let event = "output_guardrails_policy_invalid_scanner_config";
        assert_eq!(events(&loaded), [(Some(0), event)], "{entry}");
        assert!(loaded.diagnostics[0].scanner.is_some() && !loaded.diagnostics[0].reason.is_empty());
    }
}

#[test]
fn merge_keys_and_anchors_work() {
    let policy =
        load("x: &base {type: secrets, action: block}\nscanners: [{<<: *base, redact_mode: all}, *base]").policy;
    assert_eq!(kinds(&policy), [("secrets", Action::Block), ("secrets", Action::Block)]);
}

#[test]
fn scanners_run_in_order_on_what_the_ones_before_left() {
    let policy = scanners(
        "[{type: ban_substrings, substrings: [one]}, {type: regex, patterns: ['\\[REDACTED\\] two']}, \
         {type: ban_substrings, substrings: [one]}]",
    );
    let verdict = policy.scan("one two one");
    assert_eq!(
        (verdict.text.as_str(), verdict.outcome),
        ("[REDACTED] [REDACTED]", Outcome::Redacted)
    );
    let hit = |scanner, count| ScannerHit {
        scanner,
        action: Action::Redact,
        count,
    };
    assert_eq!(
        verdict.hits,
        [hit(ScannerType::BanSubstrings, 2), hit(ScannerType::Regex, 1)]
    );
}

#[test]
fn a_block_ends_the_scan_and_replaces_everything() {
    let policy = scanners(
        "[{type: ban_substrings, substrings: [one]}, {type: regex, patterns: [two], action: block}, \
         {type: ban_substrings, substrings: [three]}]",
    );
    let verdict = policy.scan("one two three");
    assert_eq!(
        (verdict.text.as_str(), verdict.outcome),
        (DEFAULT_BLOCK_MESSAGE, Outcome::Blocked)
    );
    assert_eq!(
        verdict.hits.iter().map(|hit| hit.action).collect::<Vec<_>>(),
        [Action::Redact, Action::Block]
    );
    assert_eq!(policy.scan("one three").text, "[REDACTED] [REDACTED]");
}

#[test]
fn a_block_scanner_sees_what_a_redaction_before_it_left() {
    let policy = scanners("[{type: secrets}, {type: regex, patterns: [AKIA], action: block}]");
    assert_eq!(policy.scan("AKIAIOSFODNN7EXAMPLQ ").text, "****** ");
    assert_eq!(policy.scan("AKIA").outcome, Outcome::Blocked);
}

#[test]
fn a_blank_text_is_not_scanned() {
    let policy = scanners("[{type: json, required_elements: 1, action: block}, {type: regex, patterns: ['\\s']}]");
    for blank in ["", " ", "\n\t "] {
        assert_eq!(policy.scan(blank).outcome, Outcome::Allowed);
        assert_eq!(policy.scan(blank).text, blank);
    }
    assert_eq!(policy.scan(" x").outcome, Outcome::Blocked);
}

#[test]
fn demands_on_the_answer_do_not_concern_other_texts() {
    let policy = scanners(
        "[{type: json, required_elements: 1, action: block}, {type: token_limit, limit: 1, action: block}, \
         {type: reading_time, max_time: 0.001, action: block}, \
         {type: regex, patterns: [needed], is_blocked: false, action: block}, \
         {type: ban_substrings, substrings: [a, b], contains_all: true}]",
    );
    assert_eq!(policy.scan("a b").outcome, Outcome::Blocked);
    assert_eq!(policy.scan_fragment("a b").text, "[REDACTED] [REDACTED]");
    assert_eq!(policy.scan_fragment("a").outcome, Outcome::Allowed);
}

#[test]
fn a_text_that_was_only_repaired_stays_as_it_was() {
    let policy = scanners("[{type: json, required_elements: 1}]");
    let verdict = policy.scan("{'a': 1}");
    assert_eq!((verdict.text.as_str(), verdict.outcome), ("{'a': 1}", Outcome::Allowed));
}

#[test]
fn a_hit_that_changes_nothing_is_a_redaction_all_the_same() {
    let policy = scanners("[{type: json, required_elements: 2}]");
    let verdict = policy.scan("{}");
    assert_eq!((verdict.text.as_str(), verdict.outcome), ("{}", Outcome::Redacted));
}

#[test]
fn a_policy_that_can_not_follow_a_stream_says_why() {
    let supported = "['ban_substrings', 'invisible_text', 'regex', 'secrets', 'sensitive']";
    let unsupported = |scanner: &str| {
        format!(
            "stream=true with output guardrails only supports {supported} scanners. Unsupported scanner: {scanner}."
        )
    };
    for (entry, message) in [
        ("{type: json}", unsupported("json")),
        ("{type: reading_time, max_time: 1}", unsupported("reading_time")),
        ("{type: token_limit, action: block}", unsupported("token_limit")),
        (
            "{type: ban_substrings, substrings: [a], contains_all: true}",
            "stream=true does not support contains_all=true for scanner=ban_substrings because the current windowed \
             implementation cannot track matches across the complete response."
                .to_owned(),
        ),
    ] {
        let policy = scanners(&format!("[{{type: secrets}}, {entry}, {{type: json}}]"));
        assert_eq!(policy.streamability().unwrap_err().to_string(), message);
    }
    for (fields, word) in [
        ("patterns: [a], match_type: fullmatch", "match_type=fullmatch"),
        ("patterns: [a], is_blocked: false", "is_blocked=false"),
        ("patterns: [a, '(?=b)c']", "patterns[1]"),
        ("patterns: ['a*']", "empty string"),
    ] {
        let message = scanners(&format!("[{{type: regex, {fields}}}]"))
            .streamability()
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with("stream=true does not support") && message.contains(word),
            "{message}"
        );
        assert!(message.contains("scanner=regex"), "{message}");
    }
    for action in ["redact", "block"] {
        let entries = [
            "type: ban_substrings, substrings: [a]",
            "type: regex, patterns: ['\\bsk-\\w+$'], match_type: all",
            "type: secrets, redact_mode: partial",
            "type: secrets, redact_mode: hash",
            "type: sensitive",
            "type: invisible_text",
        ];
        let list: Vec<String> = entries
            .iter()
            .map(|entry| format!("{{{entry}, action: {action}}}"))
            .collect();
        assert_eq!(scanners(&format!("[{}]", list.join(", "))).streamability(), Ok(()));
    }
}

#[test]
fn the_default_policy_scans_with_everything_it_names_on_streams_too() {
    let loaded = Policy::parse(kaito_presets::DEFAULT_GUARDRAILS_POLICY.as_bytes()).unwrap();
    assert_eq!(loaded.diagnostics, []);
    let policy = Arc::new(loaded.policy);
    let redact = Action::Redact;
    assert_eq!(
        kinds(&policy),
        [("regex", redact), ("secrets", redact), ("sensitive", redact)]
    );
    assert_eq!(policy.streamability(), Ok(()));
    let text = "Key AKIAIOSFODNN7EXAMPLQ of ann@example.com:\n-----BEGIN PRIVATE KEY-----\nMIIE";
    let expected = "Key [REDACTED] of <EMAIL>:\n[REDACTED]";
    assert_eq!(policy.scan(text).text, expected);
    let mut stream = policy.stream();
    let mut output: String = text.split_inclusive(' ').map(|word| stream.feed(word).text).collect();
    output.push_str(&stream.finish().text);
    assert_eq!(output, expected);
}
