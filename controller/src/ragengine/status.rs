//! What an engine's status says. Pure.

mod inference;
mod pods;
mod report;

use k8s_openapi::api::apps::v1::Deployment;
use kaito_api::v1beta1::{IndexesStatus, InferenceStatus, RAGEngine};

pub(crate) use report::Report;

use super::dereference::{References, Role, VolumeClaimState, server};
use super::engine::Engine;
use super::machines;
use super::validate::InvalidEngine;
use crate::apply::ApplyError;
use crate::conditions::Finding;
use crate::work::InputProblem;

/// Types of conditions, in the order in which they are shown.
pub(crate) mod types {
    pub(crate) const NODE_CLAIM: &str = "NodeClaimReady";
    pub(crate) const RESOURCE: &str = "ResourceReady";
    pub(crate) const SERVICE: &str = "ServiceReady";
    pub(crate) const INFERENCE: &str = "InferenceReady";
    pub(crate) const EPHEMERAL: &str = "Ephemeral";
    pub(crate) const SUCCEEDED: &str = "RAGEngineSucceeded";
    pub(crate) const READY: &str = "Ready";
}

/// What was found out about an engine that could be built.
pub(crate) struct Observation<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// What it refers to.
    pub references: &'a References,
    /// Its machine.
    pub machine: &'a machines::Plan,
    /// Its Deployment, or why there is none.
    pub deployment: Result<&'a Deployment, &'a ApplyError>,
    /// What the service last told of its indexes.
    pub indexes: Option<IndexesStatus>,
}

impl Observation<'_> {
    /// The status that follows.
    pub(crate) fn report(&self, resource: &RAGEngine) -> Report {
        let mut findings = Vec::new();
        if let Some(claim) = &self.machine.claim {
            findings.push((types::NODE_CLAIM, claim.clone()));
        }
        let resources = &self.machine.resources;
        let service = self.service();
        let inference = inference::finding(resource, self.references);
        let service_of_model = resource.spec.inference_service.as_ref();
        let needs_model = server(resource).is_some() || service_of_model.is_some_and(|service| service.url().is_some());
        let parts = [Some(resources), Some(&service), needs_model.then_some(&inference)];
        let ready = ready(parts.into_iter().flatten());
        let succeeded = match ready_of(&[resources, &service]) {
            None => Finding::holds("ragengineSucceeded", "ragengine succeeds"),
            Some(cause) => Finding::fails("ragengineFailed", cause.message.clone()),
        };
        findings.extend([
            (types::RESOURCE, resources.clone()),
            (types::SERVICE, service.clone()),
            (types::INFERENCE, inference),
            (types::EPHEMERAL, ephemeral(self.engine)),
            (types::SUCCEEDED, succeeded),
            (types::READY, ready),
        ]);
        Report {
            findings,
            worker_nodes: self.machine.worker_nodes.clone(),
            url: Some(format!("http://{}.{}.svc", self.engine.name, self.engine.namespace)),
            indexes: self.indexes,
            inference: self.inference(),
        }
    }

    /// Whether pods answer.
    fn service(&self) -> Finding {
        let deployment = match self.deployment {
            Ok(deployment) => deployment,
            Err(ApplyError::Foreign { .. }) => return Finding::fails("NameTaken", self.refusal()),
            Err(ApplyError::Refuse { .. }) => return Finding::fails("Refused", self.refusal()),
        };
        if let Some(missing) = missing_input(self.references, |role| role != Role::LanguageModel) {
            return missing;
        }
        match &self.references.volume_claim {
            Some(VolumeClaimState::Missing { name }) => Finding::fails(
                "PersistentVolumeClaimNotFound",
                format!("PersistentVolumeClaim {name:?} of storage.persistentVolume does not exist: create it"),
            ),
            Some(VolumeClaimState::Found { phase }) if phase == "Lost" => Finding::fails(
                "PersistentVolumeClaimLost",
                "the volume of storage.persistentVolume is gone: bind its PersistentVolumeClaim to another one",
            ),
            _ => pods::finding(deployment, &self.references.live.pods),
        }
    }

    fn refusal(&self) -> String {
        self.deployment.err().map(ToString::to_string).unwrap_or_default()
    }

    fn inference(&self) -> Option<InferenceStatus> {
        let model = self.engine.model.as_ref()?;
        Some(InferenceStatus {
            url: Some(model.url.clone()),
            model: inference::served_model(self.references),
            context_window: model.window.and_then(|window| i64::try_from(window).ok()),
        })
    }
}

/// The status of an engine that asks for something that cannot be built.
pub(crate) fn invalid(problem: &InvalidEngine) -> Report {
    Report::of(vec![(types::READY, Finding::fails("InvalidSpec", problem.to_string()))])
}

/// The status of an engine that cannot be decoded.
pub(crate) fn undecodable(words: &str) -> Report {
    let message = format!("the object cannot be read, correct it: {words}");
    Report::of(vec![(types::READY, Finding::fails("InvalidSpec", message))])
}

/// A Secret or ConfigMap that pods of this engine need and that is not there.
fn missing_input(references: &References, concerns: impl Fn(Role) -> bool) -> Option<Finding> {
    let missing = references.inputs.iter().filter(|input| concerns(input.role));
    missing
        .filter_map(|input| Some((input, input.problem()?)))
        .map(|(input, problem)| {
            let (kind, name) = (input.kind.as_str(), &input.name);
            match (problem, input.key) {
                (InputProblem::NoKey, Some(key)) => Finding::fails(
                    &format!("{kind}KeyNotFound"),
                    format!("{kind} {name:?} has no key {key:?}: add it"),
                ),
                (InputProblem::NoKey, None) => {
                    Finding::fails(&format!("{kind}Empty"), format!("{kind} {name:?} has no keys: add one"))
                }
                (InputProblem::Missing, _) => Finding::fails(
                    &format!("{kind}NotFound"),
                    format!(
                        "{kind} {name:?}, for {}, does not exist: create it",
                        input.role.as_str()
                    ),
                ),
            }
        })
        .next()
}

fn ephemeral(engine: &Engine) -> Finding {
    if engine.storage.is_external() {
        Finding::fails("ExternalDatabase", "indexes are in the vector database")
    } else if engine.storage.is_persistent() {
        Finding::fails("PersistentVolume", "indexes are on a persistent volume")
    } else {
        let message = "indexes are lost when the pod ends: name a PersistentVolumeClaim in storage.persistentVolume to keep \
                       them";
        Finding::holds("NoPersistentVolume", message)
    }
}

fn ready_of<'a>(parts: &[&'a Finding]) -> Option<&'a Finding> {
    parts.iter().find(|part| !part.is_true()).copied()
}

fn ready<'a>(parts: impl Iterator<Item = &'a Finding>) -> Finding {
    let parts: Vec<_> = parts.collect();
    match ready_of(&parts) {
        None => Finding::holds("AllReady", "everything that the engine asks for is ready"),
        Some(cause) => Finding {
            truth: crate::conditions::Truth::False,
            ..cause.clone()
        },
    }
}

#[cfg(test)]
mod tests;
