//! What the objects that name our webhooks should say: where they are and whom to trust.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kaito_api::crds::CONVERSION_PATH;
use kube::core::ApiResource;
use serde_json::{Value, json};

use super::certificate::Bundle;
use super::settings::{WebhookSettings, WebhookUrl};
use crate::options::ControllerKind;

/// Path of the admission of RAGEngines; the chart's configuration names it, as KAITO's does.
pub(super) const RAGENGINE_PATH: &str = "/validate/ragengine.kaito.sh";
/// Path of the admission of Workspaces.
pub(super) const WORKSPACE_PATH: &str = "/validate/workspace.kaito.sh";
/// Path of the admission of InferenceSets.
pub(super) const INFERENCE_SET_PATH: &str = "/validate/inferenceset.kaito.sh";

/// Port that the API server fills in where none is given.
const DEFAULT_PORT: u64 = 443;
/// Annotations with which cert-manager is asked to keep the `caBundle` of an object.
const INJECTED_BY_CERT_MANAGER: [&str; 3] = [
    "cert-manager.io/inject-ca-from",
    "cert-manager.io/inject-ca-from-secret",
    "cert-manager.io/inject-apiserver-ca",
];

/// An object that names one of our webhooks.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Its kind.
    pub(super) resource: ApiResource,
    /// Its name.
    pub(super) name: &'static str,
    /// Path of the webhook.
    path: &'static str,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// The conversion of a CustomResourceDefinition.
    Conversion,
    /// The entry of a ValidatingWebhookConfiguration that has the configuration's own name.
    Entry,
}

/// Where our webhooks are.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    namespace: String,
    service: String,
    port: u16,
    url: Option<WebhookUrl>,
}

/// Whom API servers should trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Trust {
    /// Not known yet.
    #[default]
    Unknown,
    /// These authorities.
    Authorities(Bundle),
    /// Whomever an object names already: somebody else keeps the certificate and has not said who vouches for it.
    AsItIs,
}

/// What an object says, compared with what it should say.
#[derive(Debug, PartialEq)]
pub(super) enum Finding {
    /// What it should.
    Right,
    /// Something else: what makes it right, as JSON patch (RFC 6902).
    Wrong(Value),
    /// Nothing about our webhook; why not.
    NotThere(&'static str),
}

/// The objects that name the webhooks of these controllers.
pub(super) fn targets(controllers: &BTreeSet<ControllerKind>) -> Vec<Target> {
    let definition = ApiResource::erase::<CustomResourceDefinition>(&());
    let configuration = ApiResource::erase::<ValidatingWebhookConfiguration>(&());
    let pair = |crd, validation, path| {
        let conversion = Target {
            resource: definition.clone(),
            name: crd,
            path: CONVERSION_PATH,
            place: Place::Conversion,
        };
        let entry = Target {
            resource: configuration.clone(),
            name: validation,
            path,
            place: Place::Entry,
        };
        [conversion, entry]
    };
    let of = |controller: &ControllerKind| match controller {
        ControllerKind::Ragengine => {
            pair("ragengines.kaito.sh", "validation.ragengine.kaito.sh", RAGENGINE_PATH).to_vec()
        }
        ControllerKind::Workspace => [
            pair("workspaces.kaito.sh", "validation.workspace.kaito.sh", WORKSPACE_PATH),
            pair(
                "inferencesets.kaito.sh",
                "validation.inferenceset.kaito.sh",
                INFERENCE_SET_PATH,
            ),
        ]
        .concat(),
    };
    controllers.iter().flat_map(of).collect()
}

impl Endpoint {
    pub(super) fn of(settings: &WebhookSettings) -> Self {
        Self {
            namespace: settings.namespace.clone(),
            service: settings.service.clone(),
            port: settings.service_port,
            url: settings.url.clone(),
        }
    }

    /// The `clientConfig` of a webhook.
    fn client_config(&self, path: &str, ca_bundle: Option<&str>) -> Value {
        let mut config = match &self.url {
            Some(url) => json!({"url": url.of(path)}),
            None => json!({"service": {
                "namespace": self.namespace, "name": self.service, "path": path, "port": self.port,
            }}),
        };
        if let (Some(ca_bundle), Some(config)) = (ca_bundle, config.as_object_mut()) {
            config.insert("caBundle".to_owned(), Value::from(ca_bundle));
        }
        config
    }
}

impl Target {
    /// Compares `live`, which is the object as JSON, with what it should say.
    ///
    /// A bundle with more authorities than ours is right: during a rotation another replica knows of a new one a moment
    /// earlier, and taking it out again would break the rotation.
    pub(super) fn examine(&self, live: &Value, endpoint: &Endpoint, trust: &Trust) -> Finding {
        match self.place {
            Place::Conversion => self.examine_conversion(live, endpoint, trust),
            Place::Entry => self.examine_entry(live, endpoint, trust),
        }
    }

    fn examine_conversion(&self, live: &Value, endpoint: &Endpoint, trust: &Trust) -> Finding {
        let conversion = live.pointer("/spec/conversion").unwrap_or(&Value::Null);
        let config = conversion.pointer("/webhook/clientConfig").unwrap_or(&Value::Null);
        let wanted = self.wanted(live, config, endpoint, trust);
        if conversion.get("strategy") == Some(&Value::from("Webhook")) {
            return match wanted {
                None => Finding::Right,
                Some(wanted) => Finding::Wrong(json!([
                    {"op": "test", "path": "/spec/conversion/strategy", "value": "Webhook"},
                    {"op": "add", "path": "/spec/conversion/webhook/clientConfig", "value": wanted},
                ])),
            };
        }
        let wanted = wanted.unwrap_or_else(|| config.clone());
        Finding::Wrong(json!([{"op": "add", "path": "/spec/conversion", "value": {
            "strategy": "Webhook", "webhook": {"clientConfig": wanted, "conversionReviewVersions": ["v1"]},
        }}]))
    }

    fn examine_entry(&self, live: &Value, endpoint: &Endpoint, trust: &Trust) -> Finding {
        let Some((index, entry)) = self.entry(live) else {
            return Finding::NotThere("it has no webhook of its own name");
        };
        let config = entry.get("clientConfig").unwrap_or(&Value::Null);
        match self.wanted(live, config, endpoint, trust) {
            None => Finding::Right,
            Some(wanted) => Finding::Wrong(json!([
                {"op": "test", "path": format!("/webhooks/{index}/name"), "value": self.name},
                {"op": "add", "path": format!("/webhooks/{index}/clientConfig"), "value": wanted},
            ])),
        }
    }

    /// What `config`, a `clientConfig`, should be, if that is not what it is.
    fn wanted(&self, live: &Value, config: &Value, endpoint: &Endpoint, trust: &Trust) -> Option<Value> {
        let given = config.get("caBundle").and_then(Value::as_str);
        let ca_bundle = match trust {
            Trust::Unknown => return None,
            Trust::AsItIs => given.map(str::to_owned),
            Trust::Authorities(_) if is_injected_by_cert_manager(live) => given.map(str::to_owned),
            Trust::Authorities(bundle) => match given {
                Some(given) if authorities(given).is_some_and(|given| given.contains(bundle)) => Some(given.to_owned()),
                _ => Some(STANDARD.encode(bundle.to_pem())),
            },
        };
        let wanted = endpoint.client_config(self.path, ca_bundle.as_deref());
        (wanted != completed(config)).then_some(wanted)
    }

    /// Our webhook's entry in a ValidatingWebhookConfiguration, and its index.
    fn entry<'a>(&self, live: &'a Value) -> Option<(usize, &'a Value)> {
        let entries = live.get("webhooks").and_then(Value::as_array)?;
        let name = Value::from(self.name);
        entries
            .iter()
            .enumerate()
            .find(|(_, entry)| entry.get("name") == Some(&name))
    }

    /// Whether `live` says to trust `bundle`, or somebody else decides that.
    pub(super) fn trusts(&self, live: &Value, bundle: &Bundle) -> bool {
        let config = match self.place {
            Place::Conversion => live.pointer("/spec/conversion/webhook/clientConfig"),
            Place::Entry => self.entry(live).and_then(|(_, entry)| entry.get("clientConfig")),
        };
        let given = config.and_then(|config| config.get("caBundle")).and_then(Value::as_str);
        is_injected_by_cert_manager(live) || given.and_then(authorities).is_some_and(|given| given.contains(bundle))
    }
}

fn is_injected_by_cert_manager(live: &Value) -> bool {
    let annotations = live.pointer("/metadata/annotations");
    INJECTED_BY_CERT_MANAGER
        .iter()
        .any(|name| annotations.is_some_and(|annotations| annotations.get(name).is_some()))
}

fn authorities(ca_bundle: &str) -> Option<Bundle> {
    let pem = STANDARD.decode(ca_bundle).ok()?;
    Bundle::read(&pem).ok()
}

/// `config` with the port that the API server would use.
fn completed(config: &Value) -> Value {
    let mut config = config.clone();
    if let Some(service) = config.get_mut("service").and_then(Value::as_object_mut) {
        service.entry("port").or_insert_with(|| Value::from(DEFAULT_PORT));
    }
    config
}
