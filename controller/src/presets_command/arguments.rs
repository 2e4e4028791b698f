//! The command line of `kaito-controller presets`.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use kaito_presets::{ByteSize, DEFAULT_CONTEXT_TOKENS, ServingRuntime};

/// Which question is asked of the catalogues.
#[derive(Clone, Debug, Args)]
pub struct PresetsCommand {
    #[command(subcommand)]
    pub(super) action: Action,
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Action {
    /// Lists the models of the catalogue.
    List(ListArguments),
    /// Shows what is known of a model, and what follows from it.
    Show(ShowArguments),
    /// Says on how many machines a model runs, how it is spread over them, and why.
    ///
    /// Ends with 0 if it runs, with 1 if it does not fit on however many, and with 2 if that cannot be said.
    Estimate(Box<EstimateArguments>),
}

#[derive(Clone, Debug, Args)]
pub(super) struct ListArguments {
    /// Form of the answer.
    #[arg(long, short, value_name = "FORM", default_value = "text")]
    pub(super) output: Output,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ShowArguments {
    #[command(flatten)]
    pub(super) model: ModelArguments,
    /// Form of the answer.
    #[arg(long, short, value_name = "FORM", default_value = "text")]
    pub(super) output: Output,
}

#[derive(Clone, Debug, Args)]
pub(super) struct EstimateArguments {
    #[command(flatten)]
    pub(super) model: ModelArguments,
    /// Machine type in the cloud's words, in any case, such as Standard_NC24ads_A100_v4.
    #[arg(value_name = "INSTANCE_TYPE")]
    pub(super) instance_type: String,
    /// The cloud that the machine type is of.
    #[arg(long, value_name = "CLOUD", default_value = "azure", ignore_case = true)]
    pub(super) cloud: PlannedCloud,
    /// Tokens of a context: what max-model-len is to be. A short one leaves more room for weights.
    #[arg(long, value_name = "TOKENS", default_value_t = default_context())]
    pub(super) context: NonZeroU64,
    /// Machines that are wished for: the Workspace's resource.count. More than needed are used, too.
    #[arg(long, value_name = "MACHINES", default_value_t = NonZeroU32::MIN)]
    pub(super) count: NonZeroU32,
    /// The program that serves the model.
    #[arg(long, value_name = "PROGRAM", default_value = "vllm")]
    pub(super) runtime: PlannedRuntime,
    /// Form of the answer.
    #[arg(long, short, value_name = "FORM", default_value = "text")]
    pub(super) output: Output,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ModelArguments {
    /// The model: its id on Hugging Face or its short name, in any case.
    #[arg(value_name = "MODEL")]
    pub(super) model: String,
    /// Its config.json, for a model that is not in the catalogue.
    #[arg(long, value_name = "FILE", requires = "weights")]
    pub(super) config_json: Option<PathBuf>,
    /// Size of its weight files together, such as 15.3Gi.
    #[arg(long, value_name = "SIZE", requires = "config_json")]
    pub(super) weights: Option<ByteSize>,
}

/// Form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people.
    Text,
    /// For programs; sizes are in bytes.
    Json,
}

/// Clouds whose machine types are known. The controller itself makes machines on fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PlannedCloud {
    /// Microsoft Azure.
    Azure,
    /// Amazon Web Services.
    Aws,
    /// Azure Arc.
    Arc,
    /// Google Cloud.
    Gcp,
}

/// Programs that serve models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PlannedRuntime {
    /// vLLM.
    Vllm,
    /// Hugging Face's Transformers.
    Transformers,
}

fn default_context() -> NonZeroU64 {
    NonZeroU64::new(DEFAULT_CONTEXT_TOKENS).unwrap_or(NonZeroU64::MIN)
}

impl PlannedCloud {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Azure => "azure",
            Self::Aws => "aws",
            Self::Arc => "arc",
            Self::Gcp => "gcp",
        }
    }
}

impl From<PlannedCloud> for kaito_presets::Cloud {
    fn from(cloud: PlannedCloud) -> Self {
        match cloud {
            PlannedCloud::Azure => Self::Azure,
            PlannedCloud::Aws => Self::Aws,
            PlannedCloud::Arc => Self::Arc,
            PlannedCloud::Gcp => Self::Gcp,
        }
    }
}

impl From<PlannedRuntime> for ServingRuntime {
    fn from(runtime: PlannedRuntime) -> Self {
        match runtime {
            PlannedRuntime::Vllm => Self::Vllm,
            PlannedRuntime::Transformers => Self::Transformers,
        }
    }
}
