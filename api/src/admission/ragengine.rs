//! Rules about a RAGEngine.

use super::{Environment, FieldError, instance_type};
use crate::v1beta1::RAGEngine;

/// What is wrong with `new`. `old` is what it was before, or `None` when it is made.
///
/// What did not change, and what is being deleted, is not looked at: an engine that was once let in can always be
/// deleted. [`super::GuardrailsPolicy`] has the rule about the ConfigMap of the guardrails.
pub fn validate_ragengine(new: &RAGEngine, old: Option<&RAGEngine>, environment: &Environment) -> Vec<FieldError> {
    if new.metadata.deletion_timestamp.is_some() || old.is_some_and(|old| old.spec == new.spec) {
        return Vec::new();
    }
    let mut errors = Vec::new();
    if let Some(compute) = &new.spec.compute {
        let old_compute = old.and_then(|old| old.spec.compute.as_ref());
        errors.extend(instance_type::check("spec.compute", compute, old_compute, environment));
    }
    errors
}
