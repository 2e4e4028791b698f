//! Everything that can be configured, as command-line options that are environment variables too. Names that KAITO's
//! operators use are kept.

mod karpenter;

use std::net::SocketAddr;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::presets::HubUrl;
use crate::presets_command::PresetsCommand;
use crate::render_command::RenderCommand;

mod feature_gates;

pub use feature_gates::{FeatureGates, ParseFeatureGates};

pub use karpenter::{KarpenterOptions, NodeClass, NodeClasses};

/// Keeps a cluster as its RAGEngine, Workspace and InferenceSet resources (kaito.sh) say.
///
/// Talks to the cluster of KUBECONFIG, or to the one it runs in. Every option can be given as the environment variable
/// named behind it.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "kaito-controller",
    version,
    max_term_width = 120,
    args_conflicts_with_subcommands = true
)]
pub struct Options {
    /// What to do instead of that.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Which resources to reconcile.
    #[arg(
        long,
        env = "KAITO_CONTROLLERS",
        value_name = "KAITO_CONTROLLERS",
        value_delimiter = ',',
        default_value = "ragengine,workspace"
    )]
    pub controllers: Vec<ControllerKind>,
    /// Where to look for them.
    #[command(flatten)]
    pub scope: ScopeOptions,
    /// Who of several copies works.
    #[command(flatten)]
    pub leader: LeaderOptions,
    /// Admission and conversion.
    #[command(flatten)]
    pub webhook: WebhookOptions,
    /// The image of engines.
    #[command(flatten)]
    pub image: ImageOptions,
    /// How models are served.
    #[command(flatten)]
    pub models: ModelOptions,
    /// Models that are not in the catalogue.
    #[command(flatten)]
    pub hub: HubOptions,
    /// Machines.
    #[command(flatten)]
    pub machines: MachineOptions,
    /// Metrics, probes and logs.
    #[command(flatten)]
    pub server: ServerOptions,
}

/// What the program does instead of keeping a cluster.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Tells which models there are, and on which machines they run. Needs no cluster.
    Presets(PresetsCommand),
    /// Shows the objects that Workspaces consist of. Needs no cluster.
    Render(Box<RenderCommand>),
}

/// Which resources are reconciled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub enum ControllerKind {
    /// RAGEngine.
    Ragengine,
    /// Workspace and InferenceSet.
    Workspace,
}

/// Where the controller looks.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Scope")]
pub struct ScopeOptions {
    /// Namespace that the controller is installed in: its lease, its certificate and the default guardrails policy are
    /// there. [default: the pod's own, else RELEASE_NAMESPACE, else kaito-system]
    #[arg(long, env = "SYSTEM_NAMESPACE", value_name = "SYSTEM_NAMESPACE")]
    pub namespace: Option<String>,
    /// Namespaces to look at; all when missing. One process looks at all or at one.
    #[arg(long, env = "KAITO_WATCH_NAMESPACE", value_name = "KAITO_WATCH_NAMESPACE")]
    pub watch_namespace: Option<String>,
    /// Resources that are reconciled at the same time.
    #[arg(long, env = "KAITO_CONCURRENCY", value_name = "KAITO_CONCURRENCY", default_value_t = 8,
          value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
    /// How often the number of indexes and passages in an engine's status is asked for; 0s for never.
    #[arg(long, env = "KAITO_INDEX_STATUS_INTERVAL", value_name = "KAITO_INDEX_STATUS_INTERVAL", default_value = "60s",
          value_parser = duration)]
    pub index_status_interval: Duration,
}

/// Leader election.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Leader election")]
pub struct LeaderOptions {
    /// Work only while holding the lease, so that several copies can run.
    #[arg(long, env = "KAITO_LEADER_ELECT", value_name = "KAITO_LEADER_ELECT", default_value_t = true,
          action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub leader_elect: bool,
    /// How long a lease is good for when it is not renewed: the time without a leader after one is killed.
    #[arg(long, env = "KAITO_LEASE_DURATION", value_name = "KAITO_LEASE_DURATION", default_value = "15s",
          value_parser = duration)]
    pub lease_duration: Duration,
    /// How long the leader tries to renew before it gives up. Must be shorter than the lease.
    #[arg(long, env = "KAITO_RENEW_DEADLINE", value_name = "KAITO_RENEW_DEADLINE", default_value = "10s",
          value_parser = duration)]
    pub renew_deadline: Duration,
    /// How often the leader renews, and others look.
    #[arg(long, env = "KAITO_RETRY_PERIOD", value_name = "KAITO_RETRY_PERIOD", default_value = "2s",
          value_parser = duration)]
    pub retry_period: Duration,
}

/// Admission and conversion webhooks.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Webhooks")]
pub struct WebhookOptions {
    /// Serve admission and conversion, and keep their certificates.
    #[arg(long, env = "KAITO_WEBHOOK", value_name = "KAITO_WEBHOOK", default_value_t = true,
          action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub webhook: bool,
    /// Port to serve on.
    #[arg(long, env = "WEBHOOK_PORT", value_name = "WEBHOOK_PORT", default_value_t = 9443)]
    pub webhook_port: u16,
    /// Service in front of the webhooks.
    #[arg(
        long,
        env = "WEBHOOK_SERVICE",
        value_name = "WEBHOOK_SERVICE",
        default_value = "kaito-controller"
    )]
    pub webhook_service: String,
    /// URL of the webhooks, instead of the Service, for a controller that runs outside of the cluster:
    /// https://host:port.
    #[arg(long, env = "KAITO_WEBHOOK_URL", value_name = "KAITO_WEBHOOK_URL")]
    pub webhook_url: Option<String>,
}

/// Image of the service that engines run.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Image of engines")]
pub struct ImageOptions {
    /// Registry and path of the image.
    #[arg(
        long,
        env = "PRESET_RAG_REGISTRY_NAME",
        value_name = "PRESET_RAG_REGISTRY_NAME",
        default_value = "ghcr.io/kaito-rs"
    )]
    pub rag_registry: String,
    /// Name of the image.
    #[arg(
        long,
        env = "PRESET_RAG_IMAGE_NAME",
        value_name = "PRESET_RAG_IMAGE_NAME",
        default_value = "rag-service"
    )]
    pub rag_image: String,
    /// Tag of the image.
    #[arg(
        long,
        env = "PRESET_RAG_IMAGE_TAG",
        value_name = "PRESET_RAG_IMAGE_TAG",
        default_value = env!("CARGO_PKG_VERSION")
    )]
    pub rag_tag: String,
    /// The image can use GPUs. When it cannot, engines that ask for one get a warning.
    #[arg(long, env = "KAITO_RAG_IMAGE_HAS_GPU", value_name = "KAITO_RAG_IMAGE_HAS_GPU", default_value_t = false,
          action = ArgAction::Set)]
    pub rag_image_has_gpu: bool,
}

/// How Workspaces serve and tune models.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Models")]
pub struct ModelOptions {
    /// Registry and path of the images that serve and tune models.
    #[arg(
        long,
        env = "PRESET_REGISTRY_NAME",
        value_name = "PRESET_REGISTRY_NAME",
        default_value = "mcr.microsoft.com/aks/kaito"
    )]
    pub preset_registry: String,
    /// What is on and off, such as enableMIG=true,vLLM=false. On when not said: vLLM (off: Transformers serves every
    /// model). Off when not said: enableMIG (slices of GPUs), enableAccelerator (some of a machine's GPUs).
    #[arg(
        long,
        env = "KAITO_FEATURE_GATES",
        value_name = "KAITO_FEATURE_GATES",
        default_value = ""
    )]
    pub feature_gates: FeatureGates,
}

/// Where models are asked for.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Models")]
pub struct HubOptions {
    /// Where models that are not in the catalogue are asked for: Hugging Face or a mirror of it. Nowhere when it is empty;
    /// users then describe them in a ConfigMap.
    #[arg(
        long,
        env = "HF_ENDPOINT",
        value_name = "HF_ENDPOINT",
        default_value = "https://huggingface.co"
    )]
    pub hub_url: HubUrl,
}

/// Machines that are made.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Machines")]
pub struct MachineOptions {
    /// The cloud that instance types are of.
    #[arg(
        long,
        env = "CLOUD_PROVIDER",
        value_name = "CLOUD_PROVIDER",
        default_value = "azure",
        ignore_case = true
    )]
    pub cloud_provider: Cloud,
    /// Who makes machines.
    #[arg(
        long,
        env = "KAITO_NODE_PROVISIONER",
        value_name = "KAITO_NODE_PROVISIONER",
        default_value = "azure-gpu-provisioner"
    )]
    pub node_provisioner: NodeProvisioner,
    /// Operating system of new machines that do not say: ubuntu or azurelinux.
    #[arg(long, value_name = "FAMILY", default_value = "ubuntu", ignore_case = true)]
    pub default_node_image_family: ImageFamily,
    /// What a Karpenter has to be told.
    #[command(flatten)]
    pub karpenter: KarpenterOptions,
}

impl MachineOptions {
    /// Whether the provisioner is karpenter and there is no NodeClass for its machines.
    pub fn lacks_node_class(&self) -> bool {
        self.node_provisioner == NodeProvisioner::Karpenter && self.karpenter.node_classes.all().is_empty()
    }
}

/// Clouds whose instance types are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Cloud {
    /// Microsoft Azure.
    Azure,
    /// Amazon Web Services.
    Aws,
    /// Azure Arc.
    Arc,
}

/// Who makes machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NodeProvisioner {
    /// A NodeClaim each, for KAITO's gpu-provisioner or a Karpenter of the same form.
    AzureGpuProvisioner,
    /// A NodePool for each Workspace, for a Karpenter of any cloud that knows pools of a fixed size.
    Karpenter,
    /// Nobody: users bring their own.
    Byo,
}

/// Operating systems of machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImageFamily {
    /// Ubuntu.
    Ubuntu,
    /// Azure Linux.
    Azurelinux,
}

/// Metrics, probes and logs.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Metrics, probes and logs")]
pub struct ServerOptions {
    /// Address of /metrics. `:8080` means port 8080 of every address.
    #[arg(long, env = "KAITO_METRICS_BIND_ADDRESS", value_name = "KAITO_METRICS_BIND_ADDRESS", default_value = ":8080",
          value_parser = bind_address)]
    pub metrics_bind_address: SocketAddr,
    /// Address of /healthz and /readyz.
    #[arg(long, env = "KAITO_HEALTH_PROBE_BIND_ADDRESS", value_name = "KAITO_HEALTH_PROBE_BIND_ADDRESS",
          default_value = ":8081", value_parser = bind_address)]
    pub health_probe_bind_address: SocketAddr,
    /// Form of the log lines. What is logged is set by RUST_LOG (default: info).
    #[arg(
        long,
        env = "KAITO_LOG_FORMAT",
        value_name = "KAITO_LOG_FORMAT",
        default_value = "json"
    )]
    pub log_format: LogFormat,
}

/// Form of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// An address as Go programs write it, where the host may be missing.
fn bind_address(text: &str) -> Result<SocketAddr, String> {
    let full = if text.starts_with(':') {
        format!("0.0.0.0{text}")
    } else {
        text.to_owned()
    };
    full.parse()
        .map_err(|_| format!("{text:?} is not an address such as :8080 or 127.0.0.1:8080"))
}

/// A number of seconds (`15s`), milliseconds (`500ms`) or minutes (`2m`).
fn duration(text: &str) -> Result<Duration, String> {
    let split = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let wrong = || format!("{text:?} is not a time such as 15s, 500ms or 2m");
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        _ => Err(wrong()),
    }
}
