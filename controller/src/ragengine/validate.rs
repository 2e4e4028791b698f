//! Checking what an engine asks for, once, so that builders cannot fail. Pure.
//!
//! The API server and the webhook have let the object in. It is looked at again because it may be older than their
//! rules, and because what builders take is typed.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kaito_api::names::annotations;
use kaito_api::v1beta1::{self, RAGEngine, RAGEngineSpec, ResourceSpec, ServiceType};
use kube::{Resource, ResourceExt};

use super::dereference::{GuardrailsSource, References, WorkspaceState};
use super::engine::{
    Embedding, Engine, Guardrails, LanguageModel, PodMetadata, Retrieval, Scheduling, Storage, VectorDatabase,
};
use crate::names::is_service_name;
use crate::settings::Settings;

/// Where an engine's volume is when it does not say.
const DEFAULT_MOUNT_PATH: &str = "/mnt/data";

/// Why an engine cannot be built. Each is the user's to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidEngine {
    /// The API server would not let a Service of this name in.
    #[error(
        "the name {0:?} cannot be a Service's: make a new engine whose name has at most 63 lower-case letters, digits \
         and hyphens and begins with a letter"
    )]
    UseName(String),
    /// Neither a local nor a remote embedding model, or both.
    #[error("set exactly one of embedding.local and embedding.remote")]
    ChooseEmbedding,
    /// More than one pod on one embedded index.
    #[error("replicas must be 1 unless storage.vectorDB names an external vector database")]
    ShareIndex,
    /// More than one model.
    #[error(
        "set only one of inferenceService.url, inferenceService.workspaceRef and inferenceService.workspaceTemplate"
    )]
    ChooseModel,
    /// No whole path, or one that cannot be mounted.
    #[error("storage.persistentVolume.mountPath {0:?} must be an absolute path without a colon")]
    MountVolume(String),
}

/// Checks an engine.
///
/// # Errors
///
/// It asks for something that cannot be built.
pub(crate) fn validate(
    engine: &RAGEngine,
    references: &References,
    revision: i64,
    settings: &Settings,
) -> Result<Engine, InvalidEngine> {
    let spec = &engine.spec;
    let name = service_name(engine)?;
    let embedding = embedding(spec)?;
    let storage = storage(spec)?;
    let replicas = spec.replicas.unwrap_or(1);
    if replicas > 1 && !storage.is_external() {
        return Err(InvalidEngine::ShareIndex);
    }
    let pod_template = spec.pod_template.clone().unwrap_or_default();
    Ok(Engine {
        owner: owner_reference(engine),
        namespace: engine.namespace().unwrap_or_default(),
        revision,
        image: spec
            .image
            .clone()
            .filter(|image| !image.is_empty())
            .unwrap_or_else(|| settings.image.clone()),
        replicas,
        resources: resources(spec, &embedding, settings),
        embedding,
        storage,
        model: language_model(spec, references)?,
        workspace: spec
            .inference_service
            .as_ref()
            .and_then(|service| service.workspace_template.clone()),
        guardrails: guardrails(spec, references),
        api_keys: spec.auth.as_ref().map(|auth| auth.secret_ref.name.clone()),
        retrieval: spec.retrieval.as_ref().map(retrieval).unwrap_or_default(),
        service_type: service_type(engine),
        network_policy: spec
            .network_policy
            .as_ref()
            .filter(|policy| policy.enabled)
            .map(|policy| policy.from.clone().unwrap_or_default()),
        pods: PodMetadata {
            labels: pod_template.labels.unwrap_or_default(),
            annotations: pod_template.annotations.unwrap_or_default(),
        },
        scheduling: Scheduling {
            node_labels: spec
                .compute
                .as_ref()
                .map(crate::scheduling::node_labels)
                .unwrap_or_default(),
            gpu_machines: spec.compute.is_some(),
            node_selector: pod_template.node_selector,
            tolerations: pod_template.tolerations.unwrap_or_default(),
            affinity: pod_template.affinity,
            spread: pod_template.topology_spread_constraints,
            priority_class: pod_template.priority_class_name,
        },
        inputs: references.digests(),
        name,
    })
}

/// What everything that is made for an engine refers to.
pub(crate) fn owner_reference(engine: &RAGEngine) -> OwnerReference {
    OwnerReference {
        api_version: RAGEngine::api_version(&()).into_owned(),
        kind: RAGEngine::kind(&()).into_owned(),
        name: engine.name_any(),
        uid: engine.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

fn service_name(engine: &RAGEngine) -> Result<String, InvalidEngine> {
    let name = engine.name_any();
    if is_service_name(&name, 63) {
        Ok(name)
    } else {
        Err(InvalidEngine::UseName(name))
    }
}

fn filled(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

fn embedding(spec: &RAGEngineSpec) -> Result<Embedding, InvalidEngine> {
    match (&spec.embedding.local, &spec.embedding.remote) {
        (Some(local), None) => Ok(Embedding::Local {
            model: filled(local.model_id.as_ref()),
            token: filled(local.model_access_secret.as_ref()),
        }),
        (None, Some(remote)) => Ok(Embedding::Remote {
            url: remote.url.clone(),
            secret: filled(remote.access_secret.as_ref()),
        }),
        _ => Err(InvalidEngine::ChooseEmbedding),
    }
}

fn storage(spec: &RAGEngineSpec) -> Result<Storage, InvalidEngine> {
    let volume = spec
        .storage
        .as_ref()
        .and_then(|storage| storage.persistent_volume.as_ref());
    let path = volume.and_then(|volume| filled(volume.mount_path.as_ref()));
    let path = path.unwrap_or_else(|| DEFAULT_MOUNT_PATH.to_owned());
    if !path.starts_with('/') || path.contains(':') || path.trim_end_matches('/').is_empty() {
        return Err(InvalidEngine::MountVolume(path));
    }
    let database = spec.storage.as_ref().and_then(|storage| storage.vector_db.as_ref());
    Ok(Storage {
        volume_claim: volume.and_then(|volume| filled(Some(&volume.persistent_volume_claim))),
        mount_path: path.trim_end_matches('/').to_owned(),
        database: database
            .filter(|database| !database.engine.is_empty())
            .map(|database| VectorDatabase {
                engine: database.engine.to_ascii_lowercase(),
                url: database.url.clone(),
                secret: filled(database.access_secret.as_ref()),
            }),
    })
}

fn language_model(spec: &RAGEngineSpec, references: &References) -> Result<Option<LanguageModel>, InvalidEngine> {
    let Some(service) = &spec.inference_service else {
        return Ok(None);
    };
    let window = service
        .context_window_size
        .and_then(|window| u64::try_from(window).ok());
    let secret = filled(service.access_secret.as_ref());
    match (service.url(), &service.workspace_ref, &service.workspace_template) {
        (None, None, None) => Ok(None),
        (Some(url), None, None) => Ok(Some(LanguageModel {
            url: url.to_owned(),
            secret,
            window,
        })),
        (None, Some(_), None) | (None, None, Some(_)) => Ok(match &references.workspace {
            Some(WorkspaceState::Serves(served)) => Some(LanguageModel {
                url: served.url.clone(),
                secret,
                window: window.or(served.window),
            }),
            // Its URL follows from its name, so pods need not be replaced when it appears.
            Some(WorkspaceState::Missing { url: Some(url) }) => Some(LanguageModel {
                url: url.clone(),
                secret,
                window: window.or(references.live.window),
            }),
            _ => None,
        }),
        _ => Err(InvalidEngine::ChooseModel),
    }
}

fn guardrails(spec: &RAGEngineSpec, references: &References) -> Guardrails {
    match (&spec.guardrails, &references.guardrails) {
        (None, _) => Guardrails::Unsaid,
        (Some(guardrails), _) if !guardrails.enabled => Guardrails::Off,
        (Some(_), Some(GuardrailsSource::Named { config_map })) => Guardrails::By {
            config_map: config_map.clone(),
            copy: None,
        },
        (Some(_), Some(GuardrailsSource::Copied { config_map, policy })) => Guardrails::By {
            config_map: config_map.clone(),
            copy: policy.clone(),
        },
        // Guardrails without a policy must not become no guardrails: pods then wait for the ConfigMap.
        (Some(_), None) => Guardrails::By {
            config_map: super::dereference::copy_name(&references.name),
            copy: None,
        },
    }
}

fn retrieval(spec: &v1beta1::RetrievalSpec) -> Retrieval {
    Retrieval {
        fusion: spec.fusion,
        dense_weight: spec.dense_weight,
        max_top_k: spec.max_top_k,
        similarity_threshold: spec.similarity_threshold,
    }
}

/// What the user says, else the machine's GPUs for a local model, else a little CPU and memory.
fn resources(spec: &RAGEngineSpec, embedding: &Embedding, settings: &Settings) -> ResourceRequirements {
    use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
    if let Some(resources) = &spec.resources {
        return ResourceRequirements {
            requests: resources.requests.clone(),
            limits: resources.limits.clone(),
            claims: None,
        };
    }
    let gpus = requested_gpus(spec, settings).filter(|_| matches!(embedding, Embedding::Local { .. }));
    if let Some(gpus) = gpus {
        let gpus = BTreeMap::from([("nvidia.com/gpu".to_owned(), Quantity(gpus.to_string()))]);
        return ResourceRequirements {
            requests: Some(gpus.clone()),
            limits: Some(gpus),
            claims: None,
        };
    }
    let amount = |name: &str, amount: &str| (name.to_owned(), Quantity(amount.to_owned()));
    ResourceRequirements {
        requests: Some(BTreeMap::from([amount("cpu", "500m"), amount("memory", "512Mi")])),
        limits: None,
        claims: None,
    }
}

/// GPUs of the machine type that the engine names, if it has some.
pub(crate) fn requested_gpus(spec: &RAGEngineSpec, settings: &Settings) -> Option<u32> {
    let instance_type = spec.compute.as_ref().and_then(ResourceSpec::instance_type)?;
    settings.gpus_of(instance_type)
}

fn service_type(engine: &RAGEngine) -> ServiceType {
    let annotated = engine
        .annotations()
        .get(annotations::ENABLE_LOAD_BALANCER)
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    engine.spec.service_type.unwrap_or(if annotated {
        ServiceType::LoadBalancer
    } else {
        ServiceType::ClusterIP
    })
}
