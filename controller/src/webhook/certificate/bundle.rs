//! Sets of authorities.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::Unusable;

/// Columns of base64 in PEM (RFC 7468, section 2).
const PEM_COLUMNS: usize = 64;

/// Certificates of authorities, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::webhook) struct Bundle(Vec<CertificateDer<'static>>);

impl Bundle {
    /// One authority.
    pub(in crate::webhook) fn one(authority: CertificateDer<'static>) -> Self {
        Self(vec![authority])
    }

    /// Reads PEM. At least one certificate must be in it.
    pub(in crate::webhook) fn read(pem: &[u8]) -> Result<Self, Unusable> {
        let mut bundle = Self::default();
        for authority in CertificateDer::pem_slice_iter(pem) {
            bundle = bundle.and(&Self::one(authority.map_err(Unusable::Pem)?));
        }
        if bundle.0.is_empty() {
            return Err(Unusable::NoCertificate);
        }
        Ok(bundle)
    }

    /// As PEM.
    pub(in crate::webhook) fn to_pem(&self) -> String {
        let mut pem = String::new();
        for authority in &self.0 {
            let text = STANDARD.encode(authority);
            pem.push_str("-----BEGIN CERTIFICATE-----\n");
            for line in text.as_bytes().chunks(PEM_COLUMNS) {
                pem.extend(line.iter().copied().map(char::from));
                pem.push('\n');
            }
            pem.push_str("-----END CERTIFICATE-----\n");
        }
        pem
    }

    /// These and those.
    pub(in crate::webhook) fn and(mut self, others: &Self) -> Self {
        for other in &others.0 {
            if !self.0.contains(other) {
                self.0.push(other.clone());
            }
        }
        self
    }

    /// Whether all of `others` are among these.
    pub(in crate::webhook) fn contains(&self, others: &Self) -> bool {
        others.0.iter().all(|other| self.0.contains(other))
    }

    /// Those of which something is true, each seen as a bundle of its own.
    pub(super) fn filter(&self, mut wanted: impl FnMut(&Self) -> bool) -> Self {
        let wanted = |authority: &&CertificateDer<'static>| wanted(&Self::one((*authority).clone()));
        Self(self.0.iter().filter(wanted).cloned().collect())
    }

    /// One after the other.
    pub(in crate::webhook) fn iter(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.0.iter()
    }
}
