//! What the Secret says.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::{made, names};
use crate::webhook::secret::{Contents, Ours};

/// Keys and values.
type Data<'a> = &'a [(&'a str, &'a [u8])];

fn secret(of_type: &str, data: Data<'_>) -> Secret {
    let value = |(key, value): &(&str, &[u8])| ((*key).to_owned(), ByteString(value.to_vec()));
    Secret {
        type_: Some(of_type.to_owned()),
        data: Some(data.iter().map(value).collect()),
        ..Secret::default()
    }
}

fn kind(contents: &Contents) -> &'static str {
    match contents {
        Contents::Empty => "empty",
        Contents::Ours(_) => "ours",
        Contents::External { authorities: None, .. } => "external without authorities",
        Contents::External { .. } => "external",
        Contents::AwaitingExternal(_) => "awaiting external",
        Contents::Garbage(_) => "garbage",
    }
}

#[test]
fn a_secret_is_read_for_what_it_is() {
    let Ours {
        serving, authorities, ..
    } = made(&names(&["a"]), SignedDuration::ZERO);
    let (key, certificate, pem) = (&serving.key, &serving.certificate, authorities.to_pem());
    let authorities = pem.as_bytes();
    let (opaque, tls) = ("Opaque", "kubernetes.io/tls");
    let cases: [(&str, Data<'_>, &str); 10] = [
        (opaque, &[], "empty"),
        (
            opaque,
            &[("server-key.pem", b""), ("server-cert.pem", b""), ("ca-cert.pem", b"")],
            "empty",
        ),
        (
            opaque,
            &[
                ("server-key.pem", key),
                ("server-cert.pem", certificate),
                ("ca-cert.pem", authorities),
            ],
            "ours",
        ),
        (
            opaque,
            &[("server-key.pem", key), ("server-cert.pem", certificate)],
            "garbage",
        ),
        (
            opaque,
            &[
                ("server-key.pem", b"?"),
                ("server-cert.pem", certificate),
                ("ca-cert.pem", authorities),
            ],
            "garbage",
        ),
        (tls, &[("tls.key", b""), ("tls.crt", b"")], "awaiting external"),
        (tls, &[("tls.key", b"?"), ("tls.crt", certificate)], "awaiting external"),
        (
            tls,
            &[("tls.key", key), ("tls.crt", certificate)],
            "external without authorities",
        ),
        (
            tls,
            &[("tls.key", key), ("tls.crt", certificate), ("ca.crt", authorities)],
            "external",
        ),
        // An empty Secret of the chart that cert-manager was given.
        (
            opaque,
            &[
                ("server-key.pem", b""),
                ("tls.key", key),
                ("tls.crt", certificate),
                ("ca.crt", authorities),
            ],
            "external",
        ),
    ];
    for (of_type, data, expected) in cases {
        let contents = Contents::read(Some(&secret(of_type, data)));
        assert_eq!(kind(&contents), expected, "{of_type} {data:?}");
    }
    assert_eq!(kind(&Contents::read(None)), "empty");
}

#[test]
fn what_is_wrong_is_told_by_key() {
    let read = |data: Data<'_>| match Contents::read(Some(&secret("Opaque", data))) {
        Contents::Garbage(reason) => reason,
        other => panic!("{}", kind(&other)),
    };
    assert_eq!(read(&[("server-key.pem", b"?")]), "ca-cert.pem is missing");
    let serving = made(&names(&["a"]), SignedDuration::ZERO).serving;
    let reason = read(&[
        ("server-key.pem", &serving.key),
        ("server-cert.pem", &serving.certificate),
        ("ca-cert.pem", b"?"),
    ]);
    assert_eq!(reason, "ca-cert.pem: it holds no certificate");
}

#[test]
fn what_is_written_is_read_again_and_the_rest_stays() {
    let mut ours = made(&names(&["a"]), SignedDuration::ZERO);
    ours.next = Some(made(&names(&["b"]), SignedDuration::ZERO).serving);
    let mut data = BTreeMap::from([("note".to_owned(), ByteString(b"kept".to_vec()))]);
    ours.write(&mut data);
    let read = |data: &BTreeMap<String, ByteString>| {
        let secret = Secret {
            data: Some(data.clone()),
            ..Secret::default()
        };
        match Contents::read(Some(&secret)) {
            Contents::Ours(ours) => ours,
            other => panic!("{}", kind(&other)),
        }
    };
    let again = read(&data);
    assert_eq!(again.serving.certificate, ours.serving.certificate);
    assert_eq!(again.serving.key, ours.serving.key);
    assert_eq!(again.authorities, ours.authorities);
    assert_eq!(again.next.unwrap().certificate, ours.next.as_ref().unwrap().certificate);
    ours.next = None;
    ours.write(&mut data);
    assert!(read(&data).next.is_none());
    assert_eq!(data["note"].0, b"kept");
}
