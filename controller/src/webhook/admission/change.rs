//! What a request for admission is about.

use kaito_api::conversion::convert;
use kaito_api::names::{GROUP, STORED_VERSION};
use kaito_api::v1beta1::{InferenceSet, RAGEngine, Workspace};
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, Operation};
use serde::de::DeserializeOwned;

/// The kind that a webhook is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::webhook) enum Subject {
    /// RAGEngine.
    RAGEngine,
    /// Workspace.
    Workspace,
    /// InferenceSet.
    InferenceSet,
}

/// An object that is made or changed, in the stored version.
#[derive(Debug)]
pub(super) enum Change {
    /// A RAGEngine.
    RAGEngine {
        /// As it would be.
        new: Box<RAGEngine>,
        /// As it was; `None` when it is made.
        old: Option<Box<RAGEngine>>,
    },
    /// A Workspace.
    Workspace {
        /// As it would be.
        new: Box<Workspace>,
        /// As it was; `None` when it is made.
        old: Option<Box<Workspace>>,
    },
    /// An InferenceSet.
    InferenceSet {
        /// As it would be.
        new: Box<InferenceSet>,
        /// As it was; `None` when it is made.
        old: Option<Box<InferenceSet>>,
    },
}

impl Change {
    /// Reads a request. `None` is one that needs no decision: a deletion, also one that waits for finalizers.
    ///
    /// # Errors
    ///
    /// The new object cannot be read; the text says why. An old one that cannot be read is as none: whoever repairs it
    /// has to obey the rules of creation.
    pub(super) fn read(subject: Subject, request: &AdmissionRequest<DynamicObject>) -> Result<Option<Self>, String> {
        let Some(new) = &request.object else {
            return Ok(None);
        };
        let decided = matches!(request.operation, Operation::Create | Operation::Update);
        if !decided || new.metadata.deletion_timestamp.is_some() {
            return Ok(None);
        }
        let old = request.old_object.as_ref();
        Ok(Some(match subject {
            Subject::RAGEngine => Self::RAGEngine {
                new: stored("RAGEngine", new)?,
                old: old.and_then(|old| stored("RAGEngine", old).ok()),
            },
            Subject::Workspace => Self::Workspace {
                new: stored("Workspace", new)?,
                old: old.and_then(|old| stored("Workspace", old).ok()),
            },
            Subject::InferenceSet => Self::InferenceSet {
                new: stored("InferenceSet", new)?,
                old: old.and_then(|old| stored("InferenceSet", old).ok()),
            },
        }))
    }
}

/// The object in the stored version.
fn stored<T: DeserializeOwned>(kind: &str, object: &DynamicObject) -> Result<Box<T>, String> {
    let given = object
        .types
        .as_ref()
        .map(|types| types.kind.as_str())
        .unwrap_or_default();
    if given != kind {
        return Err(format!("this webhook is for {kind}, and the object is a {given:?}"));
    }
    let cannot = |error: &dyn std::fmt::Display| format!("the object cannot be read as {kind}: {error}");
    let object = serde_json::to_value(object).map_err(|error| cannot(&error))?;
    let object = convert(object, &format!("{GROUP}/{STORED_VERSION}")).map_err(|error| cannot(&error))?;
    serde_json::from_value(object).map_err(|error| cannot(&error))
}

/// The model that a Workspace names.
pub(super) fn preset(workspace: &Workspace) -> Option<&str> {
    let inference = workspace
        .spec
        .inference
        .as_ref()
        .and_then(|inference| inference.preset.as_ref());
    let tuning = || workspace.spec.tuning.as_ref().and_then(|tuning| tuning.preset.as_ref());
    inference.or_else(tuning).map(|preset| preset.name.as_str())
}
