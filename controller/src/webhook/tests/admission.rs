//! Requests for admission.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kaito_api::admission::{Cloud, Environment, InstanceTypes, Load, Preset, PresetFacts};
use kube::Client;
use serde_json::{Value, json};

use super::names;
use crate::webhook::PresetFactsSource;
use crate::webhook::admission::{Reviewer, Subject};

/// As the chart starts the controller.
pub(super) fn environment() -> Environment {
    Environment {
        instance_types: InstanceTypes {
            cloud: Cloud::Azure,
            names: names(&["Standard_NV36ads_A10_v5"]),
        },
        node_auto_provisioning: true,
        node_classes: None,
        vllm: true,
        mig: false,
        accelerator: false,
    }
}

struct Presets;

impl PresetFactsSource for Presets {
    fn preset(&self, name: &str) -> Preset {
        if name != "phi-4" {
            return Preset::Unknown;
        }
        Preset::Known(PresetFacts {
            download_at_runtime: true,
            needs_token: false,
            transformers: true,
            adapters: true,
            tunable: true,
            token_limit: Some(4096),
        })
    }

    fn fit(&self, load: &Load<'_>, context_tokens: Option<u64>) -> Result<(), String> {
        match (load.nodes.get(), context_tokens) {
            (1, None | Some(..=5000)) => Ok(()),
            (nodes, context_tokens) => Err(format!("{nodes} of {:?} for {context_tokens:?}", load.machine)),
        }
    }
}

/// Stands in for the API server: namespace `ml` has the ConfigMap `good`, and `closed` may not be read.
async fn config_map(Path((namespace, name)): Path<(String, String)>) -> Response {
    let refused = |code: StatusCode, reason: &str| {
        let status = json!({
            "apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason, "message": reason,
            "code": code.as_u16(),
        });
        (code, axum::Json(status)).into_response()
    };
    match (namespace.as_str(), name.as_str()) {
        ("closed", _) => refused(StatusCode::FORBIDDEN, "Forbidden"),
        ("ml", "long") => axum::Json(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
            "data": {"inference_config.yaml": "vllm: {max-model-len: '6000'}"},
        }))
        .into_response(),
        ("ml", "good") => axum::Json(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
            "data": {"guardrails.yaml": "", "inference_config.yaml": "vllm: {max-model-len: 5000}"},
        }))
        .into_response(),
        _ => refused(StatusCode::NOT_FOUND, "NotFound"),
    }
}

pub(super) fn reviewer() -> Reviewer {
    let server = Router::new().route("/api/v1/namespaces/{namespace}/configmaps/{name}", get(config_map));
    let client = Client::new(server, "default");
    Reviewer::new(client, environment(), "release".to_owned(), Arc::new(Presets))
}

fn engine(namespace: &str, spec: &Value) -> Value {
    let mut complete = json!({"embedding": {"local": {"modelID": "BAAI/bge-small-en-v1.5"}}});
    for (name, value) in spec.as_object().unwrap() {
        complete[name] = value.clone();
    }
    json!({
        "apiVersion": "kaito.sh/v1beta1", "kind": "RAGEngine", "metadata": {"name": "e", "namespace": namespace},
        "spec": complete,
    })
}

fn workspace(inference: &Value) -> Value {
    json!({
        "apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": "w", "namespace": "ml"},
        "resource": {"instanceType": "Standard_NV36ads_A10_v5", "labelSelector": {}}, "inference": inference,
    })
}

fn request(operation: &str, new: Option<&Value>, old: Option<&Value>) -> Vec<u8> {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u", "operation": operation, "name": "e", "namespace": "ml", "userInfo": {},
            "kind": {"group": "kaito.sh", "version": "v1beta1", "kind": "RAGEngine"},
            "resource": {"group": "kaito.sh", "version": "v1beta1", "resource": "ragengines"},
            "object": new, "oldObject": old, "dryRun": true, "options": null,
        },
    })
    .to_string()
    .into_bytes()
}

/// The message of a refusal; `None` if the object is let in.
async fn asked(subject: Subject, new: &Value, old: Option<&Value>) -> Option<String> {
    let operation = if old.is_some() { "UPDATE" } else { "CREATE" };
    let body = request(operation, Some(new), old);
    let answer = serde_json::to_value(reviewer().review(subject, &body).await.unwrap()).unwrap();
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["kind"], "AdmissionReview");
    let response = &answer["response"];
    assert_eq!(response["uid"], "u");
    if response["allowed"] == true {
        return None;
    }
    assert_eq!(response["status"]["code"], 422);
    assert_eq!(response["status"]["reason"], "Invalid");
    assert_eq!(response["status"]["status"], "Failure");
    Some(response["status"]["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let good = engine("ml", &json!({}));
    assert_eq!(asked(Subject::RAGEngine, &good, None).await, None);
    let bad = engine(
        "ml",
        &json!({
            "compute": {"instanceType": "Standard_Bad", "labelSelector": {}},
            "guardrails": {"enabled": true, "configMapRef": {"name": "gone"}},
        }),
    );
    let message = asked(Subject::RAGEngine, &bad, None).await.unwrap();
    let (first, second) = message.split_once("; spec.guardrails.configMapRef.name: ").unwrap();
    assert!(
        first.starts_with("spec.compute.instanceType: Unsupported instance type Standard_Bad"),
        "{first}"
    );
    assert!(
        second.starts_with("guardrails ConfigMap \"gone\" does not exist"),
        "{second}"
    );
}

#[tokio::test]
async fn the_old_version_is_read_as_the_new_one() {
    let mut old = engine(
        "ml",
        &json!({"compute": {"instanceType": "Standard_Bad", "labelSelector": {}}}),
    );
    old["apiVersion"] = json!("kaito.sh/v1alpha1");
    let message = asked(Subject::RAGEngine, &old, None).await.unwrap();
    assert!(message.contains("Standard_Bad"), "{message}");
}

#[tokio::test]
async fn a_policy_is_looked_up_when_it_is_named_and_not_again() {
    let with = |namespace: &str, guardrails: Value| engine(namespace, &json!({"guardrails": guardrails}));
    let ask = async |new: &Value, old: Option<&Value>| asked(Subject::RAGEngine, new, old).await;
    let named = |name: &str| with("ml", json!({"enabled": true, "configMapRef": {"name": name}}));
    assert_eq!(ask(&named("good"), None).await, None);
    assert!(ask(&named("gone"), None).await.unwrap().contains("does not exist"));
    assert!(ask(&named("gone"), Some(&named("good"))).await.is_some());
    let mut changed = named("gone");
    changed["spec"]["replicas"] = json!(1);
    assert_eq!(ask(&changed, Some(&named("gone"))).await, None);
    let closed = with("closed", json!({"enabled": true, "configMapRef": {"name": "p"}}));
    let message = ask(&closed, None).await.unwrap();
    assert!(message.contains("could not be read: Forbidden;"), "{message}");
    let default = with("ml", json!({"enabled": true}));
    let message = ask(&default, None).await.unwrap();
    assert!(message.contains("in namespace \"release\""), "{message}");
}

#[tokio::test]
async fn options_of_a_workspace_are_looked_at_when_they_are_named_and_not_again() {
    let ask = async |new: &Value, old: Option<&Value>| asked(Subject::Workspace, new, old).await;
    let with = |config: &str| workspace(&json!({"preset": {"name": "phi-4"}, "config": config}));
    assert_eq!(ask(&workspace(&json!({"preset": {"name": "phi-4"}})), None).await, None);
    assert_eq!(asked(Subject::Workspace, &with(""), None).await, None);
    let message = asked(Subject::Workspace, &with("gone"), None).await.unwrap();
    assert!(
        message.contains("inference.config: ConfigMap \"gone\" does not exist in namespace \"ml\""),
        "{message}"
    );
    assert!(
        message.contains("kubectl create configmap gone -n ml --from-file=inference_config.yaml="),
        "{message}"
    );
    let message = asked(Subject::Workspace, &with("good"), None).await.unwrap();
    assert!(message.contains("more than the model's limit of 4096"), "{message}");
    let mut changed = with("gone");
    changed["inference"]["adapters"] = json!([{"source": {"name": "a", "image": "i"}}]);
    assert_eq!(ask(&changed, Some(&with("gone"))).await, None);
    let mut transformers = with("gone");
    transformers["metadata"]["annotations"] = json!({"kaito.sh/runtime": "transformers"});
    assert_eq!(ask(&transformers, None).await, None);
    // Both things that are wrong are told.
    let unknown = workspace(&json!({"preset": {"name": "foo"}, "config": "gone"}));
    let message = asked(Subject::Workspace, &unknown, None).await.unwrap();
    assert!(
        message.contains("Unsupported inference preset name foo") && message.contains("\"gone\""),
        "{message}"
    );
}

#[tokio::test]
async fn a_model_that_does_not_fit_is_refused_when_it_is_made() {
    let with = |config: &str, count: u32| {
        let mut workspace = workspace(&json!({"preset": {"name": "phi-4"}, "config": config}));
        workspace["resource"]["count"] = json!(count);
        workspace
    };
    let machine = "InstanceType(\"Standard_NV36ads_A10_v5\")";
    let message = asked(Subject::Workspace, &with("long", 1), None).await.unwrap();
    let expected = format!(
        "resource.instanceType: phi-4 does not fit: 1 of {machine} for Some(6000); to try it nevertheless, set the \
         annotation kaito.sh/bypass-resource-checks"
    );
    assert!(message.ends_with(&expected), "{message}");
    let message = asked(Subject::Workspace, &with("", 2), None).await.unwrap();
    assert!(message.contains(&format!("2 of {machine} for None")), "{message}");
    assert_eq!(asked(Subject::Workspace, &with("", 2), Some(&with("", 2))).await, None);
    let mut bypassed = with("", 2);
    bypassed["metadata"]["annotations"] = json!({"kaito.sh/bypass-resource-checks": ""});
    assert_eq!(asked(Subject::Workspace, &bypassed, None).await, None);
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_refused_in_words() {
    let mut wrong = engine("ml", &json!({"replicas": "many"}));
    let message = asked(Subject::RAGEngine, &wrong, None).await.unwrap();
    assert!(
        message.starts_with("the object cannot be read as RAGEngine: invalid type: string"),
        "{message}"
    );
    let good = engine("ml", &json!({}));
    // Whoever repairs an object obeys the rules of creation.
    assert_eq!(asked(Subject::RAGEngine, &good, Some(&wrong)).await, None);
    // And it can always be deleted.
    wrong["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(asked(Subject::RAGEngine, &wrong, Some(&wrong)).await, None);
    let message = asked(Subject::Workspace, &good, None).await.unwrap();
    assert_eq!(
        message,
        "this webhook is for Workspace, and the object is a \"RAGEngine\""
    );
}

#[tokio::test]
async fn other_operations_are_let_through() {
    let reviewer = reviewer();
    let old = engine("ml", &json!({}));
    let body = request("DELETE", None, Some(&old));
    let answer = reviewer.review(Subject::RAGEngine, &body).await.unwrap();
    assert!(answer.response.unwrap().allowed);
}

#[tokio::test]
async fn what_is_no_review_is_told_so() {
    let review = "{\"apiVersion\": \"admission.k8s.io/v1\", \"kind\": \"AdmissionReview\"}";
    for body in ["", "{}", review] {
        let reason = reviewer()
            .review(Subject::RAGEngine, body.as_bytes())
            .await
            .err()
            .unwrap();
        assert!(reason.starts_with("this is no AdmissionReview: "), "{reason}");
    }
}
