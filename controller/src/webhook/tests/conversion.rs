//! Requests for conversion.

use serde_json::{Value, json};

use crate::webhook::conversion::convert;

fn review(version: &str, objects: &Value) -> Vec<u8> {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview",
        "request": {"uid": "u", "desiredAPIVersion": version, "objects": objects},
    })
    .to_string()
    .into_bytes()
}

fn answer(body: &[u8]) -> Value {
    let answer = serde_json::to_value(convert(body).unwrap()).unwrap();
    assert_eq!(answer["apiVersion"], "apiextensions.k8s.io/v1");
    assert_eq!(answer["kind"], "ConversionReview");
    assert_eq!(answer["response"]["uid"], "u");
    answer["response"].clone()
}

#[test]
fn all_objects_are_converted_and_their_metadata_stay() {
    let metadata = json!({
        "name": "e", "namespace": "n", "uid": "1", "resourceVersion": "7", "generation": 3,
        "labels": {"a": "b"}, "annotations": {"c": "d"}, "finalizers": ["f"],
        "managedFields": [{"manager": "m", "unknown": 1}], "creationTimestamp": "2026-01-01T00:00:00Z",
    });
    let old = json!({
        "apiVersion": "kaito.sh/v1alpha1", "kind": "RAGEngine", "metadata": metadata,
        "spec": {"embedding": {}, "storage": {"persistentVolumeClaim": "pvc"}},
    });
    let new = json!({
        "apiVersion": "kaito.sh/v1beta1", "kind": "RAGEngine", "metadata": metadata, "spec": {"embedding": {}},
    });
    let response = answer(&review("kaito.sh/v1beta1", &json!([old, new])));
    assert_eq!(response["result"]["status"], "Success");
    let objects = response["convertedObjects"].as_array().unwrap();
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[0]["metadata"], metadata);
    assert_eq!(objects[0]["apiVersion"], "kaito.sh/v1beta1");
    assert_eq!(
        objects[0]["spec"]["storage"]["persistentVolume"]["persistentVolumeClaim"],
        "pvc"
    );
    assert_eq!(objects[1], new);
}

#[test]
fn an_object_of_another_kind_fails_the_request() {
    let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}});
    let response = answer(&review("kaito.sh/v1beta1", &json!([object])));
    assert_eq!(response["result"]["status"], "Failure");
    let message = response["result"]["message"].as_str().unwrap();
    assert!(
        message.contains("only RAGEngine, Workspace and InferenceSet"),
        "{message}"
    );
    assert_eq!(response["convertedObjects"], json!([]));
}

#[test]
fn what_is_no_review_is_told_so() {
    for body in [
        "",
        "{}",
        "{\"apiVersion\": \"apiextensions.k8s.io/v1\", \"kind\": \"ConversionReview\"}",
    ] {
        let reason = convert(body.as_bytes()).unwrap_err();
        assert!(reason.starts_with("this is no ConversionReview: "), "{reason}");
    }
}
