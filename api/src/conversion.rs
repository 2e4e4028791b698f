//! Conversion between versions, without loss.
//!
//! Objects are converted as JSON, so that fields that nobody here knows survive, and an object that is wrong in one
//! place is still converted in all others: an error for one object would make the whole kind unreadable.
//!
//! Each direction is a plain function that says what the target version can say. What would be lost on the way is found
//! by converting back and comparing; it travels in an annotation of the converted object and is put back, and the
//! annotation removed, when the object returns. A value that was changed in the meantime wins over the annotation.

mod baggage;
mod inference_set;
mod ragengine;
mod workspace;

use serde_json::Value;

use crate::names::{GROUP, annotations};
use baggage::Baggage;

/// Why an object could not be converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConversionError {
    /// There is no conversion for objects of this kind.
    #[error(
        "cannot convert {kind:?} of {api_version:?}: only RAGEngine, Workspace and InferenceSet of kaito.sh are converted"
    )]
    UnknownKind {
        /// The object's `apiVersion`.
        api_version: String,
        /// The object's `kind`.
        kind: String,
    },
    /// There is no such version.
    #[error("cannot convert to or from {0:?}: the versions are kaito.sh/v1alpha1 and kaito.sh/v1beta1")]
    UnknownVersion(String),
}

/// Versions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1Alpha1,
    V1Beta1,
}

/// Kinds there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    RAGEngine,
    Workspace,
    InferenceSet,
}

impl Version {
    fn parse(api_version: &str) -> Result<Self, ConversionError> {
        match api_version.split_once('/') {
            Some((GROUP, "v1alpha1")) => Ok(Self::V1Alpha1),
            Some((GROUP, "v1beta1")) => Ok(Self::V1Beta1),
            _ => Err(ConversionError::UnknownVersion(api_version.to_owned())),
        }
    }

    /// The annotation on an object of this version that holds what only the other version can say.
    fn annotation(self) -> &'static str {
        match self {
            Self::V1Alpha1 => annotations::V1BETA1_FIELDS,
            Self::V1Beta1 => annotations::V1ALPHA1_FIELDS,
        }
    }

    fn other(self) -> Self {
        match self {
            Self::V1Alpha1 => Self::V1Beta1,
            Self::V1Beta1 => Self::V1Alpha1,
        }
    }
}

/// Converts `object` to `desired_api_version`, such as `kaito.sh/v1beta1`. An object that has that version already
/// comes back as it is.
///
/// # Errors
///
/// The kind or one of the versions is unknown. What an object holds is never an error.
pub fn convert(object: Value, desired_api_version: &str) -> Result<Value, ConversionError> {
    let to = Version::parse(desired_api_version)?;
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind = match text("kind").as_str() {
        "RAGEngine" => Kind::RAGEngine,
        "Workspace" => Kind::Workspace,
        "InferenceSet" => Kind::InferenceSet,
        other => {
            return Err(ConversionError::UnknownKind {
                api_version: text("apiVersion"),
                kind: other.to_owned(),
            });
        }
    };
    let from = Version::parse(&text("apiVersion"))?;
    if from == to {
        return Ok(object);
    }
    let mut converted = carry(kind, to, object);
    if let Some(api_version) = converted.get_mut("apiVersion") {
        *api_version = Value::from(desired_api_version);
    }
    Ok(converted)
}

/// Converts to version `to` from the other one.
///
/// What departs is measured against what the way back would make of the finished object, with the baggage that arrived
/// unpacked. So the way back is exact: it makes just that, and the baggage says the rest.
fn carry(kind: Kind, to: Version, mut object: Value) -> Value {
    let arriving = Baggage::unpack(&mut object, to.other().annotation());
    let mut converted = rewrite(kind, to, object.clone());
    arriving.restore(&mut converted);
    let returned = rewrite(kind, to.other(), converted.clone());
    Baggage::difference(&returned, &object).pack(&mut converted, to.annotation());
    converted
}

/// What version `to` can say of `object`, which is of the other version. Annotations of our names that are no baggage
/// are somebody's own, and become baggage.
fn rewrite(kind: Kind, to: Version, mut object: Value) -> Value {
    for version in [Version::V1Alpha1, Version::V1Beta1] {
        baggage::remove_annotation(&mut object, version.annotation());
    }
    match (kind, to) {
        (Kind::RAGEngine, Version::V1Beta1) => ragengine::to_v1beta1(&mut object),
        (Kind::RAGEngine, Version::V1Alpha1) => ragengine::to_v1alpha1(&mut object),
        (Kind::Workspace, Version::V1Beta1) => workspace::to_v1beta1(&mut object),
        (Kind::Workspace, Version::V1Alpha1) => workspace::to_v1alpha1(&mut object),
        (Kind::InferenceSet, _) => inference_set::remove_new(&mut object),
    }
    object
}

/// Removes members of the object at `pointer`, if there is one.
fn remove_members(object: &mut Value, pointer: &str, members: &[&str]) {
    if let Some(object) = object.pointer_mut(pointer).and_then(Value::as_object_mut) {
        for member in members {
            object.remove(*member);
        }
    }
}

/// `v1alpha1` gives a machine type to who names none, so that "none" has to be said with an empty text there.
fn say_no_instance_type(object: &mut Value, pointer: &str) {
    if let Some(resource) = object.pointer_mut(pointer).and_then(Value::as_object_mut) {
        resource.entry("instanceType").or_insert_with(|| Value::from(""));
    }
}

/// The other way around.
fn omit_no_instance_type(object: &mut Value, pointer: &str) {
    if let Some(resource) = object.pointer_mut(pointer).and_then(Value::as_object_mut)
        && resource.get("instanceType") == Some(&Value::from(""))
    {
        resource.remove("instanceType");
    }
}
