use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::*;
use crate::ragengine::dereference::{Input, InputKind, Machines, Served, WorkspaceState};
use crate::ragengine::testing::{engine, settings};
use crate::ragengine::validate::validate;

fn deployment(ready: i32) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": "docs", "generation": 2},
        "spec": {"replicas": 1, "selector": {}, "template": {}},
        "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": ready},
    }))
    .unwrap()
}

fn pod(status: &Value) -> Arc<Pod> {
    Arc::new(serde_json::from_value(json!({"metadata": {"name": "docs-1"}, "status": status})).unwrap())
}

fn report(spec: &Value, references: &References, deployment: &Deployment) -> Report {
    let resource = engine(spec);
    let machine = machines::plan(&resource, &Machines::default(), &[], &settings());
    let valid = validate(&resource, references, 1, &settings()).unwrap();
    let observation = Observation {
        engine: &valid,
        references,
        machine: &machine,
        deployment: Ok(deployment),
        indexes: None,
    };
    observation.report(&resource)
}

fn local() -> Value {
    json!({"embedding": {"local": {"modelID": "a/b"}}})
}

fn with_pod(status: &Value) -> References {
    let mut references = References::default();
    references.live.pods = vec![pod(status)];
    references
}

fn said(report: &Report, type_: &str) -> (String, String, String) {
    let finding = report.finding(type_).unwrap();
    (
        finding.truth.as_str().to_owned(),
        finding.reason.clone(),
        finding.message.clone(),
    )
}

#[test]
fn an_engine_that_only_retrieves_is_ready_without_a_model() {
    let report = report(&local(), &References::default(), &deployment(1));
    assert_eq!(said(&report, "Ready").0, "True");
    assert_eq!(said(&report, "RAGEngineSucceeded").0, "True");
    assert_eq!(said(&report, "InferenceReady").1, "NotConfigured");
    assert_eq!(said(&report, "Ephemeral").0, "True");
    assert_eq!(report.url.as_deref(), Some("http://docs.ml.svc"));
}

#[test]
fn a_deployment_that_has_not_been_looked_at_or_still_has_old_pods_is_not_ready() {
    let mut unseen = deployment(1);
    unseen.metadata.generation = Some(3);
    let mut old = deployment(1);
    old.status.as_mut().unwrap().updated_replicas = Some(0);
    for deployment in [unseen, old] {
        let report = report(&local(), &References::default(), &deployment);
        assert_eq!(said(&report, "ServiceReady").1, "PodsPending");
        assert_eq!(said(&report, "Ready").0, "False");
    }
}

#[test]
fn the_reason_of_a_pod_that_does_not_run_reaches_the_condition() {
    let waiting = |reason: &str, message: &str| json!({"waiting": {"reason": reason, "message": message}});
    let container = |state: &Value, last: &Value| {
        json!({"containerStatuses": [{
            "name": "docs", "image": "i", "imageID": "", "ready": false, "restartCount": 1, "state": state, "lastState": last,
        }]})
    };
    let crashed = json!({"terminated": {
        "exitCode": 2, "reason": "Error", "message": "error: qdrant is not supported yet; use faiss\n",
    }});
    for (status, reason, words) in [
        (
            container(&waiting("ImagePullBackOff", "no such image"), &json!({})),
            "ImagePullBackOff",
            "no such image",
        ),
        (
            container(&waiting("CrashLoopBackOff", "back-off 10s"), &crashed),
            "CrashLoopBackOff",
            "qdrant is not supported",
        ),
        (
            container(
                &waiting("CreateContainerConfigError", "secret \"x\" not found"),
                &json!({}),
            ),
            "CreateContainerConfigError",
            "secret \"x\" not found",
        ),
        (container(&crashed, &json!({})), "Error", "exit code 2"),
        (
            json!({"conditions": [{
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available",
            }]}),
            "Unschedulable",
            "0/3 nodes",
        ),
        (
            json!({"phase": "Failed", "reason": "Evicted", "message": "disk"}),
            "Evicted",
            "disk",
        ),
        (
            container(&waiting("ContainerCreating", ""), &json!({})),
            "PodsPending",
            "0 of 1",
        ),
    ] {
        let report = report(&local(), &with_pod(&status), &deployment(0));
        let (truth, found, message) = said(&report, "ServiceReady");
        assert_eq!((truth.as_str(), found.as_str()), ("False", reason));
        assert!(message.contains(words), "{message}");
        assert_eq!(said(&report, "Ready").2, message, "Ready says the cause");
    }
}

#[test]
fn a_missing_secret_is_named_with_the_condition_that_it_concerns() {
    let spec = json!({
        "embedding": {"local": {"modelID": "a/b"}},
        "inferenceService": {"url": "http://llm/v1", "accessSecret": "llm", "contextWindowSize": 512},
    });
    let missing = |role: Role, name: &str, problem| References {
        inputs: vec![Input::new(role, InputKind::Secret, name, Err(problem))],
        ..References::default()
    };
    let model = report(
        &spec,
        &missing(Role::LanguageModel, "llm", InputProblem::Missing),
        &deployment(1),
    );
    assert_eq!(said(&model, "InferenceReady").1, "SecretNotFound");
    assert!(said(&model, "Ready").2.contains("\"llm\""));
    assert_eq!(said(&model, "ServiceReady").0, "True", "pods go on retrieving");

    let token = report(
        &spec,
        &missing(Role::ModelDownload, "hf", InputProblem::NoKey),
        &deployment(1),
    );
    assert_eq!(said(&token, "ServiceReady").1, "SecretEmpty");
    assert!(said(&token, "ServiceReady").2.contains("\"hf\""));
}

#[test]
fn a_missing_volume_claim_is_named() {
    let references = References {
        volume_claim: Some(VolumeClaimState::Missing {
            name: "data".to_owned(),
        }),
        ..References::default()
    };
    let spec = json!({
        "embedding": {"local": {"modelID": "a/b"}},
        "storage": {"persistentVolume": {"persistentVolumeClaim": "data"}},
    });
    let report = report(&spec, &references, &deployment(0));
    assert_eq!(said(&report, "ServiceReady").1, "PersistentVolumeClaimNotFound");
    assert_eq!(said(&report, "Ephemeral").0, "False");
}

#[test]
fn every_state_of_a_workspace_has_its_reason() {
    let spec = json!({
        "embedding": {"local": {"modelID": "a/b"}},
        "inferenceService": {"workspaceRef": {"name": "phi"}},
    });
    let serves = |not_ready: Option<&str>| {
        WorkspaceState::Serves(Served {
            url: "http://phi.ml.svc/v1/chat/completions".to_owned(),
            model: Some("phi-4".to_owned()),
            window: Some(16_384),
            not_ready: not_ready.map(ToOwned::to_owned),
        })
    };
    for (state, truth, reason) in [
        (WorkspaceState::Missing { url: None }, "False", "WorkspaceNotFound"),
        (
            WorkspaceState::Forbids {
                namespace: "b".to_owned(),
            },
            "False",
            "WorkspaceNotAllowed",
        ),
        (
            WorkspaceState::CannotServe {
                reason: "it tunes".to_owned(),
            },
            "False",
            "WorkspaceDoesNotServe",
        ),
        (serves(Some("NodeNotReady: wait")), "False", "WorkspaceNotReady"),
        (serves(None), "True", "WorkspaceReady"),
    ] {
        let references = References {
            workspace: Some(state),
            ..References::default()
        };
        let report = report(&spec, &references, &deployment(1));
        let found = said(&report, "InferenceReady");
        assert_eq!((found.0.as_str(), found.1.as_str()), (truth, reason));
        assert_eq!(said(&report, "Ready").0, truth);
        assert_eq!(
            said(&report, "ServiceReady").0,
            "True",
            "the engine retrieves all the same"
        );
        if truth == "True" {
            let inference = report.inference.unwrap();
            assert_eq!(inference.model.as_deref(), Some("phi-4"));
            assert_eq!(inference.context_window, Some(16_384));
        }
    }
}
