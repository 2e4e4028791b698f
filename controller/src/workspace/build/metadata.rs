//! Names, labels, annotations and owners of what is made for a Workspace.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kaito_api::names::{annotations, labels};

use crate::digest;
use crate::names::{FIELD_MANAGER, INPUT_PREFIX, MANAGED_BY};
use crate::workspace::workload::{Task, Workload};

/// Digits of a digest that make a shortened name unique.
const DIGEST_DIGITS: usize = 8;

/// Name of the Service by which pods find each other.
pub(super) fn headless_name(workload: &Workload) -> String {
    format!("{}-headless", workload.name)
}

/// Labels by which the pods are found: KAITO's, and a StatefulSet's selector cannot be changed.
pub(super) fn selector(workload: &Workload) -> BTreeMap<String, String> {
    let mut all = workload.set_labels.clone();
    all.insert(labels::WORKSPACE.to_owned(), workload.name.clone());
    all
}

pub(super) fn label_selector(workload: &Workload) -> LabelSelector {
    LabelSelector {
        match_labels: Some(selector(workload)),
        match_expressions: None,
    }
}

/// Labels of everything that is made for a Workspace.
pub(super) fn own_labels(workload: &Workload) -> BTreeMap<String, String> {
    let mut all = selector(workload);
    let name = match &workload.task {
        Task::Preset(_) | Task::Template(_) => "inference",
        Task::Tuning(_) => "tuning",
    };
    all.insert(MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned());
    all.insert("app.kubernetes.io/name".to_owned(), name.to_owned());
    all.insert("app.kubernetes.io/instance".to_owned(), workload.name.clone());
    all
}

/// Name, labels and owner of an object that is made for a Workspace.
pub(super) fn metadata(workload: &Workload, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(workload.namespace.clone()),
        labels: Some(own_labels(workload)),
        owner_references: Some(vec![workload.owner.clone()]),
        ..ObjectMeta::default()
    }
}

/// The same, with the number of the revision that it was made of.
pub(super) fn revised_metadata(workload: &Workload, name: String) -> ObjectMeta {
    let revision = workload.revision.to_string();
    ObjectMeta {
        annotations: Some([(annotations::WORKSPACE_REVISION.to_owned(), revision)].into()),
        ..metadata(workload, name)
    }
}

/// Labels of pods, and digests of what they read only when they start, so that a change of that replaces them. The
/// revision is not here: one that changes nothing else must not restart a model that takes minutes to load.
pub(super) fn pod_metadata(workload: &Workload) -> ObjectMeta {
    let digests: BTreeMap<_, _> = workload
        .inputs
        .iter()
        .map(|(role, digest)| (format!("{INPUT_PREFIX}{role}"), digest.clone()))
        .collect();
    ObjectMeta {
        labels: Some(own_labels(workload)),
        annotations: (!digests.is_empty()).then_some(digests),
        ..ObjectMeta::default()
    }
}

/// `name` as a part of another name, which may have so many letters, digits and hyphens of it: itself if it can be, else
/// its beginning and a digest.
pub(super) fn part_of_name(name: &str, longest: usize) -> String {
    let is_plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
    if name.len() <= longest && name.chars().all(is_plain) {
        return name.to_owned();
    }
    let digest = digest::of_bytes(name.as_bytes());
    let beginning: String = name
        .chars()
        .map(|character| if is_plain(character) { character } else { '-' })
        .take(longest.saturating_sub(DIGEST_DIGITS + 1))
        .collect();
    format!("{beginning}-{}", digest::short(&digest, DIGEST_DIGITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_fit_is_shortened_and_stays_unique() {
        assert_eq!(part_of_name("phi-3-adapter", 31), "phi-3-adapter");
        let dotted = part_of_name("phi.3", 31);
        assert!(dotted.starts_with("phi-3-") && dotted != part_of_name("phi-3", 31));
        let long = part_of_name(&"x".repeat(40), 31);
        assert_eq!(long.len(), 31);
        assert_ne!(long, part_of_name(&"x".repeat(41), 31));
    }
}
