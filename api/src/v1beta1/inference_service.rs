//! The language model that answers chats.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

pub(crate) const URL_MESSAGE: &str =
    "url must be an http or https URL with a host, for example http://workspace-phi/v1/chat/completions";
pub(crate) const WINDOW_MESSAGE: &str =
    "ContextWindowSize must be a positive integer: the number of tokens that the model can read";

/// The language model that answers chats: behind a URL, or a Workspace of this cluster. With neither, the engine only
/// retrieves.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.workspaceRef) && has(self.url) && self.url != '')").message("url and workspaceRef exclude each other: the URL of a Workspace is found by itself, so remove url"),
    validation = Rule::new("has(self.workspaceRef) || has(self.contextWindowSize)").message("contextWindowSize is required unless workspaceRef is set: say how many tokens the model behind url can read"),
)]
pub struct InferenceServiceSpec {
    /// Where the model is asked, with the whole path: an OpenAI-compatible .../v1/chat/completions, or
    /// .../v1/completions of a model without chats. Excludes workspaceRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::LONG_TEXT))]
    #[x_kube(validation = Rule::new(schema::HTTP_URL).message(URL_MESSAGE))]
    pub url: Option<String>,
    /// A Workspace that serves the model. Its URL, model name and context window are followed while it lives. Until it
    /// is ready the engine retrieves, and the condition InferenceReady is False. Excludes url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_ref: Option<WorkspaceReference>,
    /// Name of the Secret of this namespace whose key LLM_ACCESS_SECRET is the bearer token for the model. No token is
    /// sent without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::OBJECT_NAME))]
    pub access_secret: Option<String>,
    /// Tokens that the model can read and write in one request: its context window. Passages are chosen to fit. The
    /// smaller of this and what the model's server says counts. Required with url; with workspaceRef the Workspace's
    /// window is the default.
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

/// A Workspace, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceReference {
    /// Name of the Workspace.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Namespace of the Workspace; the engine's own when missing. A Workspace of another namespace must allow
    /// it: its annotation kaito.sh/allow-ragengine-namespaces lists this namespace, or is *.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}
