//! A cluster's own certificate authority. Certificates are valid for as long as rcgen's defaults say: longer than any
//! test.

use std::net::IpAddr;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType};
use rcgen::{CertifiedIssuer, KeyUsagePurpose};

/// Signs the certificates of one cluster.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    certificate: String,
}

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// The key pair that tokens of ServiceAccounts are signed with, as PEM.
pub(super) struct TokenKey {
    pub(super) private: String,
    pub(super) public: String,
}

impl Authority {
    pub(super) fn new() -> Result<Self> {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        parameters.distinguished_name.push(DnType::CommonName, "kaito-tests");
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate()?)?;
        let certificate = issuer.pem();
        Ok(Self { issuer, certificate })
    }

    /// The authority's own certificate, as PEM.
    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// For the API server at an address.
    pub(super) fn server(&self, address: IpAddr) -> Result<Identity> {
        let names = [
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
        ];
        let mut parameters = CertificateParams::new(names.map(str::to_owned))?;
        parameters.subject_alt_names.push(SanType::IpAddress(address));
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        self.sign(parameters)
    }

    /// For a user of the API server, in one group.
    pub(super) fn client(&self, name: &str, group: &str) -> Result<Identity> {
        let mut parameters = CertificateParams::default();
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.distinguished_name.push(DnType::OrganizationName, group);
        self.sign(parameters)
    }

    fn sign(&self, mut parameters: CertificateParams) -> Result<Identity> {
        parameters.use_authority_key_identifier_extension = true;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        Ok(Identity {
            certificate: parameters.signed_by(&key, &self.issuer)?.pem(),
            key: key.serialize_pem(),
        })
    }
}

impl TokenKey {
    pub(super) fn new() -> Result<Self> {
        let pair = KeyPair::generate()?;
        Ok(Self {
            private: pair.serialize_pem(),
            public: pair.public_key_pem(),
        })
    }
}
