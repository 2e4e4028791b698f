//! A request for a machine, in the form that KAITO's gpu-provisioner and Karpenter understand.

use kaito_api::names::{annotations, labels};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use super::{Owner, Request};
use crate::digest;
use crate::options::{Cloud, ImageFamily, NodeProvisioner};
use crate::settings::Settings;

/// Karpenter's NodeClaim.
pub(crate) fn resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("karpenter.sh", "v1", "NodeClaim"), "nodeclaims")
}

/// Name of one of an owner's NodeClaims. It follows from the owner, so that the same claim cannot be made twice; another
/// owner of the same name has another one.
pub(crate) fn node_claim_name(owner: &Owner, index: u32) -> String {
    let mut identity = vec![owner.namespace.clone(), owner.name.clone(), owner.uid.clone()];
    if index > 0 {
        identity.push(index.to_string());
    }
    format!("ws{}", digest::short(&digest::of(&identity), 9))
}

/// One of the NodeClaims of a request that names a machine type.
pub(crate) fn node_claim(request: &Request, instance_type: &str, index: u32, settings: &Settings) -> DynamicObject {
    let owner = &request.owner;
    let in_values = |key: &str, value: &str| json!({"key": key, "operator": "In", "values": [value]});
    let mut requirements = vec![
        in_values(labels::NODE_POOL, "kaito"),
        in_values(labels::INSTANCE_TYPE, instance_type),
        in_values("kubernetes.io/os", "linux"),
    ];
    if settings.cloud == Cloud::Azure {
        requirements.push(in_values("karpenter.azure.com/sku-name", instance_type));
    }
    if settings.cloud == Cloud::Aws && request.has_gpus {
        requirements.push(json!({
            "key": "karpenter.k8s.aws/instance-gpu-count", "operator": "Gt", "values": ["0"],
        }));
    }
    let mut claim = DynamicObject::new(&node_claim_name(owner, index), &resource()).data(json!({
        "spec": {
            "nodeClassRef": node_class(settings),
            "taints": [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}],
            "requirements": Value::Array(requirements),
            "resources": {"requests": {"storage": request.disk}},
        },
    }));
    let mut all = request.labels.clone();
    all.insert(labels::NODE_POOL.to_owned(), "kaito".to_owned());
    all.extend(owner.labels());
    claim.metadata.labels = Some(all);
    claim.metadata.annotations = Some(
        [
            (annotations::DO_NOT_DISRUPT, "true"),
            (annotations::NODE_IMAGE_FAMILY, image_family(owner, settings)),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into(),
    );
    claim
}

fn node_class(settings: &Settings) -> Value {
    let karpenter = &settings.karpenter;
    match (settings.provisioner, settings.cloud) {
        (NodeProvisioner::Karpenter, _) => json!({
            "group": karpenter.node_class_group, "kind": karpenter.node_class_kind, "name": karpenter.node_classes.default_name(),
        }),
        (_, Cloud::Aws) => json!({"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}),
        (_, Cloud::Azure | Cloud::Arc) => json!({"group": "kaito.sh", "kind": "KaitoNodeClass", "name": "default"}),
    }
}

/// The operating system that the owner's annotation says, else the installation's.
fn image_family(owner: &Owner, settings: &Settings) -> &'static str {
    let annotated = owner.image_family.as_ref().map(|family| family.trim().to_lowercase());
    match annotated.as_deref() {
        Some("ubuntu") => "ubuntu",
        Some("azurelinux") => "azurelinux",
        _ => match settings.image_family {
            ImageFamily::Ubuntu => "ubuntu",
            ImageFamily::Azurelinux => "azurelinux",
        },
    }
}
