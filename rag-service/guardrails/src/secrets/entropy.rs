//! How random a text looks.

/// Bits a byte: Shannon's entropy of the distribution of bytes in `text`, 0 for an empty one.
///
/// No longer text than `2^n` bytes reaches `n` bits, so that a threshold is also a minimum length: more than 4.5 bits
/// take 23 bytes at least.
pub(super) fn bits_per_byte(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let total: f64 = counts.iter().copied().map(f64::from).sum();
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum()
}

/// How often a letter stands next to a digit.
///
/// In names, paths and versions digits keep together; in random text they do not.
pub(super) fn switches(text: &str) -> usize {
    pairs(text, |left, right| {
        (left.is_ascii_digit() && right.is_ascii_alphabetic()) || (left.is_ascii_alphabetic() && right.is_ascii_digit())
    })
}

/// Whether letters and digits, small and capital, alternate as they do in random text: a switch, or a capital behind a
/// small letter, at one of so many places at least, and at least one switch.
///
/// Random text has one at two places of five, names like `LlamaForSequenceClassification3` at every sixth or so, and
/// entropy does not tell the two apart.
pub(super) fn is_mixed(text: &str, one_of: usize) -> bool {
    let switches = switches(text);
    let humps = pairs(text, |left, right| {
        left.is_ascii_lowercase() && right.is_ascii_uppercase()
    });
    switches > 0 && (switches + humps) * one_of >= text.len()
}

fn pairs(text: &str, count: impl Fn(&u8, &u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    bytes
        .iter()
        .zip(bytes.iter().skip(1))
        .filter(|(left, right)| count(left, right))
        .count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_distributions_have_the_entropy_of_the_textbook() {
        for (text, bits) in [
            ("", 0.0),
            ("aaaa", 0.0),
            ("abab", 1.0),
            ("0123456789abcdef", 4.0),
            ("aaab", 0.811_278),
        ] {
            assert!((bits_per_byte(text) - bits).abs() < 1e-6, "{text:?}");
        }
    }

    #[test]
    fn only_neighbours_of_different_kinds_are_switches() {
        for (text, count) in [("", 0), ("a1b2", 3), ("2024-cert", 0), ("v2Model", 2), ("abc", 0)] {
            assert_eq!(switches(text), count, "{text:?}");
        }
    }

    #[test]
    fn names_and_paths_are_not_mixed_and_keys_are() {
        for text in [
            "LlamaForSequenceClassification3",
            "k8s/overlays/ProductionEast2/deploymentConfigs",
            "meta-llama/Llama-3-70B-Instruct",
            "my-app-tls-2024-certificate",
        ] {
            assert!(!is_mixed(text, 5), "{text:?}");
        }
        assert!(is_mixed("+MFxLry8XhpnR/2tdP+ehlhcdCxlCyeAclMkMaAP", 4));
        assert!(is_mixed("9f86d081884c7d659a2feaa0c55ad015", 4));
    }

    proptest! {
        #[test]
        fn entropy_does_not_depend_on_order_and_stays_below_the_logarithm_of_the_length(text in "[ -~]{1,80}") {
            let bits = bits_per_byte(&text);
            let reversed: String = text.chars().rev().collect();
            prop_assert!((bits - bits_per_byte(&reversed)).abs() < 1e-9);
            let length = f64::from(u32::try_from(text.len()).unwrap());
            prop_assert!(bits >= 0.0 && bits <= length.log2() + 1e-9);
        }
    }
}
