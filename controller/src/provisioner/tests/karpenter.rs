use super::*;
use crate::options::{KarpenterOptions, Options};
use crate::provisioner::karpenter::Karpenter;
use clap::Parser;

fn options() -> KarpenterOptions {
    let classes = r#"[{"name": "gpu", "default": true}, {"name": "spot"}]"#;
    let arguments = [
        "kaito-controller",
        "--node-provisioner=karpenter",
        "--karpenter-node-classes",
        classes,
    ];
    Options::try_parse_from(arguments).unwrap().machines.karpenter
}

fn class(name: &str, status: &str) -> Arc<DynamicObject> {
    let conditions = json!([{"type": "Ready", "status": status, "reason": "X", "message": "subnet not found"}]);
    object(
        "AKSNodeClass",
        name,
        &json!({}),
        &json!({"status": {"conditions": conditions}}),
    )
}

fn pool(replicas: u32) -> Arc<DynamicObject> {
    let labels = json!({"karpenter.kaito.sh/workspace-name": "phi", "karpenter.kaito.sh/workspace-namespace": "ml"});
    object("NodePool", "ml-phi", &labels, &json!({"spec": {"replicas": replicas}}))
}

fn pool_claim(name: &str, conditions: &Value) -> Arc<DynamicObject> {
    let labels = json!({"karpenter.sh/nodepool": "ml-phi"});
    object(
        "NodeClaim",
        name,
        &labels,
        &json!({"status": {"conditions": conditions}}),
    )
}

fn pool_node(name: &str) -> Arc<Node> {
    node(
        name,
        with_labels(&json!({
            "karpenter.kaito.sh/workspace-name": "phi", "karpenter.kaito.sh/workspace-namespace": "ml",
            "karpenter.sh/nodepool": "ml-phi",
        })),
    )
}

fn there(nodes: Vec<Arc<Node>>, claims: Vec<Arc<DynamicObject>>, pools: Vec<Arc<DynamicObject>>) -> Observed {
    Observed {
        pools,
        node_classes: vec![class("gpu", "True"), class("spot", "False")],
        ..observed(nodes, claims)
    }
}

fn plan(count: u32, observed: &Observed) -> Plan {
    Karpenter::new(&options()).plan(&request(count), observed)
}

#[test]
fn a_pool_is_made_of_the_default_node_class() {
    let plan = plan(2, &there(vec![], vec![], vec![]));
    let [Action::CreatePool(pool)] = plan.actions.as_slice() else {
        panic!("{:?}", plan.actions)
    };
    insta::assert_yaml_snapshot!("node_pool_azure", pool);
    assert_eq!(plan.resources.reason, "NodeClaimNotReady");
}

#[test]
fn a_pool_of_an_inference_set_on_another_cloud() {
    let mut request = request(1);
    request.owner.inference_set = Some(("set".to_owned(), "ml".to_owned()));
    let mut options = options();
    "karpenter.k8s.gcp".clone_into(&mut options.node_class_group);
    "GCENodeClass".clone_into(&mut options.node_class_kind);
    let plan = Karpenter::new(&options).plan(&request, &there(vec![], vec![], vec![]));
    let [Action::CreatePool(pool)] = plan.actions.as_slice() else {
        panic!("{:?}", plan.actions)
    };
    insta::assert_yaml_snapshot!("node_pool_inference_set_gcp", pool);
}

#[test]
fn the_number_of_machines_is_only_ever_raised() {
    for (replicas, expected) in [(1, vec!["scale ml-phi 2"]), (2, vec![]), (3, vec![])] {
        assert_eq!(
            verbs(&plan(2, &there(vec![], vec![], vec![pool(replicas)])).actions),
            expected
        );
    }
    let leaving = there(vec![], vec![], vec![going(&pool(1))]);
    assert_eq!(
        verbs(&plan(2, &leaving).actions),
        [""; 0],
        "a pool that goes is waited for"
    );
}

#[test]
fn brought_nodes_and_older_claims_cover_part_of_it() {
    let brought = there(vec![node("a", |_| ())], vec![], vec![]);
    let two = plan(2, &brought);
    assert_eq!(verbs(&two.actions), ["adopt a", "pool ml-phi"]);
    let Action::Adopt { labels, .. } = &two.actions[0] else {
        panic!()
    };
    assert_eq!(labels["karpenter.kaito.sh/workspace-name"], "phi");
    let Action::CreatePool(pool) = &two.actions[1] else {
        panic!()
    };
    assert_eq!(pool.data["spec"]["replicas"], 1);

    let legacy = there(vec![made("old")], vec![claim(0, &ready())], vec![]);
    let one = plan(1, &legacy);
    assert_eq!(
        verbs(&one.actions),
        ["adopt old"],
        "its pods could not go there without the labels"
    );
    let two = plan(2, &legacy);
    let Some(Action::CreatePool(pool)) = two.actions.last() else {
        panic!()
    };
    assert_eq!(pool.data["spec"]["replicas"], 1, "the older machine counts once");
}

#[test]
fn a_siblings_nodes_do_not_count() {
    let sibling = node(
        "theirs",
        with_labels(&json!({
            "karpenter.kaito.sh/workspace-name": "psi", "karpenter.kaito.sh/workspace-namespace": "ml",
        })),
    );
    assert_eq!(
        verbs(&plan(1, &there(vec![sibling], vec![], vec![])).actions),
        ["pool ml-phi"]
    );
}

#[test]
fn everything_is_ready_when_the_pools_claims_and_nodes_are() {
    let claims = vec![pool_claim("x", &ready())];
    let complete = plan(1, &there(vec![pool_node("a")], claims.clone(), vec![pool(1)]));
    assert_eq!(
        said(&complete.nodes),
        (true, "NodesReady", "Enough Nodes are ready with GPU resources")
    );
    assert!(complete.ready && complete.actions.is_empty());
    assert_eq!(complete.worker_nodes, ["a"]);

    let without_node = plan(1, &there(vec![], claims, vec![pool(1)]));
    assert_eq!(without_node.resources.reason, "NodeNotReady");
    let failing = plan(1, &there(vec![], vec![pool_claim("x", &launch_error())], vec![pool(1)]));
    assert_eq!(
        said(&failing.resources),
        (false, "LaunchFailed", "no capacity in any zone")
    );
}

#[test]
fn a_node_class_that_cannot_be_used_is_told() {
    let with = |annotation: Option<&str>, observed: &Observed| {
        let mut request = request(1);
        request.owner.node_class = annotation.map(str::to_owned);
        let plan = Karpenter::new(&options()).plan(&request, observed);
        (plan.resources, plan.actions.len())
    };
    let (finding, actions) = with(Some("mine"), &there(vec![], vec![], vec![]));
    assert_eq!((finding.reason.as_str(), actions), ("NodeClassNotAllowed", 0));
    assert!(
        finding.message.ends_with("name one of gpu, spot"),
        "{}",
        finding.message
    );

    let (finding, _) = with(Some("spot"), &there(vec![], vec![], vec![]));
    assert_eq!(
        said(&finding),
        (
            false,
            "NodeClassNotReady",
            "AKSNodeClass \"spot\" is not ready: subnet not found"
        )
    );
    let (finding, _) = with(None, &observed(vec![], vec![]));
    assert_eq!(finding.reason, "NodeClassNotReady");
    assert!(finding.message.contains("does not exist"), "{}", finding.message);

    let mut absent = there(vec![], vec![], vec![]);
    absent.pools_are_served = false;
    assert_eq!(with(None, &absent).0.reason, "NodeClaimsNotServed");
}

#[test]
fn names_of_pools_fit_a_label_and_are_nobody_elses() {
    let name = |namespace: &str, name: &str, pools| {
        let mut request = request(1);
        namespace.clone_into(&mut request.owner.namespace);
        name.clone_into(&mut request.owner.name);
        let plan = Karpenter::new(&options()).plan(&request, &there(vec![], vec![], pools));
        let Some(Action::CreatePool(pool)) = plan.actions.last() else {
            panic!()
        };
        pool.name_any()
    };
    assert_eq!(name("a", &"b".repeat(61), vec![]), format!("a-{}", "b".repeat(61)));
    let long = name("a", &"b".repeat(62), vec![]);
    assert_eq!(long.len(), 63);
    assert!(long.starts_with(&format!("a-{}-", "b".repeat(51))), "{long}");
    assert_ne!(long, name("a", &format!("{}c", "b".repeat(61)), vec![]));

    let other = object("NodePool", "a-b-c", &json!({}), &json!({}));
    let second = name("a-b", "c", vec![other]);
    assert!(second.starts_with("a-b-c-") && second.len() > 6, "{second}");
}

#[test]
fn pool_and_older_claims_are_given_back_and_brought_nodes_released() {
    let adopted = node(
        "mine",
        with_labels(&json!({
            "karpenter.kaito.sh/workspace-name": "phi", "karpenter.kaito.sh/workspace-namespace": "ml",
        })),
    );
    let there = there(vec![adopted, pool_node("a")], vec![claim(0, &ready())], vec![pool(1)]);
    let old = node_claim_name(&owner("phi"), 0);
    assert_eq!(
        verbs(&Karpenter::new(&options()).release(&owner("phi"), &there)),
        [
            "delete ml-phi".to_owned(),
            format!("delete {old}"),
            "release mine".to_owned()
        ]
    );
    let gone = Observed {
        pools: vec![going(&pool(1))],
        ..Observed::default()
    };
    assert!(Karpenter::new(&options()).release(&owner("phi"), &gone).is_empty());
}
