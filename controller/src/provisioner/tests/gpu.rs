use super::*;
use crate::options::{Cloud, ImageFamily};
use crate::provisioner::gpu::GpuProvisioner;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

fn plan(count: u32, observed: &Observed) -> Plan {
    GpuProvisioner::new(&settings()).plan(&request(count), observed)
}

fn name(index: u32) -> String {
    node_claim_name(&owner("phi"), index)
}

#[test]
fn a_claim_is_made_for_each_machine_under_names_that_follow_from_the_owner() {
    let first = plan(2, &observed(vec![], vec![]));
    assert_eq!(
        verbs(&first.actions),
        [format!("create {}", name(0)), format!("create {}", name(1))]
    );
    assert_ne!(name(0), name(1));
    assert_eq!(
        verbs(&plan(2, &observed(vec![], vec![])).actions),
        verbs(&first.actions),
        "the same look, the same names"
    );
    let claims = first.claims.unwrap();
    assert_eq!(
        said(&claims),
        (false, "NodeClaimNotReady", "Ready NodeClaims are not enough: 0 of 2")
    );
    assert_eq!(
        said(&first.nodes),
        (false, "NodeNotReady", "Not enough Nodes are ready: 0 of 2")
    );
    assert_eq!(first.resources, claims);
    assert!(!first.ready);
}

#[test]
fn a_machine_that_is_gone_is_asked_for_again_under_its_name() {
    let only_second = observed(vec![], vec![claim(1, &json!([]))]);
    assert_eq!(verbs(&plan(2, &only_second).actions), [format!("create {}", name(0))]);
    // Not before the old one of that name is gone.
    let leaving = observed(vec![], vec![going(&claim(0, &json!([]))), claim(1, &json!([]))]);
    assert_eq!(verbs(&plan(2, &leaving).actions), [""; 0]);
    // Claims that another version of the operator made count, whatever their names.
    let foreign = observed(vec![], vec![named_claim("ws123456789", &json!([]))]);
    assert_eq!(verbs(&plan(1, &foreign).actions), [""; 0]);
}

#[test]
fn everything_is_ready_when_claims_nodes_and_gpus_are() {
    let plan = plan(
        2,
        &observed(vec![made("b"), made("a")], vec![claim(0, &ready()), claim(1, &ready())]),
    );
    assert_eq!(
        said(plan.claims.as_ref().unwrap()),
        (true, "NodeClaimsReady", "Enough NodeClaims are ready")
    );
    assert_eq!(said(&plan.nodes), (true, "NodesReady", "Enough Nodes are ready"));
    assert_eq!(
        said(&plan.resources),
        (true, "workspaceResourceStatusSuccess", "workspace resource is ready")
    );
    assert!(plan.ready && plan.actions.is_empty());
    assert_eq!(plan.worker_nodes, ["a", "b"]);
}

#[test]
fn a_claim_without_a_ready_condition_is_ready_when_it_has_a_node() {
    let data = json!({"status": {"nodeName": "a"}});
    let labels = json!({"kaito.sh/workspace": "phi", "kaito.sh/workspacenamespace": "ml"});
    let claim = object("NodeClaim", "ws1", &labels, &data);
    assert!(plan(1, &observed(vec![made("a")], vec![Arc::clone(&claim)])).ready);
    assert!(
        !plan(1, &observed(vec![made("a")], vec![going(&claim)])).ready,
        "one that goes never counts"
    );
}

#[test]
fn resources_are_not_ready_for_the_reason_of_the_claims_else_of_the_nodes() {
    let sick = node("a", |node| {
        with_labels(&json!({"kaito.sh/workspace": "phi", "kaito.sh/workspacenamespace": "ml"}))(node);
        node["metadata"]["labels"]["karpenter.sh/nodepool"] = json!("kaito");
        node["status"]["conditions"][0]["status"] = json!("Unknown");
    });
    let waiting = plan(1, &observed(vec![sick], vec![claim(0, &ready())]));
    assert!(waiting.claims.unwrap().is_true());
    assert_eq!(waiting.resources, waiting.nodes);
    assert_eq!(waiting.nodes.reason, "NodeNotReady");
    assert_eq!(waiting.worker_nodes, ["a"], "ready or not");
}

#[test]
fn the_launch_error_is_told_and_awaiting_reconciliation_only_when_there_is_nothing_else() {
    let awaiting = json!([
        {"type": "Launched", "status": "Unknown", "reason": "AwaitingReconciliation", "message": "object is awaiting"},
    ]);
    let both = plan(
        2,
        &observed(vec![], vec![claim(0, &awaiting), claim(1, &launch_error())]),
    );
    assert_eq!(
        said(&both.resources),
        (false, "LaunchFailed", "no capacity in any zone")
    );

    let one = plan(1, &observed(vec![], vec![claim(0, &awaiting)]));
    assert_eq!(
        said(&one.resources),
        (false, "AwaitingReconciliation", "object is awaiting")
    );

    let registering = json!([
        {"type": "Launched", "status": "True", "reason": "Launched", "message": ""},
        {"type": "Registered", "status": "Unknown", "reason": "NodeNotFound", "message": "Node not registered"},
    ]);
    let stage = plan(1, &observed(vec![], vec![claim(0, &registering)]));
    assert_eq!(said(&stage.resources), (false, "NodeNotFound", "Node not registered"));

    let long = json!([{"type": "Launched", "status": "False", "reason": "LaunchFailed", "message": "x".repeat(300)}]);
    let long = plan(1, &observed(vec![], vec![claim(0, &long)]));
    assert_eq!(long.resources.message, format!("{}...", "x".repeat(256)));
}

fn told_before(reason: &str) -> Vec<Condition> {
    vec![Condition {
        type_: types::NODE_CLAIMS.to_owned(),
        status: "False".to_owned(),
        reason: reason.to_owned(),
        message: "no capacity (last reconcile error: x)".to_owned(),
        last_transition_time: Time(jiff::Timestamp::UNIX_EPOCH),
        observed_generation: None,
    }]
}

#[test]
fn the_launch_error_stays_until_the_next_claim_has_something_to_say() {
    let before = told_before("LaunchFailed");
    let awaiting =
        json!([{"type": "Launched", "status": "Unknown", "reason": "AwaitingReconciliation", "message": "x"}]);
    for claims in [vec![], vec![going(&claim(0, &json!([])))], vec![claim(0, &awaiting)]] {
        let mut plan = plan(1, &observed(vec![], claims));
        plan.keep_last_words(Some(&before));
        assert_eq!(said(&plan.resources), (false, "LaunchFailed", "no capacity"));
        assert_eq!(plan.claims.as_ref(), Some(&plan.resources));
    }
    let launched = json!([{"type": "Launched", "status": "True", "reason": "Launched", "message": ""}]);
    for claims in [claim(0, &launched), claim(0, &launch_error()), claim(0, &ready())] {
        let mut plan = plan(1, &observed(vec![], vec![claims]));
        let untouched = plan.clone();
        plan.keep_last_words(Some(&before));
        assert_eq!(plan, untouched);
    }
    let mut nothing_told = plan(1, &observed(vec![], vec![]));
    let untouched = nothing_told.clone();
    nothing_told.keep_last_words(Some(&told_before("NodeClaimNotReady")));
    nothing_told.keep_last_words(None);
    assert_eq!(nothing_told, untouched);
}

#[test]
fn a_node_without_its_gpus_is_marked_and_waited_for() {
    let bare = node("a", |node| {
        with_labels(&json!({"kaito.sh/workspace": "phi", "kaito.sh/workspacenamespace": "ml"}))(node);
        node["metadata"]["labels"]
            .as_object_mut()
            .unwrap()
            .remove("accelerator");
        node["status"]["capacity"] = json!({});
    });
    let first = plan(1, &observed(vec![bare], vec![]));
    assert_eq!(verbs(&first.actions), ["mark a"]);
    assert_eq!(first.nodes.reason, "NodePluginsNotReady");
    assert_eq!(first.resources, first.nodes);

    let zero = node("a", |node| {
        with_labels(&json!({"kaito.sh/workspace": "phi", "kaito.sh/workspacenamespace": "ml"}))(node);
        node["status"]["capacity"] = json!({"nvidia.com/gpu": "0"});
    });
    let second = plan(1, &observed(vec![Arc::clone(&zero)], vec![]));
    assert_eq!(second.nodes.reason, "NodePluginsNotReady");
    assert!(second.actions.is_empty());

    let cpu = Request {
        has_gpus: false,
        ..request(1)
    };
    assert!(
        GpuProvisioner::new(&settings())
            .plan(&cpu, &observed(vec![zero], vec![]))
            .ready
    );
}

#[test]
fn nodes_that_the_user_brought_are_adopted_and_fewer_machines_are_made() {
    let free = observed(vec![node("b", |_| ()), node("a", |_| ()), node("c", |_| ())], vec![]);
    let two = plan(2, &free);
    assert_eq!(verbs(&two.actions), ["adopt a", "adopt b"]);
    let Action::Adopt {
        labels,
        resource_version,
        ..
    } = &two.actions[0]
    else {
        panic!()
    };
    assert_eq!(labels["kaito.sh/workspace"], "phi");
    assert_eq!(labels["kaito.sh/workspacenamespace"], "ml");
    assert_eq!(resource_version.as_deref(), Some("7"));
    assert!(!two.ready, "pods cannot go there before the labels are");
    assert!(two.claims.unwrap().is_true(), "no claim is needed");

    let three = plan(3, &observed(vec![node("a", |_| ())], vec![]));
    assert_eq!(
        verbs(&three.actions),
        [
            "adopt a".to_owned(),
            format!("create {}", name(0)),
            format!("create {}", name(1))
        ]
    );
}

#[test]
fn an_adopted_node_counts_and_one_that_is_lost_is_replaced_by_a_machine() {
    let adopted = |status: &'static str| {
        node("a", move |node| {
            with_labels(&json!({"kaito.sh/workspace": "phi", "kaito.sh/workspacenamespace": "ml"}))(node);
            node["status"]["conditions"][0]["status"] = json!(status);
        })
    };
    assert!(plan(1, &observed(vec![adopted("True")], vec![])).ready);
    let lost = plan(1, &observed(vec![adopted("Unknown")], vec![]));
    assert_eq!(verbs(&lost.actions), [format!("create {}", name(0))]);
}

#[test]
fn a_claim_that_waits_is_given_back_when_a_node_was_brought_and_a_machine_is_not() {
    let brought = |claims| plan(1, &observed(vec![node("a", |_| ())], claims));
    assert_eq!(
        verbs(&brought(vec![claim(0, &launch_error())]).actions),
        ["adopt a".to_owned(), format!("delete {}", name(0))]
    );
    assert_eq!(
        verbs(&brought(vec![going(&claim(0, &launch_error()))]).actions),
        ["adopt a"]
    );
    let launched = json!([{"type": "Launched", "status": "True"}]);
    assert_eq!(
        verbs(&brought(vec![claim(0, &launched)]).actions),
        [""; 0],
        "its machine is paid for, so the node is not needed"
    );
    let own = plan(
        1,
        &observed(vec![made("own"), node("a", |_| ())], vec![claim(0, &ready())]),
    );
    assert_eq!(verbs(&own.actions), [""; 0], "nothing is missing");
}

#[test]
fn without_node_claims_or_a_machine_type_the_condition_says_what_to_do() {
    let mut absent = observed(vec![], vec![]);
    absent.claims_are_served = false;
    let without = plan(1, &absent);
    assert_eq!(without.resources.reason, "NodeClaimsNotServed");
    assert!(without.actions.is_empty());
    absent.nodes = vec![node("a", |_| ())];
    assert_eq!(
        verbs(&plan(1, &absent).actions),
        ["adopt a"],
        "nodes can be brought all the same"
    );

    let untyped = Request {
        instance_type: None,
        ..request(1)
    };
    let untyped = GpuProvisioner::new(&settings()).plan(&untyped, &observed(vec![], vec![]));
    assert_eq!(untyped.resources.reason, "InstanceTypeMissing");
    assert!(untyped.actions.is_empty());
}

#[test]
fn what_was_made_is_given_back_and_what_was_brought_is_released() {
    let adopted = node(
        "mine",
        with_labels(&json!({"kaito.sh/workspace": "phi", "kaito.sh/workspacenamespace": "ml"})),
    );
    let sibling = node(
        "theirs",
        with_labels(&json!({"kaito.sh/workspace": "other", "kaito.sh/workspacenamespace": "ml"})),
    );
    let there = observed(
        vec![adopted, made("a"), sibling, node("free", |_| ())],
        vec![claim(0, &ready()), going(&claim(1, &ready()))],
    );
    let actions = GpuProvisioner::new(&settings()).release(&owner("phi"), &there);
    assert_eq!(
        verbs(&actions),
        [format!("delete {}", name(0)), "release mine".to_owned()]
    );
    let Action::Release { labels, .. } = &actions[1] else {
        panic!()
    };
    assert_eq!(labels, &["kaito.sh/workspace", "kaito.sh/workspacenamespace"]);
}

#[test]
fn pods_go_to_nodes_with_the_owners_labels() {
    let placement = GpuProvisioner::new(&settings()).placement(&owner("phi"));
    let expected = [("kaito.sh/workspace", "phi"), ("kaito.sh/workspacenamespace", "ml")];
    assert_eq!(
        placement,
        expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    );
}

fn made_claim(request: &Request, edit: impl FnOnce(&mut Settings)) -> DynamicObject {
    let mut settings = settings();
    edit(&mut settings);
    node_claim(request, A100, 0, &settings)
}

#[test]
fn a_workspaces_claim_on_azure_and_aws() {
    insta::assert_yaml_snapshot!("workspace_node_claim_azure", made_claim(&request(1), |_| ()));
    insta::assert_yaml_snapshot!(
        "workspace_node_claim_aws",
        made_claim(&request(1), |settings| settings.cloud = Cloud::Aws)
    );
}

#[test]
fn the_image_family_is_the_annotations_else_the_installations() {
    for (annotation, default, expected) in [
        (None, ImageFamily::Ubuntu, "ubuntu"),
        (None, ImageFamily::Azurelinux, "azurelinux"),
        (Some("azurelinux"), ImageFamily::Ubuntu, "azurelinux"),
        (Some(" AzureLinux "), ImageFamily::Ubuntu, "azurelinux"),
        (Some("UBUNTU"), ImageFamily::Azurelinux, "ubuntu"),
        (Some("windows"), ImageFamily::Azurelinux, "azurelinux"),
    ] {
        let mut request = request(1);
        request.owner.image_family = annotation.map(str::to_owned);
        let claim = made_claim(&request, |settings| settings.image_family = default);
        assert_eq!(
            claim.annotations()["kaito.sh/node-image-family"],
            expected,
            "{annotation:?}"
        );
    }
}
