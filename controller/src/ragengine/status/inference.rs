//! Whether there is a language model.

use kaito_api::v1beta1::RAGEngine;

use super::missing_input;
use crate::conditions::Finding;
use crate::ragengine::dereference::{References, Role, WorkspaceState, server};

/// The condition `InferenceReady`.
pub(super) fn finding(engine: &RAGEngine, references: &References) -> Finding {
    let Some(service) = &engine.spec.inference_service else {
        return not_configured();
    };
    if let Some(server) = server(engine) {
        let place = format!(
            "{:?} {:?} in namespace {:?}",
            server.kind, server.name, server.namespace
        );
        let own = service.workspace_template.is_some();
        if let (true, None | Some(WorkspaceState::Missing { .. })) = (own, &references.workspace) {
            return Finding::fails("WorkspacePending", format!("{place} is being made"));
        }
        if let Some(finding) = workspace(&place, references.workspace.as_ref()) {
            return finding;
        }
        return missing_key(references)
            .unwrap_or_else(|| Finding::holds("WorkspaceReady", format!("{place} is ready")));
    }
    match service.url() {
        None => not_configured(),
        Some(url) => missing_key(references)
            .unwrap_or_else(|| Finding::holds("UrlConfigured", format!("chats are answered by the model at {url}"))),
    }
}

fn not_configured() -> Finding {
    Finding::fails(
        "NotConfigured",
        "the engine only retrieves: set inferenceService to have chats answered",
    )
}

fn missing_key(references: &References) -> Option<Finding> {
    missing_input(references, |role| role == Role::LanguageModel)
}

/// Why a Workspace does not answer; `None` when it does.
fn workspace(place: &str, state: Option<&WorkspaceState>) -> Option<Finding> {
    match state {
        None | Some(WorkspaceState::Missing { .. }) => {
            let message = format!("{place} does not exist: create it, or correct inferenceService.workspaceRef");
            Some(Finding::fails("WorkspaceNotFound", message))
        }
        Some(WorkspaceState::Forbids { namespace }) => Some(Finding::fails(
            "WorkspaceNotAllowed",
            format!(
                "{place} does not let other namespaces use it: list this one in its annotation {} (kubectl annotate \
                 workspace -n {namespace} ...)",
                kaito_api::names::annotations::RAGENGINE_NAMESPACES
            ),
        )),
        Some(WorkspaceState::CannotServe { reason }) => Some(Finding::fails(
            "WorkspaceDoesNotServe",
            format!("{place} cannot answer chats: {reason}"),
        )),
        Some(WorkspaceState::Serves(served)) => {
            let words = served.not_ready.as_ref()?;
            Some(Finding::fails(
                "WorkspaceNotReady",
                format!("{place} is not ready: {words}"),
            ))
        }
    }
}

/// Name of the model that a Workspace serves, if it is known.
pub(super) fn served_model(references: &References) -> Option<String> {
    match &references.workspace {
        Some(WorkspaceState::Serves(served)) => served.model.clone(),
        _ => None,
    }
}
