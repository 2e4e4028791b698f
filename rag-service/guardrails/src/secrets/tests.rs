//! The catalogue's rows against their examples, and against texts that hold no credential.

use kaito_presets::{Part, SecretCatalogue, Shape};
use regex::Regex;

use super::CATALOGUE;
use crate::detector::{Candidate, Detector};

mod harmless;
mod streams;

/// Detectors with their patterns compiled, as the engine would have them.
struct Compiled {
    detectors: Vec<(Detector, Regex)>,
}

impl Compiled {
    fn new() -> Self {
        let detectors = super::detectors()
            .iter()
            .map(|detector| {
                let regex = Regex::new(&detector.pattern).unwrap_or_else(|error| panic!("{}: {error}", detector.name));
                (detector.clone(), regex)
            })
            .collect();
        Self { detectors }
    }

    fn find(&self, name: &str) -> &(Detector, Regex) {
        self.detectors
            .iter()
            .find(|(detector, _)| &*detector.name == name)
            .unwrap_or_else(|| panic!("no detector {name}"))
    }

    fn hits<'text>(&self, text: &'text str) -> Vec<(&str, &'text str)> {
        self.detectors
            .iter()
            .flat_map(|(detector, regex)| {
                values(detector, regex, text)
                    .into_iter()
                    .map(|value| (&*detector.name, value))
            })
            .collect()
    }
}

/// What a detector finds in a text, in the plainest way.
pub(crate) fn values<'text>(detector: &Detector, regex: &Regex, text: &'text str) -> Vec<&'text str> {
    let lower = text.to_ascii_lowercase();
    if !detector.keywords.is_empty() && !detector.keywords.iter().any(|word| lower.contains(word)) {
        return Vec::new();
    }
    regex
        .captures_iter(text)
        .flat_map(|captures| {
            let matched = captures.get(0).expect("a match").range();
            let first = usize::from(captures.len() > 1);
            let groups: Vec<_> = captures.iter().skip(first).flatten().collect();
            groups.into_iter().map(move |group| (matched.clone(), group))
        })
        .filter(|(matched, group)| {
            (detector.accept)(&Candidate {
                value: group.as_str(),
                text,
                range: group.range(),
                matched: matched.clone(),
            })
        })
        .map(|(_, group)| group.as_str())
        .collect()
}

/// Writes a shape out, runs by a generator that is the same on every machine. `longer` goes to the runs' upper ends.
fn sample(catalogue: &SecretCatalogue, shape: &Shape, seed: u64, longer: bool) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
    let mut text = String::new();
    for part in shape.parts() {
        match part {
            Part::Literal(literal) => text.push_str(literal),
            Part::Run { charset, least, most } => {
                let characters: Vec<char> = catalogue.charset(charset).expect("a charset").characters().collect();
                let count = if longer { most.unwrap_or(least + 7) } else { *least };
                for _ in 0..count {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    text.push(characters[usize::try_from(state >> 33).unwrap() % characters.len()]);
                }
            }
        }
    }
    text
}

const SEEDS: u64 = 8;

#[test]
fn every_row_finds_its_examples_and_not_its_non_examples() {
    let compiled = Compiled::new();
    let tokens = CATALOGUE
        .tokens()
        .iter()
        .map(|row| (&row.name, &row.examples, &row.non_examples));
    let assigned = CATALOGUE
        .assigned()
        .iter()
        .map(|row| (&row.name, &row.examples, &row.non_examples));
    for (name, examples, non_examples) in tokens.chain(assigned) {
        let (detector, regex) = compiled.find(name);
        for seed in 0..SEEDS {
            for example in examples {
                let text = sample(&CATALOGUE, example, seed, false);
                assert!(!values(detector, regex, &text).is_empty(), "{name} misses {text:?}");
            }
            for example in non_examples {
                let text = sample(&CATALOGUE, example, seed, false);
                assert_eq!(values(detector, regex, &text), [""; 0], "{name} in {text:?}");
            }
        }
    }
}

#[test]
fn every_token_is_found_whole_in_prose_code_and_markup() {
    let compiled = Compiled::new();
    for row in CATALOGUE.tokens() {
        let (detector, regex) = compiled.find(&row.name);
        for (seed, shape) in (0..).zip(&row.shapes) {
            for longer in [false, true] {
                let token = sample(&CATALOGUE, shape, seed, longer);
                for text in [
                    token.clone(),
                    format!("Use {token} for it."),
                    format!("key={token}\nnext"),
                    format!("{{\"key\": \"{token}\"}}"),
                    format!("`{token}`, **{token}**"),
                    format!("https://example.org/?key={token}&page=2"),
                ] {
                    let found = values(detector, regex, &text);
                    assert!(
                        !found.is_empty() && found.iter().all(|value| value.starts_with(&token)),
                        "{} finds {found:?} in {text:?}",
                        row.name
                    );
                }
            }
        }
    }
}

#[test]
fn a_token_that_lacks_a_character_or_continues_a_word_is_none() {
    let compiled = Compiled::new();
    for row in CATALOGUE.tokens() {
        let (detector, regex) = compiled.find(&row.name);
        for (seed, shape) in (0..).zip(&row.shapes) {
            let mut token = sample(&CATALOGUE, shape, seed, false);
            assert_eq!(values(detector, regex, &format!("x{token}")), [""; 0], "{}", row.name);
            if matches!(shape.parts().last(), Some(Part::Run { least, .. }) if *least > 1) {
                token.pop();
                assert_eq!(values(detector, regex, &token), [""; 0], "{}: {token:?}", row.name);
            }
        }
    }
}

#[test]
fn every_assigned_value_is_found_behind_each_way_of_writing_its_name() {
    let compiled = Compiled::new();
    for row in CATALOGUE.assigned() {
        let (detector, regex) = compiled.find(&row.name);
        for (seed, shape) in (0..).zip(&row.values) {
            let value = sample(&CATALOGUE, shape, seed + 3, false);
            for vendor in &row.vendors {
                let upper = vendor.to_ascii_uppercase();
                for text in [
                    format!("{vendor}_key = \"{value}\""),
                    format!("export {upper}_API_TOKEN={value}\n"),
                    format!("\"{vendor}-secret\": \"{value}\","),
                    format!("- **{vendor} key:** `{value}`"),
                    format!("my{upper}Key := '{value}'"),
                    format!("The {vendor} key: {value}."),
                ] {
                    let found = values(detector, regex, &text);
                    assert_eq!(found, [value.as_str()], "{} in {text:?}", row.name);
                }
                for text in [
                    format!("{vendor}_key = {value}(\"x\")"),
                    format!("{vendor}_key = {value}[0]"),
                    format!("{vendor} {value}"),
                    format!("{vendor} is one of very many services: {value}"),
                    format!("other = {value}"),
                ] {
                    assert_eq!(values(detector, regex, &text), [""; 0], "{} in {text:?}", row.name);
                }
            }
        }
    }
}

#[test]
fn patterns_have_no_way_to_match_nothing_and_keywords_that_occur_in_their_matches() {
    let compiled = Compiled::new();
    for (detector, regex) in &compiled.detectors {
        assert!(!regex.is_match(""), "{}", detector.name);
        assert!(detector.keywords.iter().all(|word| *word == word.to_ascii_lowercase()));
    }
    for row in CATALOGUE.tokens() {
        let (detector, _) = compiled.find(&row.name);
        for shape in &row.shapes {
            let text = sample(&CATALOGUE, shape, 1, false).to_ascii_lowercase();
            assert!(detector.keywords.iter().any(|word| text.contains(word)), "{}", row.name);
        }
    }
}

#[test]
fn redacted_text_is_clean() {
    let compiled = Compiled::new();
    for name in [
        "token",
        "aws_secret_access_key",
        "adobe_key",
        "password",
        "https://user",
    ] {
        for value in [
            "******",
            "[REDACTED]",
            "ab..cd",
            "md5-900150983cd24fb0d6963f7d28e17f72",
            "<EMAIL>",
            "<IP_ADDRESS>",
        ] {
            for text in [
                format!("{name} = {value}"),
                format!("{name}: \"{value}\""),
                format!("{name}:{value}@example.com/"),
            ] {
                assert!(
                    compiled.hits(&text).is_empty(),
                    "{:?} in {text:?}",
                    compiled.hits(&text)
                );
            }
        }
    }
}
