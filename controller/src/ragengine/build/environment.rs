//! The environment of the service: the contract between the controller and `rag-service`.
//!
//! Each variable is an option of the service's command line, but for two that the library reads which downloads models:
//! HF_HOME, where to put them, and HF_TOKEN. A test starts the real service with them.

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, SecretKeySelector};
use kaito_api::names::keys;
use kaito_api::v1beta1::Fusion;

use super::{PORT, volumes};
use crate::ragengine::dereference::REMOTE_EMBEDDING_SECRET;
use crate::ragengine::engine::{Embedding, Engine, Guardrails, LanguageModel, Retrieval, Storage};

/// The variables, in an order that does not change.
pub(crate) fn environment(engine: &Engine) -> Vec<EnvVar> {
    let mut all = vec![
        plain("RAG_LISTEN_ADDRESS", format!("0.0.0.0:{PORT}")),
        plain("RAG_LOG_FORMAT", "json"),
    ];
    all.extend(embedding(&engine.embedding));
    all.extend(storage(&engine.storage));
    let home = volumes::home(engine);
    all.push(plain("RAG_DATA_DIR", format!("{home}/data")));
    all.push(plain("DEFAULT_VECTOR_DB_PERSIST_DIR", format!("{home}/snapshots")));
    all.push(plain("RAG_ALLOW_MODEL_DOWNLOAD", "true"));
    all.push(plain("HF_HOME", format!("{home}/models")));
    all.extend(engine.model.as_ref().map(language_model).unwrap_or_default());
    all.extend(guardrails(&engine.guardrails));
    all.extend(retrieval(&engine.retrieval));
    if engine.api_keys.is_some() {
        all.push(plain("RAG_API_KEYS_DIR", volumes::API_KEYS_PATH));
    }
    all
}

fn embedding(embedding: &Embedding) -> Vec<EnvVar> {
    match embedding {
        Embedding::Local { model, token } => [
            Some(plain("EMBEDDING_TYPE", "local")),
            model.as_ref().map(|model| plain("MODEL_ID", model)),
            token
                .as_ref()
                .map(|name| secret("HF_TOKEN", name, keys::HUGGING_FACE_TOKEN)),
        ]
        .into_iter()
        .flatten()
        .collect(),
        Embedding::Remote { url, secret: name } => [
            Some(plain("EMBEDDING_TYPE", "remote")),
            Some(plain("REMOTE_EMBEDDING_URL", url)),
            name.as_ref()
                .map(|name| secret("REMOTE_EMBEDDING_ACCESS_SECRET", name, REMOTE_EMBEDDING_SECRET)),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

fn storage(storage: &Storage) -> Vec<EnvVar> {
    let Some(database) = &storage.database else {
        return vec![plain("VECTOR_DB_TYPE", "faiss")];
    };
    let mut all = vec![plain("VECTOR_DB_TYPE", &database.engine)];
    if storage.is_external() {
        all.push(plain("VECTOR_DB_URL", &database.url));
        let key = keys::VECTOR_DB_ACCESS_SECRET;
        all.extend(
            database
                .secret
                .as_ref()
                .map(|name| secret("VECTOR_DB_ACCESS_SECRET", name, key)),
        );
    }
    all
}

fn language_model(model: &LanguageModel) -> Vec<EnvVar> {
    [
        Some(plain("LLM_INFERENCE_URL", &model.url)),
        model
            .window
            .map(|window| plain("LLM_CONTEXT_WINDOW", window.to_string())),
        model
            .secret
            .as_ref()
            .map(|name| secret("LLM_ACCESS_SECRET", name, keys::LLM_ACCESS_SECRET)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn guardrails(guardrails: &Guardrails) -> Vec<EnvVar> {
    match guardrails {
        Guardrails::Unsaid => Vec::new(),
        Guardrails::Off => vec![plain("OUTPUT_GUARDRAILS_ENABLED", "false")],
        Guardrails::By { .. } => vec![
            plain("OUTPUT_GUARDRAILS_ENABLED", "true"),
            plain("OUTPUT_GUARDRAILS_POLICY_PATH", volumes::policy_file()),
        ],
    }
}

fn retrieval(retrieval: &Retrieval) -> Vec<EnvVar> {
    let fusion = retrieval.fusion.map(|fusion| match fusion {
        Fusion::Weighted => "weighted",
        Fusion::ReciprocalRank => "rrf",
    });
    [
        fusion.map(|fusion| plain("RAG_FUSION", fusion)),
        retrieval
            .dense_weight
            .map(|weight| plain("RAG_FUSION_DENSE_WEIGHT", weight.to_string())),
        retrieval.max_top_k.map(|most| plain("RAG_MAX_TOP_K", most.to_string())),
        retrieval
            .similarity_threshold
            .map(|threshold| plain("RAG_SIMILARITY_THRESHOLD", threshold.to_string())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn plain(name: &str, value: impl Into<String>) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.into()),
        value_from: None,
    }
}

fn secret(name: &str, secret: &str, key: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: secret.to_owned(),
                key: key.to_owned(),
                optional: None,
            }),
            ..EnvVarSource::default()
        }),
    }
}
