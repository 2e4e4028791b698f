//! `data/guardrails/secret_detectors.yaml`: what a credential looks like.
//!
//! Patterns are not compiled here; the crate that scans does that, and tests every row's examples.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;

mod shape;

pub use shape::{Charset, ParseShape, Part, Shape};

const SOURCE: &str = include_str!("../data/guardrails/secret_detectors.yaml");

/// What a candidate must pass besides the rules that hold for all values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretCheck {
    /// Nothing else: the shape is evidence enough.
    Value,
    /// Letters and digits that nobody has chosen.
    Random,
    /// High entropy for base64, and no harmless key.
    Base64Entropy,
    /// High entropy for hexadecimal digits, and no harmless key.
    HexEntropy,
    /// A JSON header in base64url.
    Jwt,
    /// A JWT in base64 once more.
    EncodedJwt,
    /// A value that would be too plain if its name did not say that it is secret.
    Named,
    /// A UUID, unless its name calls it an id.
    ClientKey,
}

/// A credential that is told by itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRow {
    /// Unique among all rows.
    pub name: String,
    /// What it looks like; empty if there is a pattern.
    #[serde(default)]
    pub shapes: Vec<Shape>,
    /// A regular expression, if there are no shapes.
    pub pattern: Option<String>,
    /// Lower-case words of which one must occur; `None` means the longest literal of each shape.
    pub keywords: Option<Vec<String>>,
    /// What a candidate must pass.
    #[serde(default = "only_the_value")]
    pub check: SecretCheck,
    /// Texts that must be hits; runs in them stand for generated characters.
    #[serde(default)]
    pub examples: Vec<Shape>,
    /// Texts that must be none.
    #[serde(default)]
    pub non_examples: Vec<Shape>,
}

/// A credential that is told by the name it is assigned to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignedRow {
    /// Unique among all rows.
    pub name: String,
    /// Lower-case words of which one begins the name or is part of it.
    pub vendors: Vec<String>,
    /// What the value looks like.
    pub values: Vec<Shape>,
    /// What a candidate must pass.
    #[serde(default = "random")]
    pub check: SecretCheck,
    /// Texts that must be hits besides those that a test makes of vendors and values.
    #[serde(default)]
    pub examples: Vec<Shape>,
    /// Texts that must be none.
    #[serde(default)]
    pub non_examples: Vec<Shape>,
}

fn only_the_value() -> SecretCheck {
    SecretCheck::Value
}

fn random() -> SecretCheck {
    SecretCheck::Random
}

/// All known credentials. Names are unique, and every charset that a shape mentions exists.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretCatalogue {
    charsets: BTreeMap<String, Charset>,
    harmless_keys: Vec<String>,
    secret_words: Vec<String>,
    tokens: Vec<TokenRow>,
    assigned: Vec<AssignedRow>,
}

/// Why a catalogue was refused.
#[derive(Debug, thiserror::Error)]
pub enum SecretCatalogueError {
    /// Not YAML, or not of this shape.
    #[error("parse catalogue of secret detectors")]
    Parse(#[source] serde_yaml_ng::Error),
    /// Two rows have one name.
    #[error("secret detector {name:?} is listed twice")]
    RepeatedName {
        /// The name.
        name: String,
    },
    /// A field that serde accepts and a scanner cannot work with.
    #[error("secret detector {name:?}: {reason}")]
    InvalidRow {
        /// The row's name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl SecretCatalogue {
    /// The catalogue that ships with this crate.
    ///
    /// # Errors
    /// None in a released build: a test parses the same text.
    pub fn builtin() -> Result<Self, SecretCatalogueError> {
        Self::parse(SOURCE)
    }

    /// Reads and validates a catalogue.
    ///
    /// # Errors
    /// For unknown fields and charsets, repeated names, and rows that could match nothing or anything.
    pub fn parse(yaml: &str) -> Result<Self, SecretCatalogueError> {
        let catalogue: Self = serde_yaml_ng::from_str(yaml).map_err(SecretCatalogueError::Parse)?;
        let tokens = catalogue
            .tokens
            .iter()
            .map(|row| (&row.name, catalogue.token_fault(row)));
        let assigned = catalogue
            .assigned
            .iter()
            .map(|row| (&row.name, catalogue.assigned_fault(row)));
        let mut names = HashSet::new();
        for (name, fault) in tokens.chain(assigned) {
            if let Some(reason) = fault {
                return Err(SecretCatalogueError::InvalidRow {
                    name: name.clone(),
                    reason,
                });
            }
            if !names.insert(name) {
                return Err(SecretCatalogueError::RepeatedName { name: name.clone() });
            }
        }
        Ok(catalogue)
    }

    /// The charset of this name.
    #[must_use]
    pub fn charset(&self, name: &str) -> Option<&Charset> {
        self.charsets.get(name)
    }

    /// Last words of names whose values are identifiers or digests, in lower case.
    #[must_use]
    pub fn harmless_keys(&self) -> &[String] {
        &self.harmless_keys
    }

    /// Parts of names whose values are secret whatever else the name says, in lower case.
    #[must_use]
    pub fn secret_words(&self) -> &[String] {
        &self.secret_words
    }

    /// Credentials that are told by themselves, in the file's order.
    #[must_use]
    pub fn tokens(&self) -> &[TokenRow] {
        &self.tokens
    }

    /// Credentials that are told by their names, in the file's order.
    #[must_use]
    pub fn assigned(&self) -> &[AssignedRow] {
        &self.assigned
    }

    fn token_fault(&self, row: &TokenRow) -> Option<&'static str> {
        if row.shapes.is_empty() == row.pattern.is_none() {
            return Some("it needs either shapes or a pattern");
        }
        if row.pattern.is_some() && row.examples.is_empty() {
            return Some("a pattern needs examples");
        }
        if row.pattern.is_some() && row.keywords.is_none() {
            return Some("a pattern needs keywords, or an empty list of them");
        }
        if row.shapes.iter().any(|shape| shape.literals().next().is_none()) {
            return Some("a shape without a literal would match any word");
        }
        if let Some(reason) = row.keywords.as_deref().and_then(words_fault) {
            return Some(reason);
        }
        self.shared_fault(
            &row.name,
            row.shapes.iter().chain(&row.examples).chain(&row.non_examples),
        )
    }

    fn assigned_fault(&self, row: &AssignedRow) -> Option<&'static str> {
        if row.vendors.is_empty() || row.values.is_empty() {
            return Some("it needs vendors and values");
        }
        if let Some(reason) = words_fault(&row.vendors) {
            return Some(reason);
        }
        self.shared_fault(
            &row.name,
            row.values.iter().chain(&row.examples).chain(&row.non_examples),
        )
    }

    fn shared_fault<'row>(&self, name: &str, mut shapes: impl Iterator<Item = &'row Shape>) -> Option<&'static str> {
        if name.is_empty()
            || !name
                .chars()
                .all(|character| "abcdefghijklmnopqrstuvwxyz0123456789-".contains(character))
        {
            return Some("the name is not in kebab-case");
        }
        shapes
            .any(|shape| shape.charsets().any(|charset| !self.charsets.contains_key(charset)))
            .then_some("a shape mentions an unknown charset")
    }
}

fn words_fault(words: &[String]) -> Option<&'static str> {
    words
        .iter()
        .any(|word| word.trim().is_empty() || !word.is_ascii() || *word != word.to_ascii_lowercase())
        .then_some("words must be lower-case ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATALOGUE: &str = "charsets: {hex: 0-9a-f}\nharmless_keys: [id]\nsecret_words: [token]\n\
                             tokens: [{name: a, shapes: ['a_{hex:8}']}]\n\
                             assigned: [{name: b, vendors: [b], values: ['{hex:8}']}]\n";

    #[test]
    fn the_shipped_catalogue_is_valid() {
        let catalogue = SecretCatalogue::builtin().expect("the shipped catalogue is valid");
        assert!(catalogue.tokens().len() > 50);
        assert!(catalogue.assigned().len() > 50);
    }

    #[test]
    fn a_row_that_could_match_nothing_or_anything_is_refused() {
        SecretCatalogue::parse(CATALOGUE).expect("a catalogue");
        for (from, to) in [
            ("shapes: ['a_{hex:8}']", "keywords: [a]"),
            ("shapes: ['a_{hex:8}']", "shapes: ['{hex:8}']"),
            ("shapes: ['a_{hex:8}']", "shapes: ['a_{oct:8}']"),
            ("shapes: ['a_{hex:8}']", "pattern: a, keywords: [a]"),
            ("shapes: ['a_{hex:8}']", "pattern: a, examples: [a]"),
            ("shapes: ['a_{hex:8}']", "pattern: a, examples: [a], keywords: [A]"),
            ("vendors: [b]", "vendors: []"),
            ("vendors: [b]", "vendors: ['']"),
            ("name: b", "name: B"),
        ] {
            let refused = SecretCatalogue::parse(&CATALOGUE.replace(from, to)).expect_err(to);
            assert!(
                matches!(refused, SecretCatalogueError::InvalidRow { .. }),
                "{to}: {refused}"
            );
        }
    }

    #[test]
    fn repeated_names_and_unknown_fields_are_refused() {
        assert!(matches!(
            SecretCatalogue::parse(&CATALOGUE.replace("name: b", "name: a")),
            Err(SecretCatalogueError::RepeatedName { .. })
        ));
        assert!(matches!(
            SecretCatalogue::parse(&CATALOGUE.replace("vendors", "vendor")),
            Err(SecretCatalogueError::Parse(_))
        ));
    }
}
