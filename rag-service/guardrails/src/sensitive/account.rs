//! Bank accounts and social security numbers.

use iban::Iban;

use crate::detector::{Candidate, Detector};

/// In one piece, and in groups of four as on paper. Each country has a length of its own, which the parser knows.
pub(super) fn ibans() -> Vec<Detector> {
    let detector = |name: &str, pattern: &str| Detector {
        name: name.into(),
        pattern: pattern.to_owned(),
        keywords: Vec::new(),
        accept: is_iban,
        label: Some("<IBAN>"),
    };
    vec![
        detector("iban", r"(?-u:\b)[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}(?-u:\b)"),
        detector(
            "iban-grouped",
            r"(?-u:\b)[A-Z]{2}[0-9]{2}(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?(?-u:\b)",
        ),
    ]
}

fn is_iban(candidate: &Candidate<'_>) -> bool {
    candidate.value.parse::<Iban>().is_ok()
}

/// Longer chains of numbers are something else.
pub(super) fn us_ssn() -> Detector {
    Detector {
        name: "us-ssn".into(),
        pattern: r"(?-u:\b)(?:[0-9]+(?:-[0-9]+){3,}|([0-9]{3}-[0-9]{2}-[0-9]{4}|[0-9]{3} [0-9]{2} [0-9]{4})(?-u:\b))"
            .to_owned(),
        keywords: Vec::new(),
        accept: is_ssn,
        label: Some("<US_SSN>"),
    }
}

/// Areas 000, 666 and 900 to 999, group 00 and serial 0000 are never given out (Social Security Administration).
fn is_ssn(candidate: &Candidate<'_>) -> bool {
    let mut parts = candidate.value.split([' ', '-']);
    let (Some(area), Some(group), Some(serial)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    area != "000" && area != "666" && !area.starts_with('9') && group != "00" && serial != "0000"
}
