//! The language model that answers chats.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::workspace::{SELECTS_SOMETHING_MESSAGE, selects_something};
use super::{InferenceSpec, ResourceSpec, TemplateMetadata};
use crate::schema;

pub(crate) const URL_MESSAGE: &str =
    "url must be an http or https URL with a host, for example http://workspace-phi/v1/chat/completions";
pub(crate) const WINDOW_MESSAGE: &str =
    "ContextWindowSize must be a positive integer: the number of tokens that the model can read";

const ONE_MODEL: &str = "[has(self.url) && self.url != '', has(self.workspaceRef), has(self.workspaceTemplate)]\
    .filter(given, given).size() <= 1";
const ONE_MODEL_MESSAGE: &str = "url, workspaceRef and workspaceTemplate exclude each other: the URL of a Workspace is \
    found by itself, so keep only one of them";
const WINDOW_GIVEN: &str = "has(self.workspaceRef) || has(self.workspaceTemplate) || has(self.contextWindowSize)";
const WINDOW_GIVEN_MESSAGE: &str = "contextWindowSize is required unless workspaceRef or workspaceTemplate is set: say \
    how many tokens the model behind url can read";

/// The language model that answers chats: behind a URL, a Workspace of this cluster, or a Workspace that is made for the
/// engine. Without any of them the engine only retrieves.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(ONE_MODEL).message(ONE_MODEL_MESSAGE),
    validation = Rule::new(WINDOW_GIVEN).message(WINDOW_GIVEN_MESSAGE),
)]
pub struct InferenceServiceSpec {
    /// Where the model is asked, with the whole path: an OpenAI-compatible .../v1/chat/completions, or
    /// .../v1/completions of a model without chats. Excludes workspaceRef and workspaceTemplate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::LONG_TEXT))]
    #[x_kube(validation = Rule::new(schema::HTTP_URL).message(URL_MESSAGE))]
    pub url: Option<String>,
    /// A Workspace, or an InferenceSet, that serves the model. Its URL, model name and context window are followed while
    /// it lives. Until it is ready the engine retrieves, and the condition InferenceReady is False. Excludes url and
    /// workspaceTemplate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_ref: Option<WorkspaceReference>,
    /// A Workspace to make for this engine, which owns it: it is changed with this and deleted with the engine. Then as
    /// with workspaceRef. Excludes url and workspaceRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_template: Option<WorkspaceTemplate>,
    /// Name of the Secret of this namespace whose key LLM_ACCESS_SECRET is the bearer token for the model. No token is
    /// sent without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::OBJECT_NAME))]
    pub access_secret: Option<String>,
    /// Tokens that the model can read and write in one request: its context window. Passages are chosen to fit. The
    /// smaller of this and what the model's server says counts. Required with url; with a Workspace its window is the
    /// default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self > 0").message(WINDOW_MESSAGE))]
    pub context_window_size: Option<i64>,
}

impl InferenceServiceSpec {
    /// The URL, unless it is missing or empty.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref().filter(|url| !url.is_empty())
    }
}

/// A Workspace, or an InferenceSet, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceReference {
    /// What is named: a Workspace, or an InferenceSet for several of them behind one address.
    #[serde(default)]
    pub kind: WorkspaceKind,
    /// Name of the Workspace or the InferenceSet.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Namespace of it; the engine's own when missing. One of another namespace must allow it: its annotation
    /// kaito.sh/allow-ragengine-namespaces lists this namespace, or is *.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// Kinds that serve a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum WorkspaceKind {
    /// One Workspace.
    #[default]
    Workspace,
    /// Several Workspaces that serve the same model.
    InferenceSet,
}

/// A Workspace to make: its resource and its inference, as a Workspace has them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceTemplate {
    /// Labels and annotations of the Workspace. Other metadata are not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::template_metadata")]
    pub metadata: Option<TemplateMetadata>,
    /// Machines that the model runs on.
    #[x_kube(validation = Rule::new(selects_something()).message(SELECTS_SOMETHING_MESSAGE))]
    pub resource: ResourceSpec,
    /// The model to serve.
    pub inference: InferenceSpec,
}
