//! Making objects as they should be, by server-side apply of whole objects with one field manager.
//!
//! An object that is as it should be is not applied again, so that a controller with nothing to do writes nothing.

mod adopt;
mod covers;
mod owned;

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::digest;
use crate::names::{APPLIED, FIELD_MANAGER};

pub use adopt::{Adoption, take_over};
pub use covers::difference;
pub(crate) use owned::Owned;

/// An object that can be applied.
pub trait Applicable:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Serialize + DeserializeOwned + Clone + Debug
{
}

impl<K> Applicable for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Serialize + DeserializeOwned + Clone + Debug
{
}

/// Why an object is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The API server refused it.
    #[error("the API server refuses {kind} {name:?}: {message}")]
    Refuse {
        /// Kind of the object.
        kind: String,
        /// Name of the object.
        name: String,
        /// What the API server said.
        message: String,
        /// What it said, in full. Not a source, since the message says it already.
        answer: Box<kube::Error>,
    },
    /// There is such an object, and it is somebody else's.
    #[error(
        "{kind} {name:?} exists and does not belong to this resource: delete it, or give the resource another name"
    )]
    Foreign {
        /// Kind of the object.
        kind: String,
        /// Name of the object.
        name: String,
    },
}

impl ApplyError {
    /// What the API server answered, if it was asked.
    pub(crate) fn answer(&self) -> Option<&kube::Error> {
        match self {
            Self::Refuse { answer, .. } => Some(answer),
            Self::Foreign { .. } => None,
        }
    }

    pub(crate) fn refuse<K: Resource<DynamicType = ()>>(name: &str, answer: kube::Error) -> Self {
        let message = match &answer {
            kube::Error::Api(status) => status.message.clone(),
            other => other.to_string(),
        };
        Self::Refuse {
            kind: K::kind(&()).into_owned(),
            name: name.to_owned(),
            message,
            answer: Box::new(answer),
        }
    }
}

/// Applies `desired`, unless `live` is as it says already. Returns the object as it then is.
///
/// # Errors
///
/// The API server refuses it.
pub async fn apply<K: Applicable>(client: &Client, mut desired: K, live: Option<&K>) -> Result<K, ApplyError> {
    let applied = digest::of(&desired);
    desired
        .annotations_mut()
        .insert(APPLIED.to_owned(), digest::short(&applied, 16).to_owned());
    if let Some(live) = live {
        match outdated(&desired, live) {
            None => return Ok(live.clone()),
            Some(what) => tracing::info!(
                object.kind = %K::kind(&()), object.name = desired.name_any(), difference = what, "an object is made as it should be"
            ),
        }
    }
    let name = desired.name_any();
    let api: Api<K> = Api::namespaced(client.clone(), &desired.namespace().unwrap_or_default());
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(&name, &parameters, &Patch::Apply(&with_type(&desired)))
        .await
        .map_err(|source| ApplyError::refuse::<K>(&name, source))
}

/// Deletes an object, if it is still the one that was seen.
///
/// # Errors
///
/// The API server refuses it. That it is gone already is no error.
pub async fn delete<K: Applicable>(client: &Client, seen: &K) -> Result<(), ApplyError> {
    let name = seen.name_any();
    let api: Api<K> = Api::namespaced(client.clone(), &seen.namespace().unwrap_or_default());
    let parameters = DeleteParams {
        preconditions: Some(Preconditions {
            uid: seen.uid(),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match api.delete(&name, &parameters).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        Err(source) => Err(ApplyError::refuse::<K>(&name, source)),
    }
}

/// Where `live` is not as it should be: it was made from another `desired`, or has not all that this one says.
fn outdated<K: Applicable>(desired: &K, live: &K) -> Option<String> {
    if desired.annotations().get(APPLIED) != live.annotations().get(APPLIED) {
        return Some("the object that is wanted".to_owned());
    }
    match (serde_json::to_value(desired), serde_json::to_value(live)) {
        (Ok(desired), Ok(live)) => difference(&live, &desired),
        _ => None,
    }
}

/// An object as JSON, with its kind and version.
pub(crate) fn with_type<K: Applicable>(object: &K) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        members.insert("apiVersion".to_owned(), K::api_version(&()).into());
        members.insert("kind".to_owned(), K::kind(&()).into());
    }
    value
}
