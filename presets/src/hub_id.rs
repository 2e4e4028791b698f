//! Names of the Hugging Face hub.

use std::fmt;

use serde::Deserialize;

/// The id of a model, `owner/name`, as somebody wrote it. The hub does not tell upper from lower case.
///
/// Both parts are letters, digits, `-`, `_` and `.`, and begin with none of the dots, so an id can be part of a path, a
/// URL and a command line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct HubId(String);

/// The text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} is not the id of a model on Hugging Face; write owner/name, with letters, digits, \"-\", \"_\" and \".\""
)]
pub struct ParseHubId {
    given: String,
}

impl HubId {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In lower case, by which ids are compared.
    #[must_use]
    pub fn to_lowercase(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// The last part, in lower case.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.0.rsplit('/').next().unwrap_or_default();
        name.to_ascii_lowercase()
    }
}

impl TryFrom<String> for HubId {
    type Error = ParseHubId;

    fn try_from(given: String) -> Result<Self, ParseHubId> {
        if is_hub_name(&given) {
            Ok(Self(given))
        } else {
            Err(ParseHubId { given })
        }
    }
}

impl TryFrom<&str> for HubId {
    type Error = ParseHubId;

    fn try_from(given: &str) -> Result<Self, ParseHubId> {
        Self::try_from(given.to_owned())
    }
}

impl fmt::Display for HubId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether `id` has the form of an id.
pub(crate) fn is_hub_name(id: &str) -> bool {
    let allowed = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || "-_.".contains(character))
    };
    id.split_once('/')
        .is_some_and(|(owner, name)| allowed(owner) && allowed(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_an_owner_and_a_name_that_mean_nothing_to_a_shell() {
        let id = HubId::try_from("Qwen/Qwen2.5-Coder-7B_x").expect("an id");
        assert_eq!(id.as_str(), "Qwen/Qwen2.5-Coder-7B_x");
        assert_eq!(id.to_lowercase(), "qwen/qwen2.5-coder-7b_x");
        assert_eq!(id.name(), "qwen2.5-coder-7b_x");
        for given in [
            "", "a", "/a", "a/", "a/b/c", "a/b c", "a/b;c", "a/$b", "../a", "a/..", "é/a",
        ] {
            assert!(HubId::try_from(given).is_err(), "{given}");
        }
    }
}
