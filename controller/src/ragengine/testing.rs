//! Engines and settings for the tests of pure steps.

use std::collections::BTreeMap;

use kaito_api::v1beta1::RAGEngine;
use serde_json::{Value, json};

use crate::options::{Cloud, FeatureGates, ImageFamily, KarpenterOptions, NodeClasses, NodeProvisioner};
use crate::settings::{ServedModel, Settings};

/// The engine `docs` of namespace `ml`, with this spec.
pub(crate) fn engine(spec: &Value) -> RAGEngine {
    serde_json::from_value(json!({
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "RAGEngine",
        "metadata": {"name": "docs", "namespace": "ml", "uid": "uid-1", "generation": 1},
        "spec": spec,
    }))
    .unwrap()
}

/// Settings of an installation on Azure that makes machines.
pub(crate) fn settings() -> Settings {
    Settings {
        namespace: "kaito-ragengine".to_owned(),
        image: "registry.example.com/rag-service:1".to_owned(),
        image_has_gpu: false,
        preset_registry: "mcr.microsoft.com/aks/kaito".to_owned(),
        feature_gates: FeatureGates::default(),
        cloud: Cloud::Azure,
        provisioner: NodeProvisioner::AzureGpuProvisioner,
        karpenter: KarpenterOptions {
            node_class_group: "karpenter.azure.com".to_owned(),
            node_class_kind: "AKSNodeClass".to_owned(),
            node_class_version: "v1beta1".to_owned(),
            node_class_resource_name: "aksnodeclasses".to_owned(),
            node_classes: NodeClasses::default(),
        },
        image_family: ImageFamily::Ubuntu,
        gpus: BTreeMap::from([
            ("standard_nv36ads_a10_v5".to_owned(), 1),
            ("standard_nc48ads_a100_v4".to_owned(), 2),
        ]),
        models: |name| {
            (name == "phi-4-mini-instruct").then(|| ServedModel {
                name: "phi-4-mini-instruct".to_owned(),
                window: Some(131_072),
            })
        },
    }
}
