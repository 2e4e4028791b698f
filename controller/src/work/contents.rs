//! What is in Secrets and ConfigMaps. Watches keep their metadata only; each version of one that is asked for is read
//! once, and of Secrets nothing but digests is kept.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};
use moka::sync::Cache;

use crate::digest;

/// Versions of Secrets and ConfigMaps that are remembered.
const REMEMBERED: u64 = 4096;

/// Reads Secrets and ConfigMaps.
pub(crate) struct Contents {
    client: Client,
    digests: Cache<(Version, &'static str), Result<String, InputProblem>>,
    config_maps: Cache<Version, ConfigMap>,
}

/// One version of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Version {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Its `resourceVersion`, as its metadata says.
    pub version: String,
}

/// Why something in a Secret or ConfigMap cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputProblem {
    /// There is no such object.
    Missing,
    /// The object has no such key.
    NoKey,
}

/// A Secret or a ConfigMap cannot be read now.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {kind} {name:?}")]
pub(crate) struct ReadError {
    /// Kind of the object.
    pub kind: &'static str,
    /// Name of the object.
    pub name: String,
    /// What the API server said.
    #[source]
    pub source: Box<kube::Error>,
}

impl Contents {
    /// Nothing read yet.
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            digests: Cache::new(REMEMBERED),
            config_maps: Cache::new(REMEMBERED),
        }
    }

    /// A ConfigMap, unless it is gone.
    ///
    /// # Errors
    ///
    /// The API server does not answer.
    pub(crate) async fn config_map(&self, version: Version) -> Result<Option<ConfigMap>, ReadError> {
        if let Some(known) = self.config_maps.get(&version) {
            return Ok(Some(known));
        }
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &version.namespace);
        let found = api.get_opt(&version.name).await;
        let found = found.map_err(|source| ReadError::new("ConfigMap", &version, source))?;
        if let Some(found) = &found {
            self.config_maps.insert(version, found.clone());
        }
        Ok(found)
    }

    /// The digest of one key of a Secret, or of all of it when `key` is empty.
    ///
    /// # Errors
    ///
    /// The API server does not answer.
    pub(crate) async fn secret(
        &self,
        version: Version,
        key: &'static str,
    ) -> Result<Result<String, InputProblem>, ReadError> {
        let place = (version, key);
        if let Some(known) = self.digests.get(&place) {
            return Ok(known);
        }
        let (version, _) = &place;
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &version.namespace);
        let found = api.get_opt(&version.name).await;
        let state = secret_digest(found.map_err(|source| ReadError::new("Secret", version, source))?, key);
        self.digests.insert(place, state.clone());
        Ok(state)
    }
}

impl Contents {
    /// One key of a Secret, as text. It is not kept.
    ///
    /// # Errors
    ///
    /// The API server does not answer.
    pub(crate) async fn secret_text(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
    ) -> Result<Option<String>, ReadError> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let found = api.get_opt(name).await.map_err(|source| ReadError {
            kind: "Secret",
            name: name.to_owned(),
            source: Box::new(source),
        })?;
        let value = found.and_then(|found| found.data?.remove(key));
        Ok(value.and_then(|value| String::from_utf8(value.0).ok()))
    }
}

impl ReadError {
    fn new(kind: &'static str, version: &Version, source: kube::Error) -> Self {
        Self {
            kind,
            name: version.name.clone(),
            source: Box::new(source),
        }
    }
}

/// The digest of one key of a ConfigMap.
pub(crate) fn config_map_digest(config_map: Option<&ConfigMap>, key: &str) -> Result<String, InputProblem> {
    let data = config_map.ok_or(InputProblem::Missing)?.data.as_ref();
    let text = data.and_then(|data| data.get(key)).ok_or(InputProblem::NoKey)?;
    Ok(digest::of_bytes(text.as_bytes()))
}

fn secret_digest(secret: Option<Secret>, key: &str) -> Result<String, InputProblem> {
    let data = secret.ok_or(InputProblem::Missing)?.data.unwrap_or_default();
    if key.is_empty() {
        let values: Vec<_> = data
            .iter()
            .map(|(name, value)| (name, digest::of_bytes(&value.0)))
            .collect();
        return if values.is_empty() {
            Err(InputProblem::NoKey)
        } else {
            Ok(digest::of(&values))
        };
    }
    data.get(key)
        .map(|value| digest::of_bytes(&value.0))
        .ok_or(InputProblem::NoKey)
}
