//! The rules that CEL cannot say, for the admission webhook: they depend on how the controller was started, on the
//! catalogue of models, or on what a ConfigMap holds.
//!
//! Nothing here asks a cluster. Each function gets the facts it needs and says what is wrong; whoever calls it looks
//! them up. What the rules beside the fields say is not said again.

mod annotations;
mod environment;
mod guardrails;
mod inference_config;
mod inference_set;
mod instance_type;
mod load;
mod ragengine;
mod training_config;
mod workspace;

pub use annotations::Runtime;
pub use environment::{Cloud, Environment, InstanceTypes, Preset, PresetFacts, is_hugging_face_id};
pub use guardrails::{GuardrailsPolicy, Lookup};
pub use inference_config::{max_model_len, validate_inference_config};
pub use inference_set::{validate_inference_set, workspace_before};
pub use load::{Load, Machine};
pub use ragengine::validate_ragengine;
pub use training_config::{training_output_directory, validate_training_config};
pub use workspace::validate_workspace;

use std::fmt;

/// One reason to refuse an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Path of the field, such as `spec.compute.instanceType`.
    pub field: String,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl FieldError {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.field, self.message)
    }
}
