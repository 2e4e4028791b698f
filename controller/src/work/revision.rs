//! Revisions: what an object's spec was, by number. KAITO's form, so that its tools read them.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::api::{DeleteParams, PostParams};
use kube::core::ObjectMeta;
use kube::runtime::reflector::Store;
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use crate::apply::ApplyError;
use crate::digest;

/// Revisions that are kept of one object.
const KEPT: usize = 10;

/// The revision of an object's spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revision {
    /// SHA-256 of the spec.
    pub(crate) hash: String,
    /// Its number.
    pub(crate) number: i64,
}

/// An object whose spec is recorded.
pub(crate) struct Recorded<'a> {
    /// Its name.
    pub(crate) name: String,
    /// Its namespace.
    pub(crate) namespace: String,
    /// What its revisions refer to.
    pub(crate) owner: OwnerReference,
    /// Label of its revisions with its name.
    pub(crate) label: &'a str,
    /// Annotation of its revisions with the hash.
    pub(crate) hash_annotation: &'a str,
    /// What is recorded.
    pub(crate) data: Value,
}

/// What to do so that the revision of a spec is there.
#[derive(Debug, PartialEq)]
struct Plan {
    revision: Revision,
    exists: bool,
    superfluous: Vec<String>,
}

/// Decides which number the spec has: that of an earlier revision of the same spec, else the next.
fn plan(hash: String, name: &str, existing: &[Arc<ControllerRevision>]) -> Plan {
    let same = existing.iter().find(|revision| revision.name_any() == name);
    let highest = existing
        .iter()
        .map(|revision| revision.revision)
        .max()
        .unwrap_or_default();
    let number = same.map_or(highest + 1, |revision| revision.revision);
    let mut others: Vec<_> = existing.iter().filter(|revision| revision.name_any() != name).collect();
    others.sort_by_key(|revision| revision.revision);
    let too_many = (others.len() + 1).saturating_sub(KEPT);
    Plan {
        revision: Revision { hash, number },
        exists: same.is_some(),
        superfluous: others
            .iter()
            .take(too_many)
            .map(|revision| revision.name_any())
            .collect(),
    }
}

/// Makes the revision of an object's spec, deletes those beyond the last ten, and tells its number.
///
/// # Errors
///
/// The API server refuses.
pub(crate) async fn ensure(
    client: &Client,
    recorded: Recorded<'_>,
    revisions: &Store<ControllerRevision>,
) -> Result<Revision, ApplyError> {
    let hash = digest::of(&recorded.data);
    let revision_name = format!("{}-{}", recorded.name, digest::short(&hash, 5));
    let existing = revisions.state_filter(|revision| {
        revision.metadata.namespace.as_ref() == Some(&recorded.namespace)
            && revision
                .owner_references()
                .iter()
                .any(|owner| owner.uid == recorded.owner.uid)
    });
    let Plan {
        revision,
        exists,
        superfluous,
    } = plan(hash, &revision_name, &existing);
    if exists {
        return Ok(revision);
    }
    let api: Api<ControllerRevision> = Api::namespaced(client.clone(), &recorded.namespace);
    let refuse = |source| ApplyError::refuse::<ControllerRevision>(&revision_name, source);
    let made = object(recorded, &revision_name, &revision);
    let number = match api.create(&PostParams::default(), &made).await {
        Ok(made) => made.revision,
        // The cache did not know it yet.
        Err(kube::Error::Api(status)) if status.code == 409 => api.get(&revision_name).await.map_err(refuse)?.revision,
        Err(source) => return Err(refuse(source)),
    };
    for name in superfluous {
        match api.delete(&name, &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(source) => return Err(ApplyError::refuse::<ControllerRevision>(&name, source)),
        }
    }
    Ok(Revision { number, ..revision })
}

fn object(recorded: Recorded<'_>, name: &str, revision: &Revision) -> ControllerRevision {
    ControllerRevision {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(recorded.namespace),
            labels: Some([(recorded.label.to_owned(), recorded.name)].into()),
            annotations: Some([(recorded.hash_annotation.to_owned(), revision.hash.clone())].into()),
            owner_references: Some(vec![recorded.owner]),
            ..ObjectMeta::default()
        },
        data: Some(RawExtension(recorded.data)),
        revision: revision.number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn existing(revisions: &[(&str, i64)]) -> Vec<Arc<ControllerRevision>> {
        revisions
            .iter()
            .map(|&(name, revision)| {
                Arc::new(ControllerRevision {
                    metadata: ObjectMeta {
                        name: Some(name.to_owned()),
                        ..ObjectMeta::default()
                    },
                    data: None,
                    revision,
                })
            })
            .collect()
    }

    #[test]
    fn the_first_spec_is_revision_one_and_an_earlier_spec_has_its_number_again() {
        let number = |name: &str, revisions: &[(&str, i64)]| {
            let plan = plan("h".to_owned(), name, &existing(revisions));
            (plan.revision.number, plan.exists)
        };
        assert_eq!(number("docs-a", &[]), (1, false));
        assert_eq!(number("docs-b", &[("docs-a", 1)]), (2, false));
        assert_eq!(number("docs-a", &[("docs-a", 1), ("docs-b", 2)]), (1, true));
    }

    #[test]
    fn ten_revisions_are_kept_the_oldest_go() {
        let names: Vec<String> = (1..=11).map(|number| format!("docs-{number}")).collect();
        let revisions: Vec<(&str, i64)> = names.iter().map(String::as_str).zip(1..).collect();
        assert_eq!(
            plan("h".to_owned(), "new", &existing(&revisions)).superfluous,
            ["docs-1", "docs-2"]
        );
        assert!(
            plan("h".to_owned(), "new", &existing(&revisions[..9]))
                .superfluous
                .is_empty()
        );
    }
}
