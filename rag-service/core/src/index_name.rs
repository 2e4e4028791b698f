//! The name of an index, checked once where it enters the program.

use std::fmt;

use sha2::{Digest, Sha256};

/// Longest index name, in bytes of UTF-8 (the longest file name most file systems take).
pub const MAX_INDEX_NAME_BYTES: usize = 255;

/// A non-empty Unicode name of at most [`MAX_INDEX_NAME_BYTES`] bytes. Any character is allowed, `/` included: the
/// name is never used as a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexName(String);

/// Why a string is not an index name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseIndexName {
    /// The name has no characters.
    #[error("index_name must not be empty")]
    Empty,
    /// The name is longer than [`MAX_INDEX_NAME_BYTES`].
    #[error("index_name is {length} bytes long; at most {MAX_INDEX_NAME_BYTES} are allowed")]
    TooLong {
        /// Length of the rejected name, in bytes.
        length: usize,
    },
}

impl IndexName {
    /// The name as the user wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Lower-case hexadecimal SHA-256 of the name: a directory name that is safe on every file system.
    pub fn directory_name(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }
}

impl TryFrom<&str> for IndexName {
    type Error = ParseIndexName;

    fn try_from(name: &str) -> Result<Self, ParseIndexName> {
        if name.is_empty() {
            return Err(ParseIndexName::Empty);
        }
        if name.len() > MAX_INDEX_NAME_BYTES {
            return Err(ParseIndexName::TooLong { length: name.len() });
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for IndexName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for IndexName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_unicode_up_to_255_bytes_is_a_name() {
        for name in ["a", "..", "a/b", "日本語", " ", &"x".repeat(255)] {
            assert_eq!(IndexName::try_from(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn an_empty_or_overlong_name_is_refused() {
        assert_eq!(IndexName::try_from("").unwrap_err(), ParseIndexName::Empty);
        let length = 256;
        assert_eq!(
            IndexName::try_from("x".repeat(length).as_str()).unwrap_err(),
            ParseIndexName::TooLong { length }
        );
    }

    #[test]
    fn a_directory_name_is_a_digest_and_never_a_path() {
        let directory = IndexName::try_from("../etc").unwrap().directory_name();
        assert_eq!(directory.len(), 64);
        assert!(directory.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
