//! The Workspace that serves an engine's language model.

use kaito_api::names::annotations;
use kaito_api::v1beta1::{RAGEngine, Workspace};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use crate::conditions;
use crate::ragengine::caches::Caches;
use crate::settings::Settings;

/// The Workspace that an engine names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WorkspaceState {
    /// It does not exist.
    Missing {
        /// Where it will be asked when it does, unless it may turn out not to allow that.
        url: Option<String>,
    },
    /// It is of another namespace and does not allow this one.
    Forbids {
        /// Its namespace.
        namespace: String,
    },
    /// It tunes a model, or cannot be read.
    CannotServe {
        /// Why.
        reason: String,
    },
    /// It serves, or will.
    Serves(Served),
}

/// A Workspace that serves a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// Where it is asked.
    pub url: String,
    /// Name of the model, if it is known.
    pub model: Option<String>,
    /// Its context window, if it is known.
    pub window: Option<u64>,
    /// `None` when it is ready; else what it says of itself.
    pub not_ready: Option<String>,
}

/// The Workspace that `engine` names. `live_url` is where its pods ask now.
pub(super) fn find(
    engine: &RAGEngine,
    namespace: &str,
    live_url: Option<&String>,
    caches: &Caches,
    settings: &Settings,
) -> Option<WorkspaceState> {
    let reference = engine.spec.inference_service.as_ref()?.workspace_ref.as_ref()?;
    let theirs = reference.namespace.as_deref().unwrap_or(namespace);
    let url = format!("http://{}.{theirs}.svc/v1/chat/completions", reference.name);
    let found = caches.workspaces.get(&ObjectRef::new(&reference.name).within(theirs));
    let Some(found) = found else {
        let may_use = theirs == namespace || live_url == Some(&url);
        return Some(WorkspaceState::Missing {
            url: may_use.then_some(url),
        });
    };
    Some(match &found.0 {
        Err(invalid) => WorkspaceState::CannotServe {
            reason: format!("it cannot be read: {}", invalid.error),
        },
        Ok(workspace) if theirs != namespace && !allows(workspace, namespace) => WorkspaceState::Forbids {
            namespace: theirs.to_owned(),
        },
        Ok(workspace) => state(workspace, url, settings),
    })
}

fn state(workspace: &Workspace, url: String, settings: &Settings) -> WorkspaceState {
    let Some(inference) = &workspace.spec.inference else {
        return WorkspaceState::CannotServe {
            reason: "it tunes a model and serves none".to_owned(),
        };
    };
    let model = inference
        .preset
        .as_ref()
        .and_then(|preset| (settings.models)(&preset.name));
    WorkspaceState::Serves(Served {
        url,
        window: model.as_ref().and_then(|model| model.window),
        model: model.map(|model| model.name),
        not_ready: not_ready(workspace),
    })
}

/// Whether a Workspace lets engines of `namespace` use it.
fn allows(workspace: &Workspace, namespace: &str) -> bool {
    let allowed = workspace.annotations().get(annotations::RAGENGINE_NAMESPACES);
    allowed.is_some_and(|list| list.split(',').map(str::trim).any(|one| one == "*" || one == namespace))
}

fn not_ready(workspace: &Workspace) -> Option<String> {
    let all = workspace.status.as_ref().and_then(|status| status.conditions.as_ref());
    let condition = conditions::find(all, "InferenceReady");
    match condition {
        Some(condition) if condition.status == "True" => None,
        Some(condition) => Some(format!("{}: {}", condition.reason, condition.message)),
        None => Some("it has not been looked at yet".to_owned()),
    }
}
