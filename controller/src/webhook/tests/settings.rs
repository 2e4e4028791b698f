//! What can be set.

use std::collections::BTreeSet;

use super::names;
use crate::options::ControllerKind;
use crate::webhook::{CertificateLifetime, WebhookSettings, WebhookUrl};

/// As the ragengine chart starts the controller.
pub(super) fn settings(url: Option<&str>) -> WebhookSettings {
    WebhookSettings {
        address: ([127, 0, 0, 1], 0).into(),
        namespace: "kaito-ragengine".to_owned(),
        service: "ragengine".to_owned(),
        service_port: 9443,
        url: url.map(|url| url.parse().unwrap()),
        controllers: BTreeSet::from([ControllerKind::Ragengine]),
        environment: super::admission::environment(),
        lifetime: CertificateLifetime::default(),
    }
}

#[test]
fn a_certificate_is_for_the_service_and_the_url() {
    let service = [
        "ragengine",
        "ragengine.kaito-ragengine",
        "ragengine.kaito-ragengine.svc",
        "ragengine.kaito-ragengine.svc.cluster.local",
    ];
    assert_eq!(settings(None).names(), names(&service));
    for (url, host) in [
        ("https://10.0.0.1:9443", "10.0.0.1"),
        ("https://[2001:db8::1]:9443/kaito", "2001:db8::1"),
        ("https://dev.example.com", "dev.example.com"),
    ] {
        let mut expected = names(&service);
        expected.insert(host.to_owned());
        assert_eq!(settings(Some(url)).names(), expected, "{url}");
    }
}

#[test]
fn the_secret_is_the_one_of_the_chart() {
    let with = |controllers: &[ControllerKind]| {
        let mut settings = settings(None);
        settings.controllers = controllers.iter().copied().collect();
        settings.secret()
    };
    use ControllerKind::{Ragengine, Workspace};
    assert_eq!(with(&[Ragengine]), "ragengine-webhook-cert");
    assert_eq!(with(&[Workspace]), "workspace-webhook-cert");
    assert_eq!(with(&[Workspace, Ragengine]), "ragengine-webhook-cert");
}

#[test]
fn a_url_must_be_one_that_an_api_server_takes() {
    for url in [
        "http://a:1",
        "a:1",
        "https://",
        "https://user@a:1",
        "https://a:1?b=c",
        "https://a:1#b",
        "",
    ] {
        let refused = url.parse::<WebhookUrl>().unwrap_err().to_string();
        assert!(refused.contains("https://host:port"), "{url}: {refused}");
    }
    let url: WebhookUrl = "https://a:1/".parse().unwrap();
    assert_eq!(url.of("/convert"), "https://a:1/convert");
    assert_eq!(url.to_string(), "https://a:1");
}
