//! Numbers of payment cards.

use crate::detector::{Candidate, Detector};

const LABEL: Option<&str> = Some("<CREDIT_CARD>");

/// Three ways of writing, each of its own: so numbers before and behind one do not hide it, as they would if any digits
/// and separators were taken together.
pub(super) fn detectors() -> Vec<Detector> {
    vec![
        // Decimals and longer runs are none. Letters may stand beside a number.
        detector("credit-card", r"[0-9]+\.[0-9]+|[0-9]{20,}|([0-9]{13,19})", is_card),
        // In groups as they are embossed: of four, and American Express and Diners in three groups.
        detector(
            "credit-card-grouped",
            r"(?-u:\b)(?:([0-9]{4}(?:(?: [0-9]{4}){3}|(?:-[0-9]{4}){3}))|(3[0-9]{3}(?: [0-9]{6} [0-9]{4,5}|-[0-9]{6}-[0-9]{4,5})))(?-u:\b)",
            is_card,
        ),
        // In any groups.
        detector(
            "credit-card-spaced",
            r"(?-u:\b)([0-9](?:[ -]?[0-9]){12,18})(?-u:\b)",
            |candidate| candidate.value.contains([' ', '-']) && is_card(candidate),
        ),
    ]
}

fn detector(name: &str, pattern: &str, accept: fn(&Candidate<'_>) -> bool) -> Detector {
    Detector {
        name: name.into(),
        pattern: pattern.to_owned(),
        keywords: Vec::new(),
        accept,
        label: LABEL,
    }
}

fn is_card(candidate: &Candidate<'_>) -> bool {
    let digits: Vec<u8> = candidate
        .value
        .bytes()
        .filter(u8::is_ascii_digit)
        .map(|digit| digit - b'0')
        .collect();
    is_issued(&digits) && passes_luhn(&digits)
}

/// Whether numbers of this length begin like this (ISO/IEC 7812). Of all other counters, timestamps and constants one in
/// ten would pass Luhn's check.
fn is_issued(digits: &[u8]) -> bool {
    let prefix = digits
        .iter()
        .take(4)
        .fold(0_u32, |prefix, digit| prefix * 10 + u32::from(*digit));
    match prefix {
        // Mir, Mastercard.
        2200..=2204 => digits.len() >= 16,
        2221..=2720 | 5100..=5599 => digits.len() == 16,
        // Diners, American Express, JCB.
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => digits.len() >= 14,
        3400..=3499 | 3700..=3799 => digits.len() == 15,
        3528..=3589 => digits.len() >= 16,
        // Visa.
        4000..=4999 => matches!(digits.len(), 13 | 16 | 18 | 19),
        // Maestro, Discover, UnionPay, RuPay.
        5000..=5099 | 5600..=5899 | 6000..=6999 => true,
        8100..=8299 => digits.len() >= 16,
        _ => false,
    }
}

/// From the right, every second digit is doubled and its digits are added; the sum of all ends in 0.
fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(*digit);
            match (place % 2, digit) {
                (0, _) => digit,
                (_, 0..=4) => digit * 2,
                _ => digit * 2 - 9,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn one_wrong_digit_never_passes(
            mut digits in prop::collection::vec(0_u8..10, 12..19),
            place in any::<prop::sample::Index>(),
            offset in 1_u8..10,
        ) {
            let check = (0..10).find(|check| {
                let mut all = digits.clone();
                all.push(*check);
                passes_luhn(&all)
            });
            digits.push(check.expect("one of ten check digits fits"));
            prop_assert!(passes_luhn(&digits));
            let place = place.index(digits.len());
            digits[place] = (digits[place] + offset) % 10;
            prop_assert!(!passes_luhn(&digits));
        }
    }
}
