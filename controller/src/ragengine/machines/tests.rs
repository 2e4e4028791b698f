use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::conditions::Truth;
use crate::provisioner::node_claim_name;
use crate::ragengine::testing::{engine, settings};

fn gpu_engine() -> RAGEngine {
    engine(&json!({
        "compute": {"instanceType": "Standard_NV36ads_A10_v5", "labelSelector": {"matchLabels": {"apps": "rag"}}},
        "embedding": {"local": {"modelID": "a/b"}},
    }))
}

fn node(name: &str, edit: impl FnOnce(&mut Value)) -> Arc<Node> {
    let mut node = json!({
        "metadata": {"name": name, "labels": {
            "apps": "rag", "node.kubernetes.io/instance-type": "standard_nv36ads_a10_v5", "accelerator": "nvidia",
        }},
        "status": {
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": null}],
            "capacity": {"nvidia.com/gpu": "1"},
        },
    });
    edit(&mut node);
    Arc::new(serde_json::from_value(node).unwrap())
}

fn claim(conditions: &Value) -> Arc<DynamicObject> {
    let claim = json!({
        "apiVersion": "karpenter.sh/v1", "kind": "NodeClaim", "metadata": {"name": "ws1"},
        "status": {"conditions": conditions},
    });
    Arc::new(serde_json::from_value(claim).unwrap())
}

fn with(nodes: Vec<Arc<Node>>, claims: Vec<Arc<DynamicObject>>) -> Machines {
    Machines {
        claims,
        claims_are_served: true,
        nodes,
    }
}

#[test]
fn an_engine_without_compute_needs_no_machine() {
    let engine = engine(&json!({"embedding": {"local": {"modelID": "a/b"}}}));
    let plan = plan(&engine, &Machines::default(), &[], &settings());
    assert!(plan.resources.is_true() && plan.claim.is_none());
    assert_eq!(plan.action, None);
}

#[test]
fn without_a_machine_one_is_claimed_once_with_a_name_that_follows_from_the_engine() {
    let first = plan(&gpu_engine(), &with(vec![], vec![]), &[], &settings());
    let Some(Action::CreateClaim(made)) = &first.action else {
        panic!("{first:?}");
    };
    assert_eq!(first.resources.truth, Truth::Unknown);
    assert_eq!(made.name_any(), node_claim_name(&owner(&gpu_engine()), 0));
    assert_eq!(made.metadata.namespace, None, "NodeClaims have no namespace");
    insta::assert_yaml_snapshot!("node_claim_azure", made);

    let second = plan(&gpu_engine(), &with(vec![], vec![claim(&json!([]))]), &[], &settings());
    assert_eq!(second.action, None, "there is one already");
}

#[test]
fn the_launch_error_of_a_node_claim_reaches_the_condition() {
    let conditions = json!([
        {"type": "Launched", "status": "False", "reason": "LaunchFailed", "message": "no capacity in any zone"},
        {"type": "Ready", "status": "False", "reason": "NotReady", "message": "Launched=False"},
    ]);
    let plan = plan(&gpu_engine(), &with(vec![], vec![claim(&conditions)]), &[], &settings());
    assert_eq!(plan.resources.reason, "LaunchFailed");
    assert!(
        plan.resources.message.contains("no capacity in any zone"),
        "{}",
        plan.resources.message
    );
}

#[test]
fn nodes_that_are_leaving_or_not_ready_or_of_another_type_do_not_count() {
    let unfit = [
        node("leaving", |node| {
            node["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z")
        }),
        node("sick", |node| {
            node["status"]["conditions"][0]["status"] = json!("False")
        }),
        node("small", |node| {
            node["metadata"]["labels"]["node.kubernetes.io/instance-type"] = json!("Standard_D2s_v5");
        }),
    ];
    let plan = plan(&gpu_engine(), &with(unfit.to_vec(), vec![]), &[], &settings());
    assert!(matches!(plan.action, Some(Action::CreateClaim(_))));
}

#[test]
fn a_node_without_its_gpus_is_marked_and_waited_for() {
    let bare = node("gpu", |node| {
        node["metadata"]["labels"]
            .as_object_mut()
            .unwrap()
            .remove("accelerator");
        node["status"]["capacity"] = json!({});
    });
    let first = plan(&gpu_engine(), &with(vec![bare], vec![]), &[], &settings());
    assert_eq!(first.action, Some(Action::MarkAccelerator("gpu".to_owned())));
    assert_eq!(first.resources.reason, "GpuPluginPending");

    let marked = node("gpu", |node| {
        node["status"]["capacity"] = json!({"nvidia.com/gpu": "0"})
    });
    let second = plan(&gpu_engine(), &with(vec![marked], vec![]), &[], &settings());
    assert_eq!(second.action, None);
    assert_eq!(second.resources.reason, "GpuPluginPending");

    let third = plan(
        &gpu_engine(),
        &with(vec![node("gpu", |_| ())], vec![]),
        &[],
        &settings(),
    );
    assert!(third.resources.is_true());
    assert_eq!(third.worker_nodes, ["gpu"]);
}

#[test]
fn the_node_that_was_used_before_is_preferred_then_one_that_was_made() {
    let made = node("z-made", |node| {
        node["metadata"]["labels"]["karpenter.sh/nodepool"] = json!("kaito")
    });
    let nodes = || with(vec![node("a", |_| ()), node("b", |_| ()), Arc::clone(&made)], vec![]);
    let chosen = |previous: &[&str]| {
        let previous: Vec<String> = previous.iter().map(|&name| name.to_owned()).collect();
        plan(&gpu_engine(), &nodes(), &previous, &settings())
            .worker_nodes
            .remove(0)
    };
    assert_eq!(chosen(&["b"]), "b");
    assert_eq!(chosen(&["gone"]), "z-made");
}

#[test]
fn without_karpenter_or_provisioning_the_condition_says_what_to_do() {
    let mut absent = with(vec![], vec![]);
    absent.claims_are_served = false;
    let plan_absent = plan(&gpu_engine(), &absent, &[], &settings());
    assert_eq!(plan_absent.resources.reason, "NodeClaimsNotServed");
    assert_eq!(plan_absent.action, None);

    let mut byo = settings();
    byo.provisioner = NodeProvisioner::Byo;
    let plan_byo = plan(&gpu_engine(), &with(vec![], vec![]), &[], &byo);
    assert_eq!(plan_byo.resources.reason, "NodeMissing");
    assert_eq!(plan_byo.action, None);
}

#[test]
fn a_cpu_machine_needs_no_plugin() {
    let mut settings = settings();
    settings.gpus = BTreeMap::new();
    let bare = node("cpu", |node| node["status"]["capacity"] = json!({}));
    assert!(
        plan(&gpu_engine(), &with(vec![bare], vec![]), &[], &settings)
            .resources
            .is_true()
    );
}

#[test]
fn a_users_labels_cannot_make_a_claim_somebody_elses() {
    let thief = engine(&json!({
        "compute": {"instanceType": "Standard_NV36ads_A10_v5", "labelSelector": {
            "matchLabels": {"kaito.sh/ragengine": "other", "karpenter.sh/nodepool": "mine"},
            "matchExpressions": [{"key": "zone", "operator": "In", "values": ["1"]}],
        }},
        "embedding": {"local": {"modelID": "a/b"}},
    }));
    let plan = plan(&thief, &with(vec![], vec![]), &[], &settings());
    let Some(Action::CreateClaim(claim)) = plan.action else {
        panic!()
    };
    assert_eq!(claim.labels()["kaito.sh/ragengine"], "docs");
    assert_eq!(claim.labels()["karpenter.sh/nodepool"], "kaito");
    assert_eq!(claim.labels()["zone"], "1");
}
