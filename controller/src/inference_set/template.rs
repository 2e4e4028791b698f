//! The Workspace that a set wants several of, and how far one that there is differs from it. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kaito_api::names::annotations;
use kaito_api::v1beta1::{InferenceSet, Workspace};
use kube::{Resource, ResourceExt};
use serde_json::json;

use crate::digest;
use crate::names::LONGEST_WORKSPACE_NAME;

/// Digits that tell the Workspaces of a set apart.
const DIGITS: usize = 5;

/// What every Workspace of a set should be.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    workspace: Workspace,
    owner: OwnerReference,
    hash: String,
    name: String,
}

/// How far a Workspace differs from the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// Not at all.
    None,
    /// In what nobody notices who uses the model: labels, and what the controller itself writes down.
    Labels,
    /// In what can be changed. Its pods may be restarted.
    Content,
    /// In what a Workspace cannot change: its model or its machines. Another one has to take its place.
    Kind,
}

impl Template {
    /// The template of a set. `provisions` says whether machines are made; otherwise no machine type is asked for.
    pub(crate) fn of(set: &InferenceSet, provisions: bool) -> Self {
        let mut workspace = set.workspace();
        if !provisions && let Some(resource) = &mut workspace.spec.resource {
            resource.instance_type = None;
        }
        let hash = digest::of(&json!([workspace.metadata.annotations, workspace.spec.inference]));
        Self {
            workspace,
            owner: OwnerReference {
                api_version: InferenceSet::api_version(&()).into_owned(),
                kind: InferenceSet::kind(&()).into_owned(),
                name: set.name_any(),
                uid: set.uid().unwrap_or_default(),
                controller: Some(true),
                block_owner_deletion: Some(true),
            },
            hash,
            name: set.name_any(),
        }
    }

    /// The Workspace, without a name.
    pub(crate) fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// Whether Workspaces of the template measure how fast they are.
    pub(crate) fn is_measured(&self) -> bool {
        let says = |annotation: &str, word: &str| {
            let value = self.workspace.annotations().get(annotation);
            value.is_some_and(|value| value.eq_ignore_ascii_case(word))
        };
        let inference = self.workspace.spec.inference.as_ref();
        inference.is_some_and(|inference| inference.preset.is_some())
            && !says(annotations::DISABLE_BENCHMARK, "true")
            && !says(annotations::RUNTIME, "transformers")
    }

    /// The Workspace under a name, as it is applied.
    pub(crate) fn named(&self, name: String) -> Workspace {
        let mut workspace = self.workspace.clone();
        let metadata = &mut workspace.metadata;
        metadata.name = Some(name);
        metadata.owner_references = Some(vec![self.owner.clone()]);
        metadata
            .annotations
            .get_or_insert_default()
            .insert(annotations::INFERENCE_SET_TEMPLATE.to_owned(), self.hash.clone());
        workspace
    }

    /// Names for new Workspaces, always in the same order, so that whoever asks twice makes nothing twice.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        // All of them are ASCII.
        let most = LONGEST_WORKSPACE_NAME - DIGITS - 1;
        let start = self.name.get(..most).unwrap_or(&self.name).trim_end_matches('-');
        let names = (0_u32..).map(move |ordinal| {
            let digest = digest::of(&json!([self.owner.uid, ordinal]));
            format!("{start}-{}", digest::short(&digest, DIGITS))
        });
        // More than there are digits for would come around again.
        names.take(1 << (4 * DIGITS))
    }

    /// What everything that is made for the set refers to.
    pub(crate) fn owner(&self) -> &OwnerReference {
        &self.owner
    }

    /// Whether a Workspace belongs to the set.
    pub(crate) fn owns(&self, workspace: &Workspace) -> bool {
        let mut owners = workspace.owner_references().iter();
        owners.any(|owner| owner.controller == Some(true) && owner.uid == self.owner.uid)
    }

    /// How far a Workspace differs.
    pub(crate) fn difference(&self, workspace: &Workspace) -> Difference {
        let wanted = &self.workspace;
        if !workspace.spec.can_become(&wanted.spec) {
            return Difference::Kind;
        }
        let hash = workspace.annotations().get(annotations::INFERENCE_SET_TEMPLATE);
        // One that KAITO made has no hash.
        if hash.is_some_and(|hash| *hash != self.hash)
            || workspace.spec.inference != wanted.spec.inference
            || !contains(workspace.annotations(), wanted.annotations())
        {
            return Difference::Content;
        }
        if hash.is_none() || !contains(workspace.labels(), wanted.labels()) {
            return Difference::Labels;
        }
        Difference::None
    }
}

type Texts = std::collections::BTreeMap<String, String>;

fn contains(all: &Texts, some: &Texts) -> bool {
    some.iter().all(|(key, value)| all.get(key) == Some(value))
}
