//! Rules about an InferenceSet.

use super::{Environment, FieldError, Preset, validate_workspace};
use crate::v1beta1::{InferenceSet, Workspace};

/// What is wrong with `new`. `old` is what it was before, or `None` when it is made; `preset` is what the catalogue
/// says of the model that the template names, if it names one.
///
/// The rules are those of the Workspace that the template describes: of its creation, or of its change where
/// [`workspace_before`] says so. What did not change, and what is being deleted, is not looked at: a set that was once
/// let in can always be deleted and scaled.
pub fn validate_inference_set(
    new: &InferenceSet,
    old: Option<&InferenceSet>,
    preset: Option<&Preset>,
    environment: &Environment,
) -> Vec<FieldError> {
    if new.metadata.deletion_timestamp.is_some() || old.is_some_and(|old| old.workspace() == new.workspace()) {
        return Vec::new();
    }
    let before = workspace_before(new, old);
    let errors = validate_workspace(&new.workspace(), before.as_ref(), preset, environment);
    errors
        .into_iter()
        .map(|error| FieldError::new(format!("spec.template.{}", error.field), error.message))
        .collect()
}

/// The Workspace that `old` describes, if one of it can be changed to be as `new` describes it. Otherwise the set
/// replaces its Workspaces, which makes new ones.
pub fn workspace_before(new: &InferenceSet, old: Option<&InferenceSet>) -> Option<Workspace> {
    old.map(InferenceSet::workspace)
        .filter(|old| old.spec.can_become(&new.workspace().spec))
}
