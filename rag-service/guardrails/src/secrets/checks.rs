//! Judges of candidates, one for each check of the catalogue.
//!
//! They look at the match only and never at the text around it: in a stream that text may be gone or not be there yet.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::CATALOGUE;
use super::entropy::{bits_per_byte, is_mixed, switches};
use super::value::{is_plausible, is_uuid};
use crate::detector::Candidate;

/// A shape of its own is evidence enough.
pub(super) fn value(candidate: &Candidate<'_>) -> bool {
    is_plausible(candidate.value) && !is_uuid(candidate.value)
}

/// The shape is also that of words and names, so that the value has to look as if nobody had chosen it.
pub(super) fn random(candidate: &Candidate<'_>) -> bool {
    value(candidate) && switches(candidate.value) > 1 && bits_per_byte(candidate.value) > 2.5
}

/// The name says that it is secret, and the value is mixed well enough for one.
pub(super) fn named(candidate: &Candidate<'_>) -> bool {
    value(candidate) && is_mixed(candidate.value, 5) && bits_per_byte(candidate.value) > 3.5
}

/// Nothing but its randomness tells it, so that all of base64's kinds of characters have to occur.
pub(super) fn base64_entropy(candidate: &Candidate<'_>) -> bool {
    value(candidate)
        && is_mixed(candidate.value, 4)
        && candidate.value.bytes().any(|byte| byte.is_ascii_lowercase())
        && candidate.value.bytes().any(|byte| byte.is_ascii_uppercase())
        && bits_per_byte(candidate.value) > 4.5
        && !has_harmless_key(candidate)
}

/// Nothing but its randomness tells it. Digits alone are no credential, which the rules for all values see to.
pub(super) fn hex_entropy(candidate: &Candidate<'_>) -> bool {
    value(candidate) && bits_per_byte(candidate.value) > 3.0 && !has_harmless_key(candidate)
}

/// A UUID that a vendor hands out as a key.
pub(super) fn client_key(candidate: &Candidate<'_>) -> bool {
    is_plausible(candidate.value) && !has_harmless_key(candidate)
}

/// A signed or encrypted token: its first part is a JSON object that names an algorithm.
pub(super) fn jwt(candidate: &Candidate<'_>) -> bool {
    is_jwt(candidate.value)
}

/// A JWT in base64, as it is written into other encodings. Its first bytes suffice.
pub(super) fn encoded_jwt(candidate: &Candidate<'_>) -> bool {
    let standard = candidate.value.replace('-', "+").replace('_', "/");
    // Whole groups of four only, so that padding does not matter.
    let groups = standard.len() / 4 * 4;
    standard
        .get(..groups)
        .and_then(|whole| STANDARD_NO_PAD.decode(whole).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .is_some_and(|text| is_jwt(&text))
}

fn is_jwt(text: &str) -> bool {
    text.split_once('.')
        .and_then(|(header, _)| URL_SAFE_NO_PAD.decode(header).ok())
        .and_then(|header| serde_json::from_slice::<Map<String, Value>>(&header).ok())
        .is_some_and(|header| header.contains_key("alg"))
}

/// Whether the value is assigned to an identifier or a digest. The key is what the match has in front of the value.
fn has_harmless_key(candidate: &Candidate<'_>) -> bool {
    let Some(before) = candidate.text.get(candidate.matched.start..candidate.range.start) else {
        return false;
    };
    let Some((key, _)) = before.rsplit_once([':', '=']) else {
        return false;
    };
    let key = key.trim_matches(|character: char| !character.is_ascii_alphanumeric());
    let lower = key.to_ascii_lowercase();
    if CATALOGUE.secret_words().iter().any(|word| lower.contains(word)) {
        return false;
    }
    let last_word = last_word(key).to_ascii_lowercase();
    CATALOGUE.harmless_keys().contains(&last_word)
}

/// `id` of `user_id`, `user-id` and `userId`.
fn last_word(key: &str) -> &str {
    let segment = key
        .rsplit(|character: char| !character.is_ascii_alphanumeric())
        .next()
        .unwrap_or(key);
    let bytes = segment.as_bytes();
    let hump = bytes
        .iter()
        .zip(bytes.iter().skip(1))
        .rposition(|(left, right)| left.is_ascii_lowercase() && right.is_ascii_uppercase());
    hump.and_then(|place| segment.get(place + 1..)).unwrap_or(segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_a_name_is_found_in_every_case() {
        for (key, word) in [
            ("user_id", "id"),
            ("user-id", "id"),
            ("userId", "Id"),
            ("ID", "ID"),
            ("spec.commitSHA", "SHA"),
            ("sha256", "sha256"),
            ("", ""),
        ] {
            assert_eq!(last_word(key), word);
        }
    }

    #[test]
    fn a_jwt_needs_a_header_that_names_an_algorithm() {
        let jwt = |header: &str| format!("{}.x", URL_SAFE_NO_PAD.encode(header));
        assert!(is_jwt(&jwt(r#"{"alg":"none"}"#)));
        assert!(!is_jwt(&jwt(r#"{"typ":"JWT"}"#)));
        assert!(!is_jwt(&jwt(r#"["alg"]"#)));
        assert!(!is_jwt("eyJhbGciOiJub25lIn0"));
    }
}
