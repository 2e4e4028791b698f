//! A request for a machine, in the form that KAITO's gpu-provisioner and Karpenter understand.

use kaito_api::names::{annotations, labels};
use kaito_api::v1beta1::{RAGEngine, ResourceSpec};
use kube::ResourceExt;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::digest;
use crate::options::{Cloud, ImageFamily};
use crate::ragengine::caches::node_claim_resource;
use crate::ragengine::validate::node_labels;
use crate::settings::Settings;

/// Disk of a machine for an engine.
const DISK: &str = "200Gi";

/// Name of an engine's NodeClaim. It follows from the engine, so that the same claim cannot be made twice; another
/// engine of the same name has another one.
pub(crate) fn node_claim_name(engine: &RAGEngine) -> String {
    let identity = [
        engine.namespace().unwrap_or_default(),
        engine.name_any(),
        engine.uid().unwrap_or_default(),
    ];
    format!("ws{}", digest::short(&digest::of(&identity), 9))
}

/// The NodeClaim of an engine.
pub(crate) fn node_claim(
    engine: &RAGEngine,
    compute: &ResourceSpec,
    instance_type: &str,
    settings: &Settings,
) -> DynamicObject {
    let in_values = |key: &str, value: &str| json!({"key": key, "operator": "In", "values": [value]});
    let mut requirements = vec![
        in_values(labels::NODE_POOL, "kaito"),
        in_values("node.kubernetes.io/instance-type", instance_type),
        in_values("kubernetes.io/os", "linux"),
    ];
    let node_class = match settings.cloud {
        Cloud::Azure => {
            requirements.push(in_values("karpenter.azure.com/sku-name", instance_type));
            json!({"group": "kaito.sh", "kind": "KaitoNodeClass", "name": "default"})
        }
        Cloud::Aws => {
            if settings.gpus_of(instance_type).is_some() {
                requirements.push(json!({
                    "key": "karpenter.k8s.aws/instance-gpu-count", "operator": "Gt", "values": ["0"],
                }));
            }
            json!({"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"})
        }
        Cloud::Arc => json!({"group": "kaito.sh", "kind": "KaitoNodeClass", "name": "default"}),
    };
    let mut claim = DynamicObject::new(&node_claim_name(engine), &node_claim_resource()).data(json!({
        "spec": {
            "nodeClassRef": node_class,
            "taints": [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}],
            "requirements": Value::Array(requirements),
            "resources": {"requests": {"storage": DISK}},
        },
    }));
    let all = claim.labels_mut();
    all.extend(node_labels(compute));
    all.insert(labels::NODE_POOL.to_owned(), "kaito".to_owned());
    all.insert(labels::RAGENGINE.to_owned(), engine.name_any());
    all.insert(
        labels::RAGENGINE_NAMESPACE.to_owned(),
        engine.namespace().unwrap_or_default(),
    );
    let all = claim.annotations_mut();
    all.insert(annotations::DO_NOT_DISRUPT.to_owned(), "true".to_owned());
    all.insert(
        annotations::NODE_IMAGE_FAMILY.to_owned(),
        image_family(engine, settings).to_owned(),
    );
    claim
}

/// The operating system that the engine's annotation says, else the installation's.
fn image_family(engine: &RAGEngine, settings: &Settings) -> &'static str {
    let annotated = engine
        .annotations()
        .get(annotations::NODE_IMAGE_FAMILY)
        .map(|family| family.trim().to_lowercase());
    match annotated.as_deref() {
        Some("ubuntu") => "ubuntu",
        Some("azurelinux") => "azurelinux",
        _ => match settings.image_family {
            ImageFamily::Ubuntu => "ubuntu",
            ImageFamily::Azurelinux => "azurelinux",
        },
    }
}
