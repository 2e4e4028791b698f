//! Where a controller looks.

use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Client, Resource};

/// Where to look: everywhere, or in one namespace.
#[derive(Clone)]
pub(crate) struct Scope {
    /// The client to look with.
    pub client: Client,
    /// The one namespace.
    pub namespace: Option<String>,
    /// The installation's, which has what objects use that name nothing else.
    pub installation: String,
}

impl Scope {
    /// The objects of a kind there.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }
}
