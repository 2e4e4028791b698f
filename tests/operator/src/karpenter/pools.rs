//! NodePools of a fixed size: as many NodeClaims as `spec.replicas` says.

use kube::ResourceExt;
use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams};
use kube::runtime::controller::Action;
use serde_json::{Value, json};

use super::Shared;

const POOL_LABEL: &str = "karpenter.sh/nodepool";

/// Makes or deletes NodeClaims until there are as many as there should be. Those of a deleted pool go by garbage
/// collection.
pub(super) async fn reconcile(pool: &DynamicObject, shared: &Shared) -> kube::Result<Action> {
    let replicas = pool.data.pointer("/spec/replicas").and_then(Value::as_u64);
    let Some(replicas) = replicas.filter(|_| pool.metadata.deletion_timestamp.is_none()) else {
        return Ok(Action::await_change());
    };
    let replicas = usize::try_from(replicas).unwrap_or(usize::MAX);
    let of_pool = ListParams::default().labels(&format!("{POOL_LABEL}={}", pool.name_any()));
    let claims = shared.claims().list(&of_pool).await?.items;
    let kept: Vec<_> = claims
        .iter()
        .filter(|claim| claim.metadata.deletion_timestamp.is_none())
        .collect();
    for _ in kept.len()..replicas {
        shared.claims().create(&PostParams::default(), &claim(pool)).await?;
    }
    for surplus in kept.iter().skip(replicas) {
        shared
            .claims()
            .delete(&surplus.name_any(), &DeleteParams::default())
            .await?;
    }
    Ok(Action::await_change())
}

fn claim(pool: &DynamicObject) -> DynamicObject {
    let name = pool.name_any();
    let template = |pointer| pool.data.pointer(pointer).cloned();
    let mut spec = template("/spec/template/spec").unwrap_or_else(|| json!({}));
    let required = json!({"key": POOL_LABEL, "operator": "In", "values": [name]});
    if let Some(requirements) = spec.get_mut("requirements").and_then(Value::as_array_mut) {
        requirements.push(required);
    }
    let mut claim = DynamicObject::new("", &super::claim_resource()).data(json!({"spec": spec}));
    claim.metadata.name = None;
    claim.metadata.generate_name = Some(format!("{name}-"));
    let labels = template("/spec/template/metadata/labels").and_then(|labels| serde_json::from_value(labels).ok());
    claim.metadata.labels = labels;
    claim.labels_mut().insert(POOL_LABEL.to_owned(), name);
    claim.metadata.owner_references = kube::Resource::owner_ref(pool, &super::pool_resource()).map(|owner| vec![owner]);
    claim
}
