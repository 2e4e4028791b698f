//! Digests of JSON values.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// SHA-256, in hexadecimal, of a value as JSON with the members of objects in the order of their names.
pub fn of(value: &impl Serialize) -> String {
    let mut value = serde_json::to_value(value).unwrap_or_default();
    value.sort_all_objects();
    of_bytes(value.to_string().as_bytes())
}

/// SHA-256 of bytes, in hexadecimal.
pub fn of_bytes(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The first `length` digits of a digest.
pub fn short(digest: &str, length: usize) -> &str {
    digest.get(..length).unwrap_or(digest)
}
