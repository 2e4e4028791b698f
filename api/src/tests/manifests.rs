//! KAITO's own manifests are valid and mean what they say.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::server::{refusals, schema};
use crate::{v1alpha1, v1beta1};

/// Decodes a manifest that the API server lets in.
fn apply<T: DeserializeOwned>(manifest: &str) -> T {
    let manifest: Value = serde_yaml_ng::from_str(manifest).unwrap();
    let kind = manifest["kind"].as_str().unwrap();
    let version = manifest["apiVersion"]
        .as_str()
        .unwrap()
        .strip_prefix("kaito.sh/")
        .unwrap();
    assert_eq!(refusals(&schema(kind, version), &manifest, None), Vec::<String>::new());
    serde_json::from_value(manifest).unwrap()
}

#[test]
fn an_engine_on_cpus_that_only_retrieves() {
    let engine: v1beta1::RAGEngine = apply(
        "
        apiVersion: kaito.sh/v1beta1
        kind: RAGEngine
        metadata: {name: rag-cpu, namespace: default}
        spec: {embedding: {local: {modelID: BAAI/bge-small-en-v1.5}}}",
    );
    let local = engine.spec.embedding.local.unwrap();
    assert_eq!(local.model_id.as_deref(), Some("BAAI/bge-small-en-v1.5"));
    assert!(engine.spec.compute.is_none() && engine.spec.inference_service.is_none());
}

#[test]
fn an_engine_with_everything() {
    let engine: v1beta1::RAGEngine = apply(
        "
        apiVersion: kaito.sh/v1beta1
        kind: RAGEngine
        metadata: {name: rag-full, namespace: ml}
        spec:
          compute:
            instanceType: Standard_NV36ads_A10_v5
            labelSelector: {matchLabels: {apps: rag}}
          storage:
            persistentVolume: {persistentVolumeClaim: pvc1, mountPath: /mnt/vector-db}
            vectorDB: {engine: qdrant, url: 'http://qdrant:6333', accessSecret: qd}
          embedding: {local: {modelID: X/y, modelAccessSecret: hf}}
          inferenceService: {url: 'http://llm/v1/completions', accessSecret: llm, contextWindowSize: 512}
          guardrails: {enabled: true}",
    );
    let spec = engine.spec;
    assert_eq!(spec.compute.unwrap().count, 1);
    let storage = spec.storage.unwrap();
    assert_eq!(
        storage.persistent_volume.unwrap().mount_path.as_deref(),
        Some("/mnt/vector-db")
    );
    assert_eq!(storage.vector_db.unwrap().access_secret.as_deref(), Some("qd"));
    let service = spec.inference_service.unwrap();
    assert_eq!(
        (service.url(), service.context_window_size),
        (Some("http://llm/v1/completions"), Some(512))
    );
    assert!(spec.guardrails.unwrap().enabled);
}

#[test]
fn an_engine_of_the_old_version() {
    let engine: v1alpha1::RAGEngine = apply(
        "
        apiVersion: kaito.sh/v1alpha1
        kind: RAGEngine
        metadata: {name: rag-old}
        spec:
          compute: {labelSelector: {matchLabels: {apps: rag}}}
          storage: {persistentVolumeClaim: pvc1, mountPath: /mnt/vector-db}
          embedding: {remote: {url: 'https://tei.example.com/embed', accessSecret: tei}}
          inferenceService: {url: 'http://llm/v1/completions', contextWindowSize: 512}
          queryServiceName: query
          indexServiceName: index",
    );
    assert_eq!(engine.spec.compute.unwrap().instance_type, "Standard_NC24ads_A100_v4");
    assert_eq!(
        engine.spec.storage.unwrap().persistent_volume_claim.as_deref(),
        Some("pvc1")
    );
}

#[test]
fn an_engine_with_what_only_we_have() {
    let engine: v1beta1::RAGEngine = apply(
        "
        apiVersion: kaito.sh/v1beta1
        kind: RAGEngine
        metadata: {name: docs}
        spec:
          embedding: {local: {modelID: BAAI/bge-small-en-v1.5}}
          inferenceService: {workspaceRef: {name: phi}}
          replicas: 1
          image: registry.example.com/kaito/rag-service:1.2
          resources: {requests: {cpu: 2, memory: 1Gi}, limits: {memory: 4Gi}}
          serviceType: LoadBalancer
          podTemplate:
            labels: {team: search}
            tolerations: [{key: dedicated, operator: Exists}]
            priorityClassName: high
          auth: {secretRef: {name: keys}}
          networkPolicy: {from: [{namespaceSelector: {}}]}
          retrieval: {fusion: Weighted, denseWeight: 0.6, maxTopK: 50, similarityThreshold: 0.9}",
    );
    let spec = engine.spec;
    assert_eq!(spec.inference_service.unwrap().workspace_ref.unwrap().name, "phi");
    assert_eq!(spec.resources.unwrap().requests.unwrap()["cpu"].0, "2");
    assert_eq!(spec.service_type, Some(v1beta1::ServiceType::LoadBalancer));
    assert!(spec.network_policy.unwrap().enabled);
    assert_eq!(spec.retrieval.unwrap().fusion, Some(v1beta1::Fusion::Weighted));
}

#[test]
fn workspaces_that_serve() {
    for (name, instance, preset) in [
        ("ws1", "Standard_NV36ads_A10_v5", "phi-4-mini-instruct"),
        ("ws2", "Standard_NC24ads_A100_v4", "qwen2.5-coder-32b-instruct"),
    ] {
        for version in ["v1alpha1", "v1beta1"] {
            let workspace: v1beta1::Workspace = apply(&format!(
                "
                apiVersion: kaito.sh/{version}
                kind: Workspace
                metadata: {{name: {name}, namespace: default}}
                resource: {{instanceType: {instance}, labelSelector: {{matchLabels: {{apps: phi}}}}}}
                inference: {{preset: {{name: {preset}}}}}",
            ));
            assert_eq!(workspace.spec.resource.unwrap().instance_type(), Some(instance));
            assert_eq!(workspace.spec.inference.unwrap().preset.unwrap().name, preset);
        }
    }
}

#[test]
fn a_workspace_that_tunes() {
    let workspace: v1beta1::Workspace = apply(
        "
        apiVersion: kaito.sh/v1beta1
        kind: Workspace
        metadata: {name: tune}
        resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: tune}}}
        tuning:
          preset: {name: phi-3-mini-128k-instruct}
          method: lora
          input: {name: ds, image: 'reg/data:1', imagePullSecrets: [s1]}
          output: {image: 'reg/out:1', imagePushSecret: s2}",
    );
    let tuning = workspace.spec.tuning.unwrap();
    assert_eq!(tuning.output.image_push_secret.as_deref(), Some("s2"));
}

#[test]
fn a_pod_template_is_kept_whatever_is_in_it() {
    let template = json!({
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "llm", "image": "i", "resources": {"limits": {"cpu": 1}}}], "newField": [1, null]},
    });
    let manifest = json!({
        "apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": "own"},
        "resource": {"labelSelector": {}},
        "inference": {"template": template},
    });
    let workspace: v1beta1::Workspace = apply(&manifest.to_string());
    let written = serde_json::to_value(&workspace).unwrap();
    assert_eq!(written["inference"]["template"], template);
    assert_eq!(written["apiVersion"], "kaito.sh/v1beta1");
    assert!(written.get("spec").is_none(), "a Workspace has no spec: {written}");
}
