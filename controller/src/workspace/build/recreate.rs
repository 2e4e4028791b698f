//! What of a StatefulSet cannot be changed.

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;

/// The field for whose sake `live` has to be deleted and made anew as `desired`; `None` if it can be changed into it.
pub(crate) fn must_be_recreated(live: &StatefulSet, desired: &StatefulSet) -> Option<&'static str> {
    let (live, desired) = (live.spec.as_ref()?, desired.spec.as_ref()?);
    let fields = [
        ("selector", live.selector != desired.selector),
        ("serviceName", service_name(live) != service_name(desired)),
        ("podManagementPolicy", policy(live) != policy(desired)),
        ("volumeClaimTemplates", claims(live) != claims(desired)),
    ];
    fields.into_iter().find(|(_, differs)| *differs).map(|(name, _)| name)
}

fn service_name(spec: &StatefulSetSpec) -> &str {
    spec.service_name.as_deref().unwrap_or_default()
}

fn policy(spec: &StatefulSetSpec) -> &str {
    spec.pod_management_policy.as_deref().unwrap_or("OrderedReady")
}

/// What we say of claims; the API server adds to it.
fn claims(spec: &StatefulSetSpec) -> Vec<impl PartialEq + use<'_>> {
    let facts = |claim: &'_ PersistentVolumeClaim| {
        let spec = claim.spec.clone().unwrap_or_default();
        (
            claim.metadata.name.clone(),
            claim.metadata.labels.clone(),
            spec.access_modes,
            spec.storage_class_name,
            spec.resources.and_then(|resources| resources.requests),
        )
    };
    spec.volume_claim_templates.iter().flatten().map(facts).collect()
}
