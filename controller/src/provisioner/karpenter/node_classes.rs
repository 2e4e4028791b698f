//! The NodeClasses that Workspaces may use, made when the controller starts. One that exists is never changed: it is the
//! cluster administrator's from then on.

use std::collections::BTreeMap;

use kaito_api::names::labels;
use kube::api::PostParams;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::names::FIELD_MANAGER;
use crate::options::{KarpenterOptions, NodeClass};

/// Why a NodeClass was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeClassError {
    /// There is no such kind.
    #[error("this cluster has no {0}: install the cloud's Karpenter, or correct the options --karpenter-node-class-…")]
    FindKind(String),
    /// The API server refused it.
    #[error("cannot make NodeClass {name:?} of --karpenter-node-classes")]
    Create {
        /// Its name.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
}

/// The NodeClasses' kind.
pub(crate) fn resource(options: &KarpenterOptions) -> ApiResource {
    let kind = GroupVersionKind::gvk(
        &options.node_class_group,
        &options.node_class_version,
        &options.node_class_kind,
    );
    ApiResource::from_gvk_with_plural(&kind, &options.node_class_resource_name)
}

/// Makes the NodeClasses that do not exist. Whether they are ready is looked at when one is needed.
///
/// # Errors
///
/// One cannot be made.
pub(crate) async fn create(client: &Client, options: &KarpenterOptions) -> Result<(), NodeClassError> {
    let resource = resource(options);
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let parameters = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    for class in options.node_classes.all() {
        let object = object(class, &resource);
        match api.create(&parameters, &object).await {
            Ok(_) => tracing::info!(node_class.name = class.name, "a NodeClass was made"),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {
                return Err(NodeClassError::FindKind(format!(
                    "{}.{}",
                    resource.plural, resource.group
                )));
            }
            Err(source) => {
                return Err(NodeClassError::Create {
                    name: object.name_any(),
                    source,
                });
            }
        }
    }
    Ok(())
}

fn object(class: &NodeClass, resource: &ApiResource) -> DynamicObject {
    let mut all = BTreeMap::from([(labels::KARPENTER_MANAGED_BY.to_owned(), "kaito".to_owned())]);
    if class.default {
        all.insert(labels::KARPENTER_DEFAULT.to_owned(), "true".to_owned());
    }
    let spec = Value::Object(class.spec.clone());
    let mut object = DynamicObject::new(&class.name, resource).data(json!({"spec": spec}));
    object.metadata.labels = Some(all);
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_class_says_who_made_it_and_whether_it_is_the_default() {
        let resource = ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk("karpenter.k8s.gcp", "v1alpha1", "GCENodeClass"),
            "gcenodeclasses",
        );
        let mut class = NodeClass {
            name: "gpu".to_owned(),
            default: true,
            spec: serde_json::from_value(json!({"imageSelectorTerms": [{"alias": "ubuntu@latest"}]})).unwrap(),
        };
        let expected = json!({
            "apiVersion": "karpenter.k8s.gcp/v1alpha1",
            "kind": "GCENodeClass",
            "metadata": {"name": "gpu", "labels": {
                "karpenter.kaito.sh/managed-by": "kaito", "karpenter.kaito.sh/default": "true",
            }},
            "spec": {"imageSelectorTerms": [{"alias": "ubuntu@latest"}]},
        });
        assert_eq!(serde_json::to_value(object(&class, &resource)).unwrap(), expected);
        class.default = false;
        assert_eq!(object(&class, &resource).labels().len(), 1);
    }
}
