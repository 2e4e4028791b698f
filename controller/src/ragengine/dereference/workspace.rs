//! The Workspace, or the InferenceSet, that serves an engine's language model.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kaito_api::names::{annotations, labels};
use kaito_api::v1beta1::{InferenceSet, InferenceSpec, RAGEngine, Workspace, WorkspaceKind};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use crate::conditions::find as find_condition;
use crate::digest;
use crate::names::LONGEST_WORKSPACE_NAME;
use crate::ragengine::caches::Caches;
use crate::settings::Settings;

/// The Workspace or InferenceSet that an engine names.
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

/// What an engine says of who serves its model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// What it is.
    pub kind: WorkspaceKind,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

/// Name of the Workspace that is made for an engine. Not the engine's own: both have a Service of their name. A name
/// that is too long for a Workspace is shortened, and a digest of it keeps it apart from others.
pub(crate) fn own_workspace_name(engine: &str) -> String {
    const SUFFIX: &str = "-model";
    const DIGITS: usize = 8;
    if engine.len() + SUFFIX.len() <= LONGEST_WORKSPACE_NAME {
        return format!("{engine}{SUFFIX}");
    }
    let most = LONGEST_WORKSPACE_NAME - SUFFIX.len() - DIGITS - 1;
    let start = engine.get(..most).unwrap_or_default().trim_end_matches('-');
    let digest = digest::of_bytes(engine.as_bytes());
    format!("{start}-{}{SUFFIX}", digest::short(&digest, DIGITS))
}

/// Who serves the model of `engine`: the one that it names, or the one that is made for it.
pub(crate) fn server(engine: &RAGEngine) -> Option<Server> {
    let service = engine.spec.inference_service.as_ref()?;
    let own = engine.namespace().unwrap_or_default();
    match (&service.workspace_ref, &service.workspace_template) {
        (Some(reference), _) => Some(Server {
            kind: reference.kind,
            name: reference.name.clone(),
            namespace: reference.namespace.clone().unwrap_or(own),
        }),
        (None, Some(_)) => Some(Server {
            kind: WorkspaceKind::Workspace,
            name: own_workspace_name(&engine.name_any()),
            namespace: own,
        }),
        (None, None) => None,
    }
}

/// The state of who serves the model of `engine`. `live_url` is where its pods ask now.
pub(super) fn find(
    engine: &RAGEngine,
    namespace: &str,
    live_url: Option<&String>,
    caches: &Caches,
    settings: &Settings,
) -> Option<WorkspaceState> {
    let server = server(engine)?;
    let Server {
        kind,
        name,
        namespace: theirs,
    } = &server;
    let url = format!("http://{name}.{theirs}.svc/v1/chat/completions");
    let found = match kind {
        WorkspaceKind::Workspace => {
            let found = caches.workspaces.get(&ObjectRef::new(name).within(theirs));
            found.map(|found| {
                found
                    .0
                    .as_ref()
                    .map(facts_of_workspace)
                    .map_err(|invalid| invalid.error.clone())
            })
        }
        WorkspaceKind::InferenceSet => {
            let found = caches.inference_sets.get(&ObjectRef::new(name).within(theirs));
            found.map(|found| {
                found
                    .0
                    .as_ref()
                    .map(facts_of_set)
                    .map_err(|invalid| invalid.error.clone())
            })
        }
    };
    let Some(found) = found else {
        let may_use = theirs == namespace || live_url == Some(&url);
        return Some(WorkspaceState::Missing {
            url: may_use.then_some(url),
        });
    };
    Some(match found {
        Err(error) => WorkspaceState::CannotServe {
            reason: format!("it cannot be read: {error}"),
        },
        Ok(facts) if theirs != namespace && !allows(facts.allowed.as_deref(), namespace) => WorkspaceState::Forbids {
            namespace: theirs.clone(),
        },
        Ok(facts) => state(facts, url, settings),
    })
}

/// What counts of a Workspace or an InferenceSet.
struct Facts {
    /// What its annotation says of other namespaces.
    allowed: Option<String>,
    /// The model that it serves; `None` when it serves none.
    inference: Option<InferenceSpec>,
    /// The name by which clients ask for the model, if it is not the model's own.
    served_as: Option<String>,
    /// `None` when it is ready; else what it says of itself.
    not_ready: Option<String>,
}

fn facts_of_workspace(workspace: &Workspace) -> Facts {
    let conditions = workspace.status.as_ref().and_then(|status| status.conditions.as_ref());
    Facts {
        allowed: workspace.annotations().get(annotations::RAGENGINE_NAMESPACES).cloned(),
        inference: workspace.spec.inference.clone(),
        served_as: workspace.labels().get(labels::CREATED_BY_INFERENCE_SET).cloned(),
        not_ready: not_ready(conditions, "InferenceReady"),
    }
}

fn facts_of_set(set: &InferenceSet) -> Facts {
    let status = set.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    // One of several that answers is enough.
    let answers = status
        .and_then(|status| status.ready_replicas)
        .is_some_and(|ready| ready > 0);
    Facts {
        allowed: set.annotations().get(annotations::RAGENGINE_NAMESPACES).cloned(),
        inference: Some(set.spec.template.inference.clone()),
        served_as: Some(set.name_any()),
        not_ready: not_ready(conditions, "InferenceSetReady").filter(|_| !answers),
    }
}

fn state(facts: Facts, url: String, settings: &Settings) -> WorkspaceState {
    let Some(inference) = &facts.inference else {
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
        model: model.map(|model| facts.served_as.unwrap_or(model.name)),
        not_ready: facts.not_ready,
    })
}

/// Whether an annotation lets engines of `namespace` in.
fn allows(allowed: Option<&str>, namespace: &str) -> bool {
    allowed.is_some_and(|list| list.split(',').map(str::trim).any(|one| one == "*" || one == namespace))
}

fn not_ready(conditions: Option<&Vec<Condition>>, type_: &str) -> Option<String> {
    match find_condition(conditions, type_) {
        Some(condition) if condition.status == "True" => None,
        Some(condition) => Some(format!("{}: {}", condition.reason, condition.message)),
        None => Some("it has not been looked at yet".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_of_an_engine_has_a_name_that_a_workspace_can_have() {
        assert_eq!(own_workspace_name("docs"), "docs-model");
        let longest = "a".repeat(46);
        assert_eq!(own_workspace_name(&longest), format!("{longest}-model"));
        let one = own_workspace_name(&"a".repeat(62));
        let other = own_workspace_name(&"a".repeat(63));
        assert_eq!(
            (one.len(), other.len()),
            (LONGEST_WORKSPACE_NAME, LONGEST_WORKSPACE_NAME)
        );
        assert_ne!(one, other);
    }
}
