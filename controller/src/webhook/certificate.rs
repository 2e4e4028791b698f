//! Certificates: making them, reading them, and judging whether they will do.
//!
//! Each serving certificate has an authority of its own, whose key is thrown away at once: nothing else can ever be
//! signed with it.

mod bundle;

pub(super) use bundle::Bundle;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;

/// Certificates are good from this long before they are made, for API servers whose clocks are behind.
pub(super) const CLOCK_SKEW: SignedDuration = SignedDuration::from_hours(1);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// The text is not PEM, or holds something else.
    #[error("it is not PEM: {0}")]
    Pem(rustls::pki_types::pem::Error),
    /// There is no certificate in the text.
    #[error("it holds no certificate")]
    NoCertificate,
    /// The certificate is not X.509.
    #[error("it is not an X.509 certificate: {0}")]
    Certificate(String),
    /// The key is of an unknown kind, or another certificate's.
    #[error("its key cannot be used: {0}")]
    Key(rustls::Error),
    /// No authority of the bundle has signed it, or it is not valid now.
    #[error("it is not valid: {0}")]
    Invalid(rustls::Error),
}

/// A serving certificate and its key.
#[derive(Clone)]
pub(super) struct Identity {
    /// As rustls wants it.
    pub(super) certified: Arc<CertifiedKey>,
    /// The certificate and what comes between it and the authority, as PEM.
    pub(super) certificate: Vec<u8>,
    /// The key, as PEM.
    pub(super) key: Vec<u8>,
    /// The names it is good for: DNS names and addresses.
    pub(super) names: BTreeSet<String>,
    /// Good from then.
    pub(super) not_before: Timestamp,
    /// Good until then.
    pub(super) not_after: Timestamp,
}

/// The library that does the cryptography.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Makes a certificate that is good for `names` from now on, and the authority that vouches for it.
///
/// # Errors
///
/// A name is not ASCII.
pub(super) fn issue(
    names: &BTreeSet<String>,
    now: Timestamp,
    validity: Duration,
) -> Result<(Identity, Bundle), rcgen::Error> {
    let parameters = |common_name: String| {
        let mut parameters = CertificateParams::default();
        parameters.not_before =
            rcgen::date_time_ymd(1970, 1, 1) + seconds(now.saturating_sub(CLOCK_SKEW).unwrap_or(now));
        parameters.not_after = rcgen::date_time_ymd(1970, 1, 1) + seconds(now) + validity;
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, common_name);
        parameters.use_authority_key_identifier_extension = true;
        parameters
    };
    let mut authority = parameters(format!("kaito-controller webhooks {now:.0}"));
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

    let mut serving = parameters("kaito-controller".to_owned());
    let names: Vec<String> = names.iter().cloned().collect();
    serving.subject_alt_names = CertificateParams::new(names)?.subject_alt_names;
    serving.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    serving.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = serving.signed_by(&key, &authority)?;
    let identity = Identity::read(certificate.pem().as_bytes(), key.serialize_pem().as_bytes())
        .expect("what was just made can be read");
    Ok((identity, Bundle::one(authority.der().clone())))
}

fn seconds(time: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(time.as_second()).unwrap_or_default())
}

impl Identity {
    /// Reads a certificate, with what comes between it and the authority, and its key.
    pub(super) fn read(certificate: &[u8], key: &[u8]) -> Result<Self, Unusable> {
        let chain = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(Unusable::Pem)?;
        let private = PrivateKeyDer::from_pem_slice(key).map_err(Unusable::Pem)?;
        let first = chain.first().ok_or(Unusable::NoCertificate)?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(first).map_err(|error| Unusable::Certificate(error.to_string()))?;
        let names = parsed
            .subject_alternative_name()
            .map_err(|error| Unusable::Certificate(error.to_string()))?
            .map(|extension| extension.value.general_names.iter().filter_map(name).collect())
            .unwrap_or_default();
        let time = |seconds| Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        let (not_before, not_after) = (
            time(parsed.validity().not_before.timestamp()),
            time(parsed.validity().not_after.timestamp()),
        );
        Ok(Self {
            certified: Arc::new(CertifiedKey::from_der(chain, private, &provider()).map_err(Unusable::Key)?),
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            names,
            not_before,
            not_after,
        })
    }

    /// Whether an API server that trusts `authorities` would accept it now, names aside.
    pub(super) fn check(&self, authorities: &Bundle, now: Timestamp) -> Result<(), Unusable> {
        let mut roots = RootCertStore::empty();
        for authority in authorities.iter() {
            roots.add(authority.clone()).map_err(Unusable::Invalid)?;
        }
        let (first, between) = self.certified.cert.split_first().ok_or(Unusable::NoCertificate)?;
        let parsed = ParsedCertificate::try_from(first).map_err(Unusable::Invalid)?;
        let now = UnixTime::since_unix_epoch(seconds(now));
        let algorithms = provider().signature_verification_algorithms;
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots, between, now, algorithms.all)
            .map_err(Unusable::Invalid)
    }

    /// Those of `authorities` that vouch for it.
    pub(super) fn signers(&self, authorities: &Bundle, now: Timestamp) -> Bundle {
        authorities.filter(|authority| self.check(authority, now).is_ok())
    }

    /// When it was made, if we made it.
    pub(super) fn issued_at(&self) -> Timestamp {
        let issued = self.not_before.saturating_add(CLOCK_SKEW).unwrap_or(self.not_before);
        // Of somebody else, and short.
        if issued < self.not_after {
            issued
        } else {
            self.not_before
        }
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let address = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = address.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}
