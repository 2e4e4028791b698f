//! The admission and conversion webhooks: a real API server asks them.

mod cases;
mod certificates;
mod conversion;
mod injection;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use axum::http::HeaderValue;
use axum::http::header::USER_AGENT;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kaito_api::admission::{Cloud, Environment, InstanceTypes, Load, Preset, PresetFacts, is_hugging_face_id};
use kaito_controller::options::ControllerKind;
use kaito_controller::webhook::{CertificateLifetime, PresetFactsSource, Webhook, WebhookSettings};
use kaito_operator_tests::cluster::{Api, Cluster, User};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Namespace that the controller is installed in.
const RELEASE: &str = "kaito";
const SECRET: &str = "/api/v1/namespaces/kaito/secrets/ragengine-webhook-cert";
const CRD: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ragengines.kaito.sh";
const CONFIGURATIONS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const CONFIGURATION: &str =
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/validation.ragengine.kaito.sh";
const ENGINES: &str = "/apis/kaito.sh/v1beta1/namespaces/default/ragengines";
const OLD_ENGINES: &str = "/apis/kaito.sh/v1alpha1/namespaces/default/ragengines";
const DRY_RUN: &str = "dryRun=All&fieldValidation=Strict";
/// How long a condition may take to come true, on a machine that builds something at the same time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Webhooks in this process, as the ServiceAccount that the charts make.
struct Running {
    webhook: Webhook,
    shutdown: CancellationToken,
}

impl Running {
    async fn stop(self) {
        self.shutdown.cancel();
        self.webhook.stopped().await;
    }
}

struct Presets;

impl PresetFactsSource for Presets {
    fn preset(&self, name: &str) -> Preset {
        match name {
            "phi-2" => Preset::Deprecated,
            "phi-4" | "phi-4-mini-instruct" | "phi-3-mini-128k-instruct" => Preset::Known(FACTS),
            name if is_hugging_face_id(name) => Preset::Known(FACTS),
            _ => Preset::Unknown,
        }
    }

    fn fit(&self, _: &Load<'_>, _: Option<u64>) -> Result<(), String> {
        Ok(())
    }
}

const FACTS: PresetFacts = PresetFacts {
    download_at_runtime: true,
    needs_token: false,
    transformers: true,
    adapters: true,
    tunable: true,
    token_limit: Some(4096),
};

/// What a chart makes, webhook configurations aside: the CRDs, a namespace, and a ServiceAccount with just the rights
/// that the webhooks need.
async fn install(cluster: &Cluster) -> Result<Api> {
    cluster
        .install_crds(&[
            chart("ragengine/files/crds/kaito.sh_ragengines.yaml"),
            chart("workspace/files/crds/kaito.sh_workspaces.yaml"),
            chart("workspace/files/crds/kaito.sh_inferencesets.yaml"),
        ])
        .await?;
    let admin = cluster.admin()?;
    let namespace = json!({"metadata": {"name": RELEASE}});
    admin.create("/api/v1/namespaces", &namespace).await?;
    let account = json!({"metadata": {"name": "controller"}});
    admin
        .create(&format!("/api/v1/namespaces/{RELEASE}/serviceaccounts"), &account)
        .await?;
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let role = json!({
        "metadata": {"name": "controller"},
        "rules": [
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
            {
                "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["ragengine-webhook-cert"],
                "verbs": ["get", "list", "watch", "update"],
            },
        ],
    });
    let cluster_role = json!({
        "metadata": {"name": "controller"},
        "rules": [
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
            {
                "apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"],
                "resourceNames": ["ragengines.kaito.sh", "workspaces.kaito.sh", "inferencesets.kaito.sh"],
                "verbs": ["list", "watch", "patch"],
            },
            {
                "apiGroups": ["admissionregistration.k8s.io"], "resources": ["validatingwebhookconfigurations"],
                "resourceNames": [
                    "validation.ragengine.kaito.sh", "validation.workspace.kaito.sh", "validation.inferenceset.kaito.sh",
                ],
                "verbs": ["list", "watch", "patch"],
            },
        ],
    });
    let binding = |kind: &str| {
        json!({
            "metadata": {"name": "controller"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "controller"},
            "subjects": [{"kind": "ServiceAccount", "namespace": RELEASE, "name": "controller"}],
        })
    };
    let here = format!("{rbac}/namespaces/{RELEASE}");
    admin.create(&format!("{here}/roles"), &role).await?;
    admin.create(&format!("{here}/rolebindings"), &binding("Role")).await?;
    admin.create(&format!("{rbac}/clusterroles"), &cluster_role).await?;
    admin
        .create(&format!("{rbac}/clusterrolebindings"), &binding("ClusterRole"))
        .await?;
    Ok(admin)
}

fn chart(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts")).join(path)
}

/// The configuration of a kind's admission webhook, as a chart makes it.
fn configuration(kind: &str) -> Value {
    json!({
        "metadata": {"name": format!("validation.{kind}.kaito.sh")},
        "webhooks": [{
            "name": format!("validation.{kind}.kaito.sh"),
            "admissionReviewVersions": ["v1"],
            "clientConfig": {"service": {
                "namespace": RELEASE, "name": "ragengine", "path": format!("/validate/{kind}.kaito.sh"), "port": 9443,
            }},
            "failurePolicy": "Fail",
            "matchPolicy": "Equivalent",
            "sideEffects": "None",
            "timeoutSeconds": 10,
            "rules": [{
                "apiGroups": ["kaito.sh"], "apiVersions": ["v1alpha1", "v1beta1"],
                "operations": ["CREATE", "UPDATE"], "resources": [format!("{kind}s")],
            }],
        }],
    })
}

/// An address for webhooks that stays free until they take it: outgoing connections take theirs on other addresses.
fn free_address() -> Result<SocketAddr> {
    let host = Ipv4Addr::new(127, rand::random_range(1..=254), rand::random_range(0..=255), 1);
    Ok(TcpListener::bind((host, 0))?.local_addr()?)
}

/// As the chart starts the controller, but outside of the cluster.
fn settings(address: SocketAddr) -> Result<WebhookSettings> {
    Ok(WebhookSettings {
        address,
        namespace: RELEASE.to_owned(),
        service: "ragengine".to_owned(),
        service_port: 9443,
        url: Some(format!("https://{address}").parse()?),
        controllers: BTreeSet::from([ControllerKind::Ragengine, ControllerKind::Workspace]),
        environment: Environment {
            instance_types: InstanceTypes {
                cloud: Cloud::Azure,
                names: BTreeSet::from([
                    "Standard_NC24ads_A100_v4".to_owned(),
                    "Standard_NV36ads_A10_v5".to_owned(),
                ]),
            },
            node_auto_provisioning: true,
            node_classes: None,
            vllm: true,
            mig: false,
            accelerator: false,
        },
        lifetime: CertificateLifetime::default(),
    })
}

/// Starts webhooks that call themselves `agent`.
async fn start(cluster: &Cluster, settings: WebhookSettings, agent: &str) -> Result<Running> {
    let account = User::service_account(RELEASE, "controller");
    let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig(&account).await?)?;
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.headers.push((USER_AGENT, HeaderValue::from_str(agent)?));
    let shutdown = CancellationToken::new();
    let client = kube::Client::try_from(config)?;
    let webhook = Webhook::start(client, settings, Arc::new(Presets), shutdown.clone()).await?;
    assert!(webhook.is_ready());
    Ok(Running { webhook, shutdown })
}

/// Waits until something is so.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await? {
        if Instant::now() > deadline {
            bail!("{PATIENCE:?} have passed, and it is not so that {what}");
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Waits until the API server asks the webhooks for everything: it needs a moment to read where they are.
async fn asked_by_the_api_server(admin: &Api) -> Result<()> {
    let old = format!("{OLD_ENGINES}?{DRY_RUN}");
    eventually("old engines can be made", async || {
        Ok(admin.create(&old, &engine("v1alpha1", "probe")).await.is_ok())
    })
    .await?;
    let new = format!("{ENGINES}?{DRY_RUN}");
    eventually("engines on unknown machines are refused", async || {
        Ok(refusal(admin, &new, &on_unknown_machines())
            .await
            .contains("Unsupported instance type"))
    })
    .await
}

fn on_unknown_machines() -> Value {
    let mut engine = engine("v1beta1", "probe");
    engine["spec"]["compute"] = json!({"instanceType": "Standard_Bad", "labelSelector": {"matchLabels": {"a": "b"}}});
    engine
}

/// What is said to the creation of an object; empty if it is let in.
async fn refusal(admin: &Api, collection: &str, object: &Value) -> String {
    let answer = admin.create(collection, object).await;
    answer.err().map(|error| format!("{error:#}")).unwrap_or_default()
}

fn engine(version: &str, name: &str) -> Value {
    json!({
        "apiVersion": format!("kaito.sh/{version}"), "kind": "RAGEngine", "metadata": {"name": name},
        "spec": {"embedding": {"local": {"modelID": "BAAI/bge-small-en-v1.5"}}},
    })
}

/// Whom a webhook configuration or CRD says to trust, as PEM; empty if it does not say.
fn ca_bundle(object: &Value) -> String {
    let config = match &object["spec"]["conversion"]["webhook"]["clientConfig"] {
        Value::Null => &object["webhooks"][0]["clientConfig"],
        config => config,
    };
    decoded(&config["caBundle"])
}

fn decoded(value: &Value) -> String {
    let bytes = STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// Whether a client that trusts these authorities and nobody else can talk to the webhooks, on a new connection.
async fn is_trusted(authorities: &str, address: SocketAddr) -> Result<bool> {
    let Ok(authorities) = reqwest::Certificate::from_pem_bundle(authorities.as_bytes()) else {
        return Ok(false);
    };
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only(authorities)
        .build()?;
    Ok(client.get(format!("https://{address}/")).send().await.is_ok())
}
