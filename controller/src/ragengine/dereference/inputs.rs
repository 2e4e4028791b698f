//! Secrets and ConfigMaps that an engine's pods read when they start.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kaito_api::names::keys;
use kaito_api::v1beta1::RAGEngine;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, ResourceExt};

use super::GuardrailsSource;
use crate::digest;
use crate::names::INPUT_PREFIX;
use crate::ragengine::caches::Caches;
use crate::work::{Contents, InputProblem, ReadError, Version, config_map_digest};

/// Key of the Secret that `embedding.remote.accessSecret` names.
pub(crate) const REMOTE_EMBEDDING_SECRET: &str = "REMOTE_EMBEDDING_ACCESS_SECRET";

/// What an input is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Key of the language model.
    LanguageModel,
    /// Key of the remote embedding model.
    RemoteEmbedding,
    /// Token to download the local embedding model.
    ModelDownload,
    /// Key of the vector database.
    VectorDatabase,
    /// API keys of the engine's callers.
    ApiKeys,
    /// Guardrails policy.
    Guardrails,
}

impl Role {
    /// Name of it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::LanguageModel => "language-model",
            Self::RemoteEmbedding => "remote-embedding",
            Self::ModelDownload => "model-download",
            Self::VectorDatabase => "vector-database",
            Self::ApiKeys => "api-keys",
            Self::Guardrails => "guardrails",
        }
    }

    /// The annotation on pods with the digest of this input.
    pub(crate) fn annotation(self) -> String {
        format!("{INPUT_PREFIX}{}", self.as_str())
    }
}

/// Secret or ConfigMap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputKind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

impl InputKind {
    /// Name of the kind.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        }
    }
}

/// One Secret or ConfigMap that pods read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    /// What it is for.
    pub role: Role,
    /// What it is.
    pub kind: InputKind,
    /// Its name.
    pub name: String,
    /// The key in it that is read; all when `None`.
    pub key: Option<&'static str>,
    state: Result<String, InputProblem>,
}

impl Input {
    /// Digest of what is read, if it can be.
    pub(crate) fn digest(&self) -> Option<&str> {
        self.state.as_deref().ok()
    }

    /// Why it cannot be read.
    pub(crate) fn problem(&self) -> Option<InputProblem> {
        self.state.as_ref().err().copied()
    }

    /// For tests of other steps.
    #[cfg(test)]
    pub(crate) fn new(role: Role, kind: InputKind, name: &str, state: Result<String, InputProblem>) -> Self {
        Self {
            role,
            kind,
            name: name.to_owned(),
            key: None,
            state,
        }
    }
}

/// Reads inputs, each version of an object once.
pub(crate) struct Inputs {
    caches: Arc<Caches>,
    contents: Contents,
}

impl Inputs {
    /// A reader beside the caches that say which versions there are.
    pub(crate) fn new(client: Client, caches: Arc<Caches>) -> Self {
        Self {
            caches,
            contents: Contents::new(client),
        }
    }

    /// The inputs of an engine.
    pub(super) async fn of(
        &self,
        engine: &RAGEngine,
        guardrails: Option<&GuardrailsSource>,
    ) -> Result<Vec<Input>, ReadError> {
        let namespace = engine.namespace().unwrap_or_default();
        let mut inputs = Vec::new();
        for (role, name, key) in secrets(engine) {
            let state = self.secret(&namespace, &name, key).await?;
            inputs.push(Input {
                role,
                kind: InputKind::Secret,
                name,
                key: (!key.is_empty()).then_some(key),
                state,
            });
        }
        if let Some(source) = guardrails {
            inputs.push(self.guardrails(&namespace, source).await?);
        }
        Ok(inputs)
    }

    async fn guardrails(&self, namespace: &str, source: &GuardrailsSource) -> Result<Input, ReadError> {
        let key = keys::GUARDRAILS_POLICY;
        let (name, state) = match source {
            GuardrailsSource::Named { config_map } => {
                let found = self.config_map(namespace, config_map).await?;
                (config_map.clone(), config_map_digest(found.as_ref(), key))
            }
            GuardrailsSource::Copied { policy, .. } => (
                kaito_api::names::DEFAULT_GUARDRAILS_CONFIG_MAP.to_owned(),
                policy
                    .as_ref()
                    .map(|policy| digest::of_bytes(policy.as_bytes()))
                    .ok_or(InputProblem::Missing),
            ),
        };
        Ok(Input {
            role: Role::Guardrails,
            kind: InputKind::ConfigMap,
            name,
            key: Some(key),
            state,
        })
    }

    /// A ConfigMap, if it exists.
    pub(super) async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<ConfigMap>, ReadError> {
        let reference = ObjectRef::new(name).within(namespace);
        let found = self
            .caches
            .config_maps
            .get(&reference)
            .or_else(|| self.caches.default_policy.get(&reference));
        let Some(version) = found.and_then(|found| found.resource_version()) else {
            return Ok(None);
        };
        self.contents.config_map(place(namespace, name, version)).await
    }

    /// The digest of one key of a Secret, or of all of it when `key` is empty.
    async fn secret(
        &self,
        namespace: &str,
        name: &str,
        key: &'static str,
    ) -> Result<Result<String, InputProblem>, ReadError> {
        let reference = ObjectRef::new(name).within(namespace);
        let Some(version) = self
            .caches
            .secrets
            .get(&reference)
            .and_then(|found| found.resource_version())
        else {
            return Ok(Err(InputProblem::Missing));
        };
        self.contents.secret(place(namespace, name, version), key).await
    }
}

fn place(namespace: &str, name: &str, version: String) -> Version {
    Version {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        version,
    }
}

/// The Secrets that an engine names: what for, name, key. An empty key stands for all of them.
pub(crate) fn secrets(engine: &RAGEngine) -> Vec<(Role, String, &'static str)> {
    let spec = &engine.spec;
    let model = spec
        .inference_service
        .as_ref()
        .and_then(|model| model.access_secret.as_ref());
    let remote = spec
        .embedding
        .remote
        .as_ref()
        .and_then(|remote| remote.access_secret.as_ref());
    let local = spec
        .embedding
        .local
        .as_ref()
        .and_then(|local| local.model_access_secret.as_ref());
    let database = spec.storage.as_ref().and_then(|storage| storage.vector_db.as_ref());
    let database = database.and_then(|database| database.access_secret.as_ref());
    let keys_of_callers = spec.auth.as_ref().map(|auth| &auth.secret_ref.name);
    [
        (Role::LanguageModel, model, keys::LLM_ACCESS_SECRET),
        (Role::RemoteEmbedding, remote, REMOTE_EMBEDDING_SECRET),
        (Role::ModelDownload, local, keys::HUGGING_FACE_TOKEN),
        (Role::VectorDatabase, database, keys::VECTOR_DB_ACCESS_SECRET),
        (Role::ApiKeys, keys_of_callers, ""),
    ]
    .into_iter()
    .filter_map(|(role, name, key)| Some((role, name.filter(|name| !name.is_empty())?.clone(), key)))
    .collect()
}
