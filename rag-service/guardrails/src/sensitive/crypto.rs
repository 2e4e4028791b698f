//! Addresses of Bitcoin and Ethereum.

use sha3::{Digest, Keccak256};

use crate::detector::{Candidate, Detector};

pub(super) fn detectors() -> Vec<Detector> {
    vec![
        detector(
            "bitcoin-base58",
            r"(?-u:\b)[13][1-9A-HJ-NP-Za-km-z]{25,34}(?-u:\b)",
            &[],
            is_base58check,
        ),
        // Written in one case or the other, never in both.
        detector(
            "bitcoin-segwit",
            r"(?-u:\b)(?:(?:bc|tb)1[02-9ac-hj-np-z]{11,71}|(?:BC|TB)1[02-9AC-HJ-NP-Z]{11,71})(?-u:\b)",
            &["bc1", "tb1"],
            is_segwit,
        ),
        detector("ethereum", r"(?-u:\b)0x[0-9A-Fa-f]{40}(?-u:\b)", &["0x"], is_ethereum),
    ]
}

fn detector(name: &str, pattern: &str, keywords: &[&str], accept: fn(&Candidate<'_>) -> bool) -> Detector {
    Detector {
        name: name.into(),
        pattern: pattern.to_owned(),
        keywords: keywords.iter().map(|word| (*word).to_owned()).collect(),
        accept,
        label: Some("<CRYPTO_ADDRESS>"),
    }
}

/// Version 0 (the hash of a key) or 5 (of a script) and 20 bytes, checked by two rounds of SHA-256.
fn is_base58check(candidate: &Candidate<'_>) -> bool {
    bs58::decode(candidate.value)
        .with_check(None)
        .into_vec()
        .is_ok_and(|decoded| decoded.len() == 21 && matches!(decoded.first(), Some(0 | 5)))
}

/// BIP 173 and BIP 350.
fn is_segwit(candidate: &Candidate<'_>) -> bool {
    bech32::segwit::decode(candidate.value).is_ok()
}

/// EIP-55: where letters are of both cases, a letter is a capital if the same digit of the hash of the address is 8 or
/// more. An address in one case has no checksum.
fn is_ethereum(candidate: &Candidate<'_>) -> bool {
    let Some(address) = candidate.value.strip_prefix("0x") else {
        return false;
    };
    let lower = address.to_ascii_lowercase();
    if address == lower || address == address.to_ascii_uppercase() {
        return true;
    }
    let hash = hex::encode(Keccak256::digest(lower.as_bytes()));
    address
        .bytes()
        .zip(hash.bytes())
        .all(|(letter, digit)| !letter.is_ascii_alphabetic() || letter.is_ascii_uppercase() == (digit >= b'8'))
}
