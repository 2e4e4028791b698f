//! Looking up what an engine refers to. The only step that reads the cluster.
//!
//! Most of it comes out of the caches that watches keep. Secrets and ConfigMaps are watched by their metadata only and
//! read by name, once for each version of them; nothing but digests and the guardrails policy is kept.

mod inputs;
mod workspace;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Node, PersistentVolumeClaim, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kaito_api::names::{DEFAULT_GUARDRAILS_CONFIG_MAP, keys};
use kaito_api::v1beta1::{RAGEngine, Workspace};
use kube::ResourceExt;
use kube::core::DynamicObject;
use kube::runtime::reflector::ObjectRef;

#[cfg(test)]
pub(crate) use inputs::InputKind;
pub(crate) use inputs::{Input, Inputs, REMOTE_EMBEDDING_SECRET, Role, secrets};
#[cfg(test)]
pub(crate) use workspace::Served;
pub(crate) use workspace::{WorkspaceState, own_workspace_name, server};

use super::caches::{Caches, is_of};
use crate::settings::Settings;
use crate::work::ReadError;

/// What an engine refers to, as it is now.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// Name of the engine.
    pub name: String,
    /// Secrets and ConfigMaps that its pods read.
    pub inputs: Vec<Input>,
    /// The ConfigMap of its guardrails policy.
    pub guardrails: Option<GuardrailsSource>,
    /// The PersistentVolumeClaim that it names.
    pub volume_claim: Option<VolumeClaimState>,
    /// The Workspace that it names.
    pub workspace: Option<WorkspaceState>,
    /// Machines that are, or could be, its own.
    pub machines: Machines,
    /// What was made for it before.
    pub live: Live,
}

/// Where the guardrails policy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GuardrailsSource {
    /// In a ConfigMap of the engine's namespace that is not ours.
    Named {
        /// Its name.
        config_map: String,
    },
    /// In the installation's namespace, of which the engine gets a copy.
    Copied {
        /// Name of the copy.
        config_map: String,
        /// The policy; `None` when it cannot be read now.
        policy: Option<String>,
    },
}

/// A PersistentVolumeClaim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum VolumeClaimState {
    /// It exists, in this phase.
    Found {
        /// `Pending`, `Bound` or `Lost`.
        phase: String,
    },
    /// It does not exist.
    Missing {
        /// Its name.
        name: String,
    },
}

/// Machines that are, or could be, an engine's own.
#[derive(Debug, Default)]
pub(crate) struct Machines {
    /// NodeClaims with the engine's labels.
    pub claims: Vec<Arc<DynamicObject>>,
    /// Whether there are NodeClaims in this cluster at all.
    pub claims_are_served: bool,
    /// All nodes with the labels that the engine asks for.
    pub nodes: Vec<Arc<Node>>,
}

/// What was made for an engine before.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// Its Deployment.
    pub deployment: Option<Arc<Deployment>>,
    /// Its Service.
    pub service: Option<Arc<Service>>,
    /// Its copy of the guardrails policy.
    pub policy: Option<ConfigMap>,
    /// Its NetworkPolicy.
    pub network_policy: Option<Arc<NetworkPolicy>>,
    /// Its PodDisruptionBudget.
    pub budget: Option<Arc<PodDisruptionBudget>>,
    /// The Workspace that was made for it.
    pub workspace: Option<Workspace>,
    /// Its pods.
    pub pods: Vec<Arc<Pod>>,
    /// Where its pods ask the language model.
    pub model_url: Option<String>,
    /// The context window that its pods were given.
    pub window: Option<u64>,
}

impl References {
    /// Digests of what pods read when they start, by what it is for. What cannot be read now has the digest that the
    /// pods were started with: they go on with what they have.
    pub(crate) fn digests(&self) -> BTreeMap<&'static str, String> {
        let earlier = self.live.deployment.as_ref().and_then(|deployment| {
            let template = deployment.spec.as_ref()?.template.metadata.as_ref()?;
            template.annotations.clone()
        });
        self.inputs
            .iter()
            .filter_map(|input| {
                let earlier = || earlier.as_ref()?.get(&input.role.annotation()).cloned();
                Some((
                    input.role.as_str(),
                    input.digest().map(ToOwned::to_owned).or_else(earlier)?,
                ))
            })
            .collect()
    }
}

/// Name of an engine's copy of the default guardrails policy.
pub(crate) fn copy_name(engine: &str) -> String {
    format!("{engine}-guardrails-policy")
}

/// Looks up what `engine` refers to.
///
/// # Errors
///
/// The API server does not answer.
pub(crate) async fn dereference(
    engine: &RAGEngine,
    caches: &Caches,
    inputs: &Inputs,
    settings: &Settings,
) -> Result<References, ReadError> {
    let name = engine.name_any();
    let namespace = engine.namespace().unwrap_or_default();
    let guardrails = guardrails(engine, &namespace, caches, inputs, settings).await?;
    let mut live = live(&name, &namespace, caches);
    live.workspace = own_workspace(engine, caches);
    if matches!(guardrails, Some(GuardrailsSource::Copied { .. }))
        || caches.has_config_map(&namespace, &copy_name(&name))
    {
        live.policy = inputs.config_map(&namespace, &copy_name(&name)).await?;
    }
    Ok(References {
        inputs: inputs.of(engine, guardrails.as_ref()).await?,
        guardrails,
        volume_claim: volume_claim(engine, &namespace, caches),
        workspace: workspace::find(engine, &namespace, live.model_url.as_ref(), caches, settings),
        machines: machines(engine, caches),
        live,
        name,
    })
}

/// A ConfigMap that the user names; else one of the default's name in the engine's namespace, which KAITO uses as it
/// is; else a copy of the default.
async fn guardrails(
    engine: &RAGEngine,
    namespace: &str,
    caches: &Caches,
    inputs: &Inputs,
    settings: &Settings,
) -> Result<Option<GuardrailsSource>, ReadError> {
    let Some(guardrails) = engine.spec.guardrails.as_ref().filter(|guardrails| guardrails.enabled) else {
        return Ok(None);
    };
    let reference = guardrails
        .config_map_ref
        .as_ref()
        .map(|reference| reference.name.as_str());
    if let Some(name) = reference.filter(|name| !name.is_empty()) {
        return Ok(Some(GuardrailsSource::Named {
            config_map: name.to_owned(),
        }));
    }
    if caches.has_config_map(namespace, DEFAULT_GUARDRAILS_CONFIG_MAP) {
        return Ok(Some(GuardrailsSource::Named {
            config_map: DEFAULT_GUARDRAILS_CONFIG_MAP.to_owned(),
        }));
    }
    let template = inputs
        .config_map(&settings.namespace, DEFAULT_GUARDRAILS_CONFIG_MAP)
        .await?;
    let policy = template.and_then(|template| template.data?.remove(keys::GUARDRAILS_POLICY));
    Ok(Some(GuardrailsSource::Copied {
        config_map: copy_name(&engine.name_any()),
        policy,
    }))
}

fn volume_claim(engine: &RAGEngine, namespace: &str, caches: &Caches) -> Option<VolumeClaimState> {
    let volume = engine.spec.storage.as_ref()?.persistent_volume.as_ref()?;
    let name = &volume.persistent_volume_claim;
    if name.is_empty() {
        return None;
    }
    let found = caches
        .volume_claims
        .get(&ObjectRef::<PersistentVolumeClaim>::new(name).within(namespace));
    Some(match found {
        Some(claim) => VolumeClaimState::Found {
            phase: claim
                .status
                .as_ref()
                .and_then(|status| status.phase.clone())
                .unwrap_or_default(),
        },
        None => VolumeClaimState::Missing { name: name.clone() },
    })
}

fn machines(engine: &RAGEngine, caches: &Caches) -> Machines {
    let Some(compute) = &engine.spec.compute else {
        return Machines::default();
    };
    let (name, namespace) = (engine.name_any(), engine.namespace().unwrap_or_default());
    let labels = crate::scheduling::node_labels(compute);
    Machines {
        claims: caches
            .node_claims
            .state_filter(|claim| is_of(claim.labels(), &name, &namespace)),
        claims_are_served: caches.node_claims_are_served(),
        nodes: caches
            .nodes
            .state_filter(|node| labels.iter().all(|(key, value)| node.labels().get(key) == Some(value))),
    }
}

/// The Workspace that was made for an engine.
fn own_workspace(engine: &RAGEngine, caches: &Caches) -> Option<Workspace> {
    let name = own_workspace_name(&engine.name_any());
    let reference = ObjectRef::new(&name).within(&engine.namespace().unwrap_or_default());
    let found = caches.workspaces.get(&reference)?.0.as_ref().ok()?.clone();
    let is_ours =
        |owner: &OwnerReference| owner.controller == Some(true) && Some(&owner.uid) == engine.metadata.uid.as_ref();
    found.owner_references().iter().any(is_ours).then_some(found)
}

fn live(name: &str, namespace: &str, caches: &Caches) -> Live {
    let deployment = caches.deployments.get(&ObjectRef::new(name).within(namespace));
    let variable = |name: &str| {
        let container = deployment
            .as_ref()?
            .spec
            .as_ref()?
            .template
            .spec
            .as_ref()?
            .containers
            .first()?;
        let variable = container.env.as_ref()?.iter().find(|variable| variable.name == name)?;
        variable.value.clone()
    };
    let (model_url, window) = (variable("LLM_INFERENCE_URL"), variable("LLM_CONTEXT_WINDOW"));
    Live {
        deployment,
        workspace: None,
        service: caches.services.get(&ObjectRef::new(name).within(namespace)),
        policy: None,
        network_policy: caches.network_policies.get(&ObjectRef::new(name).within(namespace)),
        budget: caches.budgets.get(&ObjectRef::new(name).within(namespace)),
        pods: caches.pods_of(name, namespace),
        model_url,
        window: window.and_then(|window| window.parse().ok()),
    }
}
