//! What is written into the objects that name the webhooks, and when.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::settings::settings;
use super::{made, names};
use crate::webhook::certificate::Bundle;
use crate::webhook::injection::{Endpoint, Finding, Target, Trust, targets};

fn authorities() -> Bundle {
    made(&names(&["a"]), SignedDuration::ZERO).authorities
}

fn encoded(bundle: &Bundle) -> String {
    STANDARD.encode(bundle.to_pem())
}

fn endpoint(url: Option<&str>) -> Endpoint {
    Endpoint::of(&settings(url))
}

fn target(kind: &str) -> Target {
    let all = targets(&settings(None).controllers);
    all.into_iter().find(|target| target.resource.kind == kind).unwrap()
}

fn configuration(config: &Value) -> Value {
    json!({
        "metadata": {"name": "validation.ragengine.kaito.sh"},
        "webhooks": [{"name": "other", "clientConfig": {}}, {"name": "validation.ragengine.kaito.sh", "clientConfig": config}],
    })
}

fn service(path: &str) -> Value {
    json!({"namespace": "kaito-ragengine", "name": "ragengine", "path": path, "port": 9443})
}

#[test]
fn each_controller_has_a_definition_and_a_configuration() {
    let mut settings = settings(None);
    settings.controllers.insert(crate::options::ControllerKind::Workspace);
    let all: Vec<_> = targets(&settings.controllers)
        .into_iter()
        .map(|target| (target.resource.kind, target.name))
        .collect();
    let expected = [
        ("CustomResourceDefinition", "ragengines.kaito.sh"),
        ("ValidatingWebhookConfiguration", "validation.ragengine.kaito.sh"),
        ("CustomResourceDefinition", "workspaces.kaito.sh"),
        ("ValidatingWebhookConfiguration", "validation.workspace.kaito.sh"),
        ("CustomResourceDefinition", "inferencesets.kaito.sh"),
        ("ValidatingWebhookConfiguration", "validation.inferenceset.kaito.sh"),
    ];
    assert_eq!(all, expected.map(|(kind, name)| (kind.to_owned(), name)));
}

#[test]
fn only_the_entry_of_the_webhook_is_written_and_only_if_it_is_wrong() {
    let (target, bundle) = (target("ValidatingWebhookConfiguration"), authorities());
    let trust = Trust::Authorities(bundle.clone());
    let examine = |config: &Value| target.examine(&configuration(config), &endpoint(None), &trust);
    let right = json!({"service": service("/validate/ragengine.kaito.sh"), "caBundle": encoded(&bundle)});
    let patch = Finding::Wrong(json!([
        {"op": "test", "path": "/webhooks/1/name", "value": "validation.ragengine.kaito.sh"},
        {"op": "add", "path": "/webhooks/1/clientConfig", "value": right},
    ]));
    assert_eq!(examine(&right), Finding::Right);
    assert!(target.trusts(&configuration(&right), &bundle));
    for wrong in [
        Value::Null,
        json!({"service": service("/validate/ragengine.kaito.sh")}),
        json!({"service": service("/other"), "caBundle": encoded(&bundle)}),
        json!({"service": service("/validate/ragengine.kaito.sh"), "caBundle": encoded(&authorities())}),
        json!({"service": service("/validate/ragengine.kaito.sh"), "caBundle": "Cg=="}),
        json!({"url": "https://elsewhere/validate/ragengine.kaito.sh", "caBundle": encoded(&bundle)}),
    ] {
        assert_eq!(examine(&wrong), patch, "{wrong}");
    }
    let of_another_name = json!({"webhooks": [{"name": "other", "clientConfig": {}}]});
    assert!(matches!(
        target.examine(&of_another_name, &endpoint(None), &trust),
        Finding::NotThere(_)
    ));
    assert!(!target.trusts(&of_another_name, &bundle));
}

#[test]
fn more_authorities_than_ours_are_right() {
    let target = target("ValidatingWebhookConfiguration");
    let (old, new) = (authorities(), authorities());
    let both = old.clone().and(&new);
    let live = configuration(&json!({"service": service("/validate/ragengine.kaito.sh"), "caBundle": encoded(&both)}));
    let examine = |trust| target.examine(&live, &endpoint(None), &Trust::Authorities(trust));
    assert_eq!(examine(old), Finding::Right);
    assert_eq!(examine(both), Finding::Right);
    assert!(matches!(examine(new.clone().and(&authorities())), Finding::Wrong(_)));
    assert!(target.trusts(&live, &new));
}

#[test]
fn what_cert_manager_injects_is_left_alone_but_the_place_is_not() {
    let target = target("ValidatingWebhookConfiguration");
    let trust = Trust::Authorities(authorities());
    let mut live = configuration(&json!({"service": service("/validate/ragengine.kaito.sh"), "caBundle": "Cg=="}));
    live["metadata"]["annotations"] = json!({"cert-manager.io/inject-ca-from": "kaito-ragengine/webhook"});
    assert_eq!(target.examine(&live, &endpoint(None), &trust), Finding::Right);
    assert!(target.trusts(&live, &authorities()));
    let url = "https://10.0.0.1:9443";
    let Finding::Wrong(patch) = target.examine(&live, &endpoint(Some(url)), &trust) else {
        panic!("the webhook is elsewhere");
    };
    assert_eq!(
        patch[1]["value"],
        json!({"url": "https://10.0.0.1:9443/validate/ragengine.kaito.sh", "caBundle": "Cg=="})
    );
}

#[test]
fn the_conversion_of_a_definition_is_written() {
    let (target, bundle) = (target("CustomResourceDefinition"), authorities());
    let trust = Trust::Authorities(bundle.clone());
    let examine =
        |conversion: &Value| target.examine(&json!({"spec": {"conversion": conversion}}), &endpoint(None), &trust);
    let right = json!({"service": service("/convert"), "caBundle": encoded(&bundle)});
    let conversion = |config: &Value| json!({"strategy": "Webhook", "webhook": {"clientConfig": config, "conversionReviewVersions": ["v1"]}});
    assert_eq!(examine(&conversion(&right)), Finding::Right);
    let Finding::Wrong(patch) = examine(&conversion(&json!({"service": service("/convert")}))) else {
        panic!("it has no bundle");
    };
    assert_eq!(patch[1]["path"], "/spec/conversion/webhook/clientConfig");
    assert_eq!(patch[1]["value"], right);
    // As KAITO's own definition has it.
    let Finding::Wrong(patch) = examine(&json!({"strategy": "None"})) else {
        panic!("it has no webhook");
    };
    assert_eq!(patch[0]["path"], "/spec/conversion");
    assert_eq!(patch[0]["value"], conversion(&right));
}

#[test]
fn nothing_is_written_before_there_is_a_certificate() {
    for kind in ["CustomResourceDefinition", "ValidatingWebhookConfiguration"] {
        let live = match kind {
            "CustomResourceDefinition" => json!({"spec": {"conversion": {"strategy": "Webhook"}}}),
            _ => configuration(&json!({})),
        };
        assert_eq!(
            target(kind).examine(&live, &endpoint(None), &Trust::Unknown),
            Finding::Right
        );
    }
}

#[test]
fn without_an_authority_of_its_own_only_the_place_is_written() {
    let target = target("ValidatingWebhookConfiguration");
    let Finding::Wrong(patch) = target.examine(&configuration(&json!({})), &endpoint(None), &Trust::AsItIs) else {
        panic!("it has no place");
    };
    assert_eq!(
        patch[1]["value"],
        json!({"service": service("/validate/ragengine.kaito.sh")})
    );
}
