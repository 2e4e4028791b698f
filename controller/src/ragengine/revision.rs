//! Revisions: what an engine's spec was, by number. KAITO's form, so that its tools read them.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kaito_api::names::{annotations, labels};
use kaito_api::v1beta1::RAGEngine;
use kube::api::{DeleteParams, PostParams};
use kube::core::ObjectMeta;
use kube::{Api, Client, ResourceExt};

use super::caches::Caches;
use super::validate::owner_reference;
use crate::apply::ApplyError;
use crate::digest;

/// Revisions that are kept of one engine.
const KEPT: usize = 10;

/// The revision of an engine's spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Revision {
    /// SHA-256 of the spec.
    pub(super) hash: String,
    /// Its number.
    pub(super) number: i64,
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

/// Makes the revision of an engine's spec, deletes those beyond the last ten, and tells its number.
///
/// # Errors
///
/// The API server refuses.
pub(super) async fn ensure(client: &Client, engine: &RAGEngine, caches: &Caches) -> Result<Revision, ApplyError> {
    let (name, namespace) = (engine.name_any(), engine.namespace().unwrap_or_default());
    let hash = digest::of(&engine.spec);
    let revision_name = format!("{name}-{}", digest::short(&hash, 5));
    let uid = engine.uid();
    let existing = caches.revisions.state_filter(|revision| {
        revision.metadata.namespace.as_deref() == Some(&namespace)
            && revision
                .owner_references()
                .iter()
                .any(|owner| Some(&owner.uid) == uid.as_ref())
    });
    let Plan {
        revision,
        exists,
        superfluous,
    } = plan(hash, &revision_name, &existing);
    if exists {
        return Ok(revision);
    }
    let api: Api<ControllerRevision> = Api::namespaced(client.clone(), &namespace);
    let refuse = |source| ApplyError::refuse::<ControllerRevision>(&revision_name, source);
    let made = object(engine, &revision_name, &revision);
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

fn object(engine: &RAGEngine, name: &str, revision: &Revision) -> ControllerRevision {
    ControllerRevision {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: engine.namespace(),
            labels: Some([(labels::RAGENGINE_REVISION_OF.to_owned(), engine.name_any())].into()),
            annotations: Some([(annotations::RAGENGINE_HASH.to_owned(), revision.hash.clone())].into()),
            owner_references: Some(vec![owner_reference(engine)]),
            ..ObjectMeta::default()
        },
        data: serde_json::to_value(&engine.spec).ok().map(RawExtension),
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
