//! What a Workspace names.

use kaito_api::names::annotations;
use kaito_api::v1beta1::{PresetSpec, Workspace};
use kube::ResourceExt;

/// The model that it serves or tunes.
pub(in crate::workspace) fn preset(workspace: &Workspace) -> Option<&PresetSpec> {
    let inference = workspace
        .spec
        .inference
        .as_ref()
        .and_then(|inference| inference.preset.as_ref());
    inference.or_else(|| workspace.spec.tuning.as_ref()?.preset.as_ref())
}

/// The Secret with the token to download the model.
pub(in crate::workspace) fn token_secret(workspace: &Workspace) -> Option<&str> {
    let options = preset(workspace)?.preset_options.as_ref()?;
    options.model_access_secret.as_deref().filter(|name| !name.is_empty())
}

/// The ConfigMap with options of serving or tuning.
pub(in crate::workspace) fn config(workspace: &Workspace) -> Option<&str> {
    let inference = workspace
        .spec
        .inference
        .as_ref()
        .and_then(|inference| inference.config.as_deref());
    let name = inference.or_else(|| workspace.spec.tuning.as_ref()?.config.as_deref());
    name.filter(|name| !name.is_empty())
}

/// The ConfigMap that describes a model that is not in the catalogue.
pub(in crate::workspace) fn model_facts(workspace: &Workspace) -> Option<&str> {
    workspace
        .annotations()
        .get(annotations::MODEL_FACTS)
        .map(String::as_str)
}
