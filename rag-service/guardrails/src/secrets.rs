//! Detectors of credentials, made from the catalogue in `presets/data/guardrails/secret_detectors.yaml`.
//!
//! There is deliberately no comment or marker that switches scanning off for a line: what is scanned is written by a
//! model, and whoever controls its input would use it.

use std::sync::LazyLock;

use kaito_presets::{SecretCatalogue, SecretCheck};

use crate::detector::{Candidate, Detector};

mod checks;
mod entropy;
mod pattern;
#[cfg(test)]
pub(crate) mod tests;
mod value;

static CATALOGUE: LazyLock<SecretCatalogue> =
    LazyLock::new(|| SecretCatalogue::builtin().expect("the presets crate tests its own catalogue"));

/// All detectors of credentials, in the catalogue's order.
pub(crate) fn detectors() -> &'static [Detector] {
    static DETECTORS: LazyLock<Vec<Detector>> = LazyLock::new(|| from_catalogue(&CATALOGUE));
    &DETECTORS
}

fn from_catalogue(catalogue: &SecretCatalogue) -> Vec<Detector> {
    let tokens = catalogue.tokens().iter().map(|row| Detector {
        name: row.name.as_str().into(),
        pattern: pattern::token(catalogue, row),
        keywords: row.keywords.clone().unwrap_or_else(|| pattern::keywords(&row.shapes)),
        accept: acceptance(row.check),
        label: None,
    });
    let assigned = catalogue.assigned().iter().map(|row| Detector {
        name: row.name.as_str().into(),
        pattern: pattern::assigned(catalogue, row),
        keywords: row.vendors.clone(),
        accept: acceptance(row.check),
        label: None,
    });
    tokens.chain(assigned).collect()
}

fn acceptance(check: SecretCheck) -> fn(&Candidate<'_>) -> bool {
    match check {
        SecretCheck::Value => checks::value,
        SecretCheck::Random => checks::random,
        SecretCheck::Base64Entropy => checks::base64_entropy,
        SecretCheck::HexEntropy => checks::hex_entropy,
        SecretCheck::Jwt => checks::jwt,
        SecretCheck::EncodedJwt => checks::encoded_jwt,
        SecretCheck::Named => checks::named,
        SecretCheck::ClientKey => checks::client_key,
    }
}
