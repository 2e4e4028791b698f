//! One API key, and the name of its holder.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// Shorter ones can be guessed.
const LEAST_CHARACTERS: usize = 16;
/// Longer ones do not fit every client's and proxy's limit for headers.
pub(super) const MOST_CHARACTERS: usize = 1024;
/// What a key of a Kubernetes Secret, and so the name of its file, has at the most.
const MOST_NAME_CHARACTERS: usize = 253;

/// Whose a key is. Stands in log lines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallerName(Arc<str>);

/// The name cannot be that of a caller.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("its name may have up to {MOST_NAME_CHARACTERS} letters, digits, '-', '_' and '.'; rename or remove the file")]
pub struct ReadCallerName;

/// A text cannot be an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckKey {
    /// It could be guessed.
    #[error("the key has fewer than {LEAST_CHARACTERS} characters; `openssl rand -hex 32` makes a good one")]
    MeasureShort,
    /// It would not fit a header.
    #[error("the key has more than {MOST_CHARACTERS} characters")]
    MeasureLong,
    /// It would not survive a header, or is no key but a file of something else.
    #[error("the key may have visible ASCII characters only, no blanks and no second line")]
    ReadCharacters,
}

/// SHA-256 of an API key. Is compared in the same time whatever is equal.
#[derive(Clone)]
pub(super) struct KeyDigest([u8; 32]);

impl CallerName {
    /// For names that are written in the program.
    pub(super) fn from_static(name: &'static str) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for CallerName {
    type Error = ReadCallerName;

    /// The characters of a Secret's keys. Others are those of an editor's backup, which is a key that was replaced.
    fn try_from(name: &str) -> Result<Self, ReadCallerName> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > MOST_NAME_CHARACTERS || !name.bytes().all(fits) {
            return Err(ReadCallerName);
        }
        Ok(Self(name.into()))
    }
}

impl KeyDigest {
    /// Of whatever was sent as a key.
    pub(super) fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Of a key that is to open the service.
    pub(super) fn of_valid(key: &[u8]) -> Result<Self, CheckKey> {
        if !key.iter().all(u8::is_ascii_graphic) {
            Err(CheckKey::ReadCharacters)
        } else if key.len() < LEAST_CHARACTERS {
            Err(CheckKey::MeasureShort)
        } else if key.len() > MOST_CHARACTERS {
            Err(CheckKey::MeasureLong)
        } else {
            Ok(Self::of(key))
        }
    }
}

impl ConstantTimeEq for KeyDigest {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for KeyDigest {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyDigest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_visible_ascii_and_neither_short_nor_endless() {
        let checked = |key: &str| KeyDigest::of_valid(key.as_bytes()).err();
        assert_eq!(checked("0123456789abcdef"), None);
        assert_eq!(checked(&"x".repeat(1024)), None);
        assert_eq!(checked("0123456789abcde"), Some(CheckKey::MeasureShort));
        assert_eq!(checked(""), Some(CheckKey::MeasureShort));
        assert_eq!(checked(&"x".repeat(1025)), Some(CheckKey::MeasureLong));
        for key in [
            "0123456789 abcdef",
            "0123456789abcdef\n",
            "0123456789abcdeé",
            "0123456789\0abcdef",
        ] {
            assert_eq!(checked(key), Some(CheckKey::ReadCharacters), "{key:?}");
        }
    }

    #[test]
    fn a_callers_name_is_one_that_a_secret_can_have() {
        for name in ["alice", "team-a.web_1", "A"] {
            assert_eq!(CallerName::try_from(name).unwrap().as_str(), name);
        }
        for name in ["", "alice~", "#alice#", "a b", "é", "a/b", &"x".repeat(254)] {
            assert_eq!(CallerName::try_from(name), Err(ReadCallerName), "{name:?}");
        }
    }
}
