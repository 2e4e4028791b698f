//! Rules about values alone: what is no credential, whatever surrounds it.

/// Runs of which every part is a placeholder or an alphabet, compared without regard to case.
const SEQUENCES: [&str; 5] = [
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789+/",
    "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz",
    "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "abcdef0123456789abcdef0123456789abcdef0123456789",
];

/// Whether `value` could be a credential as far as it alone can tell. UUIDs could.
pub(super) fn is_plausible(value: &str) -> bool {
    value.len() > 1
        && value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !is_template(value)
        && !is_redacted(value)
        && !is_sequence(value)
}

/// `8-4-4-4-12` hexadecimal digits.
pub(super) fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// `${TOKEN}`, `{token}`, `<token>`, `$TOKEN`.
fn is_template(value: &str) -> bool {
    value.starts_with('$')
        || (value.starts_with('{') && value.ends_with('}'))
        || (value.starts_with('<') && value.ends_with('>'))
}

/// What scanners leave behind. `******` has no letter and labels like `<EMAIL>` are templates, so that `[REDACTED]`,
/// `ab..cd` and digests remain.
fn is_redacted(value: &str) -> bool {
    let is_partial = || value.chars().count() == 6 && value.chars().skip(2).take(2).all(|character| character == '.');
    let is_digest = |digest: &str| digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    (value.starts_with('[') && value.ends_with(']'))
        || is_partial()
        || value.strip_prefix("md5-").is_some_and(is_digest)
}

fn is_sequence(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    SEQUENCES.iter().any(|sequence| sequence.contains(&lower))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn alphabets_templates_and_redacted_values_are_no_credentials() {
        for value in [
            "",
            "x",
            "12345678901234567890",
            "${TOKEN}",
            "$TOKEN",
            "{token}",
            "<your-token>",
            "<EMAIL>",
            "******",
            "[REDACTED]",
            "ab..cd",
            "md5-900150983cd24fb0d6963f7d28e17f72",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
            "0123456789abcdef0123456789abcdef",
            "klmnopqrstuvwxyz",
        ] {
            assert!(!is_plausible(value), "{value:?}");
        }
        for value in ["hunter2", "a1b2c3", "ab...cd", "abd"] {
            assert!(is_plausible(value), "{value:?}");
        }
    }

    #[test]
    fn a_uuid_has_hyphens_in_their_places() {
        assert!(is_uuid("123e4567-E89b-12d3-a456-426614174000"));
        assert!(!is_uuid("123e4567e89b-12d3-a456-426614174000-"));
        assert!(!is_uuid("123e4567-e89b-12d3-a456-42661417400g"));
    }

    proptest! {
        #[test]
        fn what_a_redact_mode_leaves_behind_is_never_a_credential(value in "\\PC{2,40}") {
            let characters: Vec<char> = value.chars().collect();
            let partial: String = characters[..2].iter().chain(&['.', '.']).chain(&characters[characters.len() - 2..]).collect();
            prop_assert!(!is_plausible(&partial));
        }
    }
}
