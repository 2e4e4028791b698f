//! Applying and deleting what belongs to one resource, and nothing else.

use kube::{Client, Resource, ResourceExt};

use super::{Applicable, ApplyError, apply, delete, take_over};

/// Who makes the objects of one resource.
#[derive(Clone, Copy)]
pub(crate) struct Owned<'a> {
    /// The client to do it with.
    pub(crate) client: &'a Client,
    /// UID of the resource.
    pub(crate) owner: &'a str,
}

impl Owned<'_> {
    /// Applies `desired`, unless `live` is as it says. Returns the object as it then is.
    ///
    /// # Errors
    ///
    /// The API server refuses it, or there is one of the same name that is somebody else's.
    pub(crate) async fn ensure<K: Applicable>(&self, desired: K, live: Option<&K>) -> Result<K, ApplyError> {
        if let Some(live) = live {
            if !self.owns(live) {
                return Err(ApplyError::Foreign {
                    kind: K::kind(&()).into_owned(),
                    name: live.name_any(),
                });
            }
            return apply(self.client, desired, Some(live)).await;
        }
        let namespace = desired.namespace().unwrap_or_default();
        take_over::<K>(self.client, &namespace, &desired.name_any(), self.owner).await?;
        apply(self.client, desired, None).await
    }

    /// Applies what is wanted, or deletes `live` if nothing is.
    ///
    /// # Errors
    ///
    /// As [`Owned::ensure`].
    pub(crate) async fn ensure_or_remove<K: Applicable>(
        &self,
        desired: Option<K>,
        live: Option<&K>,
    ) -> Result<Option<K>, ApplyError> {
        match desired {
            Some(desired) => self.ensure(desired, live).await.map(Some),
            None => self.remove(live).await.map(|()| None),
        }
    }

    /// Deletes `live`, if it belongs to the resource and is not being deleted.
    ///
    /// # Errors
    ///
    /// The API server refuses.
    pub(crate) async fn remove<K: Applicable>(&self, live: Option<&K>) -> Result<(), ApplyError> {
        match live {
            Some(live) if self.owns(live) && live.meta().deletion_timestamp.is_none() => {
                delete(self.client, live).await
            }
            _ => Ok(()),
        }
    }

    /// Whether an object belongs to the resource.
    pub(crate) fn owns<K: Resource>(&self, object: &K) -> bool {
        object
            .owner_references()
            .iter()
            .any(|owner| owner.controller == Some(true) && owner.uid == self.owner)
    }
}
