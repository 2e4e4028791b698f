//! Whether a model fits on the machines that a Workspace asks for: what has to be found out, and how a no is said.
//!
//! The arithmetic is that of whoever has the catalogues. Of nodes that users bring nothing is known here, slices aside,
//! whose profile says their memory.

use std::num::NonZeroU32;

use super::annotations::{self, Runtime};
use super::{Environment, FieldError};
use crate::names;
use crate::v1beta1::{PartitionMode, Workspace};

/// A model, and the machines that it is to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load<'workspace> {
    /// The model, as the user wrote it.
    pub preset: &'workspace str,
    /// The program that serves it.
    pub runtime: Runtime,
    /// Each machine.
    pub machine: Machine<'workspace>,
    /// Machines that are asked for.
    pub nodes: NonZeroU32,
}

/// What GPUs a machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine<'workspace> {
    /// Those of a machine type.
    InstanceType(&'workspace str),
    /// A MIG slice of this profile.
    MigSlice(&'workspace str),
}

impl<'workspace> Load<'workspace> {
    /// What has to be found out before `new` is let in. Nothing, if it is not made but changed, if its user wants no such
    /// check, or if nothing can be known.
    pub fn of(new: &'workspace Workspace, old: Option<&Workspace>, environment: &Environment) -> Option<Self> {
        let is_made = old.is_none() && new.metadata.deletion_timestamp.is_none();
        if !is_made || annotations::value(new, names::annotations::BYPASS_RESOURCE_CHECKS).is_some() {
            return None;
        }
        let preset = new.spec.inference.as_ref()?.preset.as_ref()?;
        let resource = new.spec.resource.as_ref()?;
        let machine = if environment.node_auto_provisioning {
            Machine::InstanceType(resource.instance_type()?)
        } else {
            let partition = resource.partition.as_ref()?;
            let profile = partition.profile.as_deref();
            Machine::MigSlice(profile.filter(|_| partition.mode == PartitionMode::Mig)?)
        };
        Some(Self {
            preset: &preset.name,
            runtime: Runtime::of(new, environment.vllm),
            machine,
            nodes: u32::try_from(resource.count)
                .ok()
                .and_then(NonZeroU32::new)
                .unwrap_or(NonZeroU32::MIN),
        })
    }

    /// Says that the model does not fit; `reason` is the arithmetic.
    pub fn refuse(&self, reason: &str) -> FieldError {
        let field = match self.machine {
            Machine::InstanceType(_) => "resource.instanceType",
            Machine::MigSlice(_) => "resource.partition.profile",
        };
        FieldError::new(
            field,
            format!(
                "{} does not fit: {reason}; to try it nevertheless, set the annotation {}",
                self.preset,
                names::annotations::BYPASS_RESOURCE_CHECKS
            ),
        )
    }
}
