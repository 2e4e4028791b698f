//! What the Secret with the certificate says.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::certificate::{Bundle, Identity, Unusable};

/// KAITO's keys.
const KEY: &str = "server-key.pem";
const CERTIFICATE: &str = "server-cert.pem";
const AUTHORITIES: &str = "ca-cert.pem";
/// Ours: what will be served when all API servers trust it.
const NEXT_KEY: &str = "next-server-key.pem";
const NEXT_CERTIFICATE: &str = "next-server-cert.pem";
/// Those of a Secret that cert-manager makes.
const EXTERNAL_TYPE: &str = "kubernetes.io/tls";
const EXTERNAL_KEY: &str = "tls.key";
const EXTERNAL_CERTIFICATE: &str = "tls.crt";
const EXTERNAL_AUTHORITIES: &str = "ca.crt";

/// What the Secret says.
#[derive(Clone)]
pub(super) enum Contents {
    /// Nothing yet: the chart makes the Secret empty.
    Empty,
    /// Certificates that we made, or KAITO did.
    Ours(Box<Ours>),
    /// A certificate of somebody else, who also renews it.
    External {
        /// The certificate.
        serving: Box<Identity>,
        /// Who vouches for it, unless everybody's authorities do.
        authorities: Option<Bundle>,
    },
    /// Somebody else has not put a usable certificate there yet; why.
    AwaitingExternal(String),
    /// Something that nobody can use; why.
    Garbage(String),
}

/// Certificates that we made.
#[derive(Clone)]
pub(super) struct Ours {
    /// What is served.
    pub(super) serving: Identity,
    /// The authorities that API servers are told to trust.
    pub(super) authorities: Bundle,
    /// What will be served.
    pub(super) next: Option<Identity>,
}

impl Contents {
    /// Reads a Secret.
    pub(super) fn read(secret: Option<&Secret>) -> Self {
        let Some(secret) = secret else {
            return Self::Empty;
        };
        let data = secret.data.as_ref();
        let value = |key: &str| {
            let value = data.and_then(|data| data.get(key)).map(|value| value.0.as_slice());
            value.filter(|value| !value.is_empty())
        };
        if secret.type_.as_deref() == Some(EXTERNAL_TYPE) || value(EXTERNAL_CERTIFICATE).is_some() {
            return external(value).unwrap_or_else(|reason| Self::AwaitingExternal(reason.to_string()));
        }
        if [KEY, CERTIFICATE, AUTHORITIES]
            .into_iter()
            .all(|key| value(key).is_none())
        {
            return Self::Empty;
        }
        match Ours::read(value) {
            Ok(ours) => Self::Ours(Box::new(ours)),
            Err(reason) => Self::Garbage(reason.to_string()),
        }
    }
}

/// Why a key of the Secret cannot be used.
struct UnusableKey {
    key: &'static str,
    reason: Option<Unusable>,
}

impl fmt::Display for UnusableKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => write!(formatter, "{}: {reason}", self.key),
            None => write!(formatter, "{} is missing", self.key),
        }
    }
}

fn identity<'a>(
    value: &impl Fn(&str) -> Option<&'a [u8]>,
    certificate: &'static str,
    key: &'static str,
) -> Result<Identity, UnusableKey> {
    let missing = |key| UnusableKey { key, reason: None };
    let text = value(certificate).ok_or_else(|| missing(certificate))?;
    Identity::read(text, value(key).ok_or_else(|| missing(key))?).map_err(|reason| UnusableKey {
        key: certificate,
        reason: Some(reason),
    })
}

fn bundle(key: &'static str, text: &[u8]) -> Result<Bundle, UnusableKey> {
    Bundle::read(text).map_err(|reason| UnusableKey {
        key,
        reason: Some(reason),
    })
}

fn external<'a>(value: impl Fn(&str) -> Option<&'a [u8]>) -> Result<Contents, UnusableKey> {
    let serving = identity(&value, EXTERNAL_CERTIFICATE, EXTERNAL_KEY)?;
    let authorities = value(EXTERNAL_AUTHORITIES).map(|text| bundle(EXTERNAL_AUTHORITIES, text));
    Ok(Contents::External {
        serving: Box::new(serving),
        authorities: authorities.transpose()?,
    })
}

impl Ours {
    fn read<'a>(value: impl Fn(&str) -> Option<&'a [u8]>) -> Result<Self, UnusableKey> {
        let authorities = value(AUTHORITIES).ok_or(UnusableKey {
            key: AUTHORITIES,
            reason: None,
        })?;
        Ok(Self {
            serving: identity(&value, CERTIFICATE, KEY)?,
            authorities: bundle(AUTHORITIES, authorities)?,
            // One that cannot be read is made anew.
            next: identity(&value, NEXT_CERTIFICATE, NEXT_KEY).ok(),
        })
    }

    /// Puts these into the data of a Secret. Keys that are not ours stay.
    pub(super) fn write(&self, data: &mut BTreeMap<String, ByteString>) {
        let mut put = |key: &str, value: &[u8]| data.insert(key.to_owned(), ByteString(value.to_owned()));
        put(KEY, &self.serving.key);
        put(CERTIFICATE, &self.serving.certificate);
        put(AUTHORITIES, self.authorities.to_pem().as_bytes());
        if let Some(next) = &self.next {
            put(NEXT_KEY, &next.key);
            put(NEXT_CERTIFICATE, &next.certificate);
        } else {
            data.remove(NEXT_KEY);
            data.remove(NEXT_CERTIFICATE);
        }
    }
}
