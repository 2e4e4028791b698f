//! Annotations of a Workspace that change how it runs.

use std::collections::BTreeMap;

use super::{Environment, FieldError};
use crate::names::annotations;
use crate::v1beta1::Workspace;

/// Programs that serve models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// vLLM.
    Vllm,
    /// Hugging Face Transformers.
    Transformers,
}

impl Runtime {
    /// The program that `workspace` asks for. Without vLLM, `vllm` being false, there is only the other one.
    pub fn of(workspace: &Workspace, vllm: bool) -> Self {
        match value(workspace, annotations::RUNTIME) {
            Some("transformers") => Self::Transformers,
            _ if vllm => Self::Vllm,
            _ => Self::Transformers,
        }
    }
}

pub(super) fn value<'a>(workspace: &'a Workspace, name: &str) -> Option<&'a str> {
    let all: &BTreeMap<_, _> = workspace.metadata.annotations.as_ref()?;
    all.get(name).map(String::as_str)
}

/// What is wrong with the annotations. Those that did not change are not looked at.
pub(super) fn check(new: &Workspace, old: Option<&Workspace>, environment: &Environment) -> Vec<FieldError> {
    let changed = |name: &str| value(new, name).filter(|given| old.is_none_or(|old| value(old, name) != Some(*given)));
    let mut errors = Vec::new();
    let mut refuse = |name: &str, message: String| {
        errors.push(FieldError::new(format!("metadata.annotations[{name}]"), message));
    };
    if let Some(family) = changed(annotations::NODE_IMAGE_FAMILY)
        && !["ubuntu", "azurelinux"].contains(&family.trim().to_ascii_lowercase().as_str())
    {
        refuse(
            annotations::NODE_IMAGE_FAMILY,
            format!("invalid node image family {family:?}; it must be ubuntu or azurelinux"),
        );
    }
    if let Some(mode) = changed(annotations::PERFORMANCE_MODE)
        && !["balanced", "interactivity", "throughput"].contains(&mode)
    {
        refuse(
            annotations::PERFORMANCE_MODE,
            format!("invalid performance mode {mode:?}; it must be balanced, interactivity or throughput"),
        );
    }
    if let Some(given) = changed(annotations::USE_LOCAL_WEIGHTS)
        && !["true", "false"].contains(&given)
    {
        refuse(
            annotations::USE_LOCAL_WEIGHTS,
            format!("invalid value {given:?}; it must be true or false"),
        );
    }
    if let Some(class) = changed(annotations::NODE_CLASS_NAME).filter(|class| !class.is_empty())
        && let Some(allowed) = &environment.node_classes
        && !allowed.contains(class)
    {
        let allowed = allowed.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        refuse(
            annotations::NODE_CLASS_NAME,
            format!("unknown NodeClass {class:?}; it must be one of {allowed}"),
        );
    }
    errors
}
