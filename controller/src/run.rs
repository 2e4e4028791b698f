//! Starting, and stopping in order.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kaito_api::admission::{Environment, Load, Preset};
use kube::{Client, Config};
use prometheus_client::registry::Registry;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::inference_set;
use crate::leader::{Election, ElectionSettings};
use crate::metrics::Metrics;
use crate::options::{Cloud, ControllerKind, NodeProvisioner, Options, ScopeOptions};
use crate::presets;
use crate::ragengine;
use crate::server::{self, Counted};
use crate::settings::{ControllerSettings, Settings};
use crate::telemetry;
use crate::webhook::{CertificateLifetime, PresetFactsSource, Webhook, WebhookSettings, WebhookUrl};
use crate::workspace;

/// Where a pod finds its namespace.
const OWN_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
const DEFAULT_NAMESPACE: &str = "kaito-system";
/// How long an answer of the API server may take; watches are answered piece by piece.
const READ_TIMEOUT: Duration = Duration::from_secs(290);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The program: runs until it is told to stop, or cannot go on.
pub fn main(options: Options) -> ExitCode {
    telemetry::start(options.server.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime
        .context("cannot start threads")
        .and_then(|runtime| runtime.block_on(run(options)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "kaito-controller ends");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<()> {
    let leader = &options.leader;
    ensure!(
        leader.retry_period < leader.renew_deadline && leader.renew_deadline < leader.lease_duration,
        "the retry period must be shorter than the renew deadline, and that shorter than the lease"
    );
    ensure!(
        !options.machines.lacks_node_class(),
        "the provisioner karpenter needs --karpenter-node-classes: at least one NodeClass, which is the default"
    );
    // Whoever comes first installs the provider; there is one either way.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let namespace = namespace(&options.scope);
    let client = client().await?;
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);

    let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
    let mut tasks = JoinSet::new();
    tasks.spawn(stop_on_signal(stop.clone()));
    let webhook = if options.webhook.webhook {
        let settings = webhook_settings(&options, namespace.clone())?;
        let catalogue = Catalogue {
            cloud: options.machines.cloud_provider,
        };
        let webhook = Webhook::start(client.clone(), settings, Arc::new(catalogue), ended.clone()).await?;
        webhook.register(&mut registry);
        Some(Arc::new(webhook))
    } else {
        None
    };
    let counted = Counted {
        registry: Arc::new(registry),
        metrics: metrics.clone(),
    };
    let address = options.server.metrics_bind_address;
    tasks.spawn(must_serve(
        server::metrics(address, counted, ended.clone()),
        stop.clone(),
    ));
    let address = options.server.health_probe_bind_address;
    tasks.spawn(must_serve(
        server::probes(address, || true, ended.clone()),
        stop.clone(),
    ));

    let lost = lead(&options, client, namespace, metrics, &stop).await;
    ended.cancel();
    tasks.shutdown().await;
    // The last holder waits until requests that have begun are answered.
    if let Some(webhook) = webhook.and_then(Arc::into_inner) {
        webhook.stopped().await;
    }
    lost
}

fn webhook_settings(options: &Options, namespace: String) -> Result<WebhookSettings> {
    let webhook = &options.webhook;
    let machines = &options.machines;
    let url = webhook.webhook_url.as_deref().map(str::parse::<WebhookUrl>).transpose();
    Ok(WebhookSettings {
        address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, webhook.webhook_port)),
        namespace,
        service: webhook.webhook_service.clone(),
        service_port: webhook.webhook_port,
        url: url.context("KAITO_WEBHOOK_URL cannot be used")?,
        controllers: options.controllers.iter().copied().collect(),
        environment: Environment {
            instance_types: presets::instance_types(machines.cloud_provider),
            node_auto_provisioning: machines.node_provisioner != NodeProvisioner::Byo,
            node_classes: (machines.node_provisioner == NodeProvisioner::Karpenter).then(|| {
                let classes = machines.karpenter.node_classes.all().iter();
                classes.map(|class| class.name.clone()).collect()
            }),
            vllm: options.models.feature_gates.vllm,
            mig: options.models.feature_gates.mig,
            accelerator: options.models.feature_gates.accelerator,
        },
        lifetime: CertificateLifetime::default(),
    })
}

/// The catalogues of models and machines, for the webhooks.
struct Catalogue {
    cloud: Cloud,
}

impl PresetFactsSource for Catalogue {
    fn preset(&self, name: &str) -> Preset {
        presets::preset(name)
    }

    fn fit(&self, load: &Load<'_>, context_tokens: Option<u64>) -> Result<(), String> {
        presets::fit(load, context_tokens, self.cloud)
    }
}

/// Works while this copy leads.
async fn lead(
    options: &Options,
    client: Client,
    namespace: String,
    metrics: Metrics,
    stop: &CancellationToken,
) -> Result<()> {
    if !options.leader.leader_elect {
        metrics.set_leader(true);
        control(options, client, namespace, metrics, stop.clone()).await;
        return Ok(());
    }
    let mut election = Election::new(client.clone(), election(options, namespace.clone()));
    while election.win(stop).await {
        metrics.set_leader(true);
        let work = control(
            options,
            client.clone(),
            namespace.clone(),
            metrics.clone(),
            stop.clone(),
        );
        // The lease is held until the work is done, also while it is being finished. When it is lost, the work is
        // dropped here and now, because it would be two copies' work.
        let done = tokio::select! {
            () = work => true,
            () = election.hold() => false,
        };
        metrics.set_leader(false);
        if done {
            ensure!(stop.is_cancelled(), "the controller has ended by itself");
            election.release().await;
            break;
        }
    }
    Ok(())
}

/// Runs the controllers until `stop`, side by side. One that ends by itself ends the others.
async fn control(options: &Options, client: Client, namespace: String, metrics: Metrics, stop: CancellationToken) {
    let stop = stop.child_token();
    let controller = ControllerSettings {
        client,
        settings: Settings::new(options, namespace),
        watch_namespace: options.scope.watch_namespace.clone(),
        concurrency: options.scope.concurrency,
        metrics,
    };
    let runs = |kind| options.controllers.contains(&kind);
    let engines = async {
        if runs(ControllerKind::Ragengine) {
            ragengine::run(controller.clone(), options.scope.index_status_interval, stop.clone()).await;
            stop.cancel();
        }
    };
    let workspaces = async {
        if runs(ControllerKind::Workspace) {
            workspace::run(controller.clone(), &options.hub.hub_url, stop.clone()).await;
            stop.cancel();
        }
    };
    let sets = async {
        if runs(ControllerKind::Workspace) {
            inference_set::run(controller.clone(), stop.clone()).await;
            stop.cancel();
        }
    };
    tokio::join!(Box::pin(engines), Box::pin(workspaces), Box::pin(sets));
}

fn election(options: &Options, namespace: String) -> ElectionSettings {
    let leader = &options.leader;
    let name = match options.controllers.as_slice() {
        [ControllerKind::Ragengine] => "ef60f9b1.io",
        [ControllerKind::Workspace] => "ef60f9b0.io",
        _ => "kaito-controller",
    };
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "kaito-controller".to_owned());
    ElectionSettings {
        namespace,
        name: name.to_owned(),
        identity: format!("{host}_{:016x}", rand::random::<u64>()),
        duration: leader.lease_duration,
        deadline: leader.renew_deadline,
        period: leader.retry_period,
    }
}

async fn client() -> Result<Client> {
    let mut config = Config::infer()
        .await
        .context("no cluster: set KUBECONFIG, or run in a pod with a ServiceAccount")?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    let agent = concat!("kaito-controller/", env!("CARGO_PKG_VERSION"));
    config
        .headers
        .push((http::header::USER_AGENT, http::HeaderValue::from_static(agent)));
    Client::try_from(config).context("cannot talk to the cluster that the configuration names")
}

/// The namespace of the installation: what the options say, else the pod's own, else KAITO's variable.
fn namespace(scope: &ScopeOptions) -> String {
    let named = scope.namespace.clone();
    let own = || {
        std::fs::read_to_string(OWN_NAMESPACE)
            .ok()
            .map(|name| name.trim().to_owned())
    };
    let release = || std::env::var("RELEASE_NAMESPACE").ok();
    let found = named.or_else(own).or_else(release).filter(|name| !name.is_empty());
    found.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())
}

async fn stop_on_signal(stop: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be listened to, so the process has to be killed to stop it");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    stop.cancel();
}

/// A server that cannot serve ends the program: an unseen controller would seem healthy.
async fn must_serve(server: impl Future<Output = std::io::Result<()>>, stop: CancellationToken) {
    if let Err(error) = server.await {
        tracing::error!(%error, "a port cannot be served");
        stop.cancel();
    }
}
