//! The Workspace that a set makes several of.

use std::collections::BTreeMap;

use kube::core::ObjectMeta;

use super::InferenceSet;
use crate::names::labels;
use crate::v1beta1::compute::one;
use crate::v1beta1::{InferenceSpec, ResourceSpec, Workspace, WorkspaceFields, WorkspaceStatus};

impl InferenceSet {
    /// The Workspace that the template describes: in the set's namespace, with the label that names the set, and without
    /// a name and an owner.
    pub fn workspace(&self) -> Workspace {
        let template = &self.spec.template;
        let mut own_labels: BTreeMap<_, _> = template.metadata.labels.clone().unwrap_or_default();
        own_labels.insert(
            labels::CREATED_BY_INFERENCE_SET.to_owned(),
            self.metadata.name.clone().unwrap_or_default(),
        );
        Workspace {
            metadata: ObjectMeta {
                namespace: self.metadata.namespace.clone(),
                labels: Some(own_labels),
                annotations: template.metadata.annotations.clone(),
                ..ObjectMeta::default()
            },
            spec: WorkspaceFields {
                resource: Some(ResourceSpec {
                    count: one(),
                    instance_type: template.resource.instance_type.clone(),
                    label_selector: self.spec.label_selector.clone(),
                    preferred_nodes: None,
                    partition: template.resource.partition.clone(),
                }),
                inference: Some(template.inference.clone()),
                tuning: None,
            },
            status: None::<WorkspaceStatus>,
        }
    }
}

impl WorkspaceFields {
    /// Whether a Workspace with these fields can be changed to have `other`'s. The model and the machines of one cannot
    /// be changed: whoever wants others makes another Workspace.
    pub fn can_become(&self, other: &Self) -> bool {
        let machines = |fields: &Self| {
            let resource = fields.resource.as_ref();
            resource.map(|resource| {
                let instance_type = resource.instance_type().map(str::to_owned);
                (
                    instance_type,
                    resource.count,
                    resource.label_selector.clone(),
                    resource.partition.clone(),
                )
            })
        };
        let model = |inference: &Option<InferenceSpec>| {
            let inference = inference.as_ref();
            inference.map(|inference| (inference.preset.clone(), inference.template.is_some()))
        };
        machines(self) == machines(other)
            && model(&self.inference) == model(&other.inference)
            && self.tuning.is_some() == other.tuning.is_some()
    }
}
