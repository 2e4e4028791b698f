//! ConfigMaps that an object names.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kaito_api::admission::Lookup;
use kube::{Api, Client};
use tokio::time::timeout;

/// How long the API server may take. It waits for us meanwhile, ten seconds at most.
const TIMEOUT: Duration = Duration::from_secs(4);

/// What was found of a ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// What it holds.
    Data(BTreeMap<String, String>),
    /// It does not exist.
    Missing,
    /// It could not be asked for; why.
    Unreadable(String),
}

impl From<Found> for Lookup {
    fn from(found: Found) -> Self {
        match found {
            Found::Data(data) => Self::Found(data.into_keys().collect()),
            Found::Missing => Self::Missing,
            Found::Unreadable(reason) => Self::Unreadable(reason),
        }
    }
}

/// Looks a ConfigMap up.
pub(super) async fn find(client: &Client, namespace: &str, name: &str) -> Found {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    match timeout(TIMEOUT, api.get_opt(name)).await {
        Ok(Ok(Some(found))) => Found::Data(found.data.unwrap_or_default()),
        Ok(Ok(None)) => Found::Missing,
        Ok(Err(kube::Error::Api(status))) => Found::Unreadable(status.message),
        Ok(Err(error)) => Found::Unreadable(error.to_string()),
        Err(_) => Found::Unreadable(format!("the API server did not answer within {TIMEOUT:?}")),
    }
}
