//! Certificates are what rustls, and so any client, accepts for the right names, and for nothing else.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{ServerName, UnixTime};

use super::{made, names};
use crate::webhook::certificate::{Bundle, Identity, issue, provider};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const NAMES: [&str; 6] = [
    "ragengine",
    "ragengine.kaito",
    "ragengine.kaito.svc",
    "ragengine.kaito.svc.cluster.local",
    "127.0.0.1",
    "2001:db8::1",
];

/// Whether a client that trusts `authorities` takes `identity` for `name`.
fn accepts(authorities: &Bundle, identity: &Identity, name: &str, at: Timestamp) -> bool {
    let mut roots = RootCertStore::empty();
    for authority in authorities.iter() {
        roots.add(authority.clone()).unwrap();
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .unwrap();
    let (first, rest) = identity.certified.cert.split_first().unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(at.as_second().try_into().unwrap()));
    verifier.verify_server_cert(first, rest, &name, &[], now).is_ok()
}

#[test]
fn a_certificate_is_accepted_for_its_names_and_no_others() {
    let ours = made(&names(&NAMES), SignedDuration::ZERO);
    let now = Timestamp::now();
    for name in NAMES {
        assert!(accepts(&ours.authorities, &ours.serving, name, now), "{name}");
    }
    assert!(!accepts(&ours.authorities, &ours.serving, "other.kaito.svc", now));
    assert!(!accepts(&ours.authorities, &ours.serving, "127.0.0.2", now));
    assert_eq!(ours.serving.names, names(&NAMES));
    ours.serving.check(&ours.authorities, now).unwrap();
}

#[test]
fn a_clock_may_be_an_hour_behind() {
    let now = Timestamp::now();
    let (identity, authorities) = issue(&names(&["a"]), now, Duration::from_secs(90)).unwrap();
    assert!(accepts(&authorities, &identity, "a", now - HOUR));
    assert!(!accepts(&authorities, &identity, "a", now - HOUR * 2));
    assert!(!accepts(
        &authorities,
        &identity,
        "a",
        now + SignedDuration::from_secs(92)
    ));
    assert!(
        identity
            .check(&authorities, now + SignedDuration::from_secs(92))
            .is_err()
    );
    assert_eq!(identity.issued_at().as_second(), now.as_second());
}

#[test]
fn each_certificate_has_its_own_authority() {
    let (one, other) = (
        made(&names(&["a"]), SignedDuration::ZERO),
        made(&names(&["a"]), SignedDuration::ZERO),
    );
    let now = Timestamp::now();
    assert!(other.serving.check(&one.authorities, now).is_err());
    let both = one.authorities.clone().and(&other.authorities);
    one.serving.check(&both, now).unwrap();
    other.serving.check(&both, now).unwrap();
    assert_eq!(one.serving.signers(&both, now), one.authorities);
    assert_eq!(other.serving.signers(&both, now), other.authorities);
}

#[test]
fn a_serving_certificate_cannot_sign_another() {
    let ours = made(&names(&["a"]), SignedDuration::ZERO);
    let (_, parsed) = x509_parser::parse_x509_certificate(&ours.serving.certified.cert[0]).unwrap();
    assert!(!parsed.is_ca());
    let authority = ours.authorities.iter().next().unwrap();
    let (_, parsed) = x509_parser::parse_x509_certificate(authority).unwrap();
    assert!(parsed.is_ca());
}

#[test]
fn bundles_are_sets() {
    let one = made(&names(&["a"]), SignedDuration::ZERO).authorities;
    let other = made(&names(&["a"]), SignedDuration::ZERO).authorities;
    let both = one.clone().and(&other).and(&one);
    assert_eq!(both.iter().count(), 2);
    assert!(both.contains(&one) && both.contains(&other) && !one.contains(&both));
    assert_eq!(Bundle::read(both.to_pem().as_bytes()).unwrap(), both);
    assert!(Bundle::read(b"").is_err());
    assert!(Bundle::read(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").is_err());
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (one, other) = (
        made(&names(&["a"]), SignedDuration::ZERO),
        made(&names(&["a"]), SignedDuration::ZERO),
    );
    Identity::read(&one.serving.certificate, &one.serving.key).unwrap();
    let refused = Identity::read(&one.serving.certificate, &other.serving.key)
        .err()
        .unwrap();
    assert!(refused.to_string().contains("key"), "{refused}");
    assert!(Identity::read(b"", &one.serving.key).is_err());
    assert!(Identity::read(&one.serving.certificate, b"").is_err());
}
