use super::*;
use crate::provisioner::gpu::GpuProvisioner;

fn adopted(request: &Request, nodes: Vec<Arc<Node>>) -> Vec<String> {
    let observed = Observed {
        nodes,
        ..Observed::default()
    };
    let plan = GpuProvisioner::new(&settings()).plan(request, &observed);
    verbs(&plan.actions)
}

#[test]
fn preferred_nodes_come_first_then_those_it_had_before_then_by_name() {
    let mut request = request(3);
    request.preferred = vec!["d".to_owned(), "gone".to_owned()];
    request.previous = vec!["c".to_owned()];
    let nodes = ["a", "b", "c", "d"].map(|name| node(name, |_| ()));
    assert_eq!(adopted(&request, nodes.to_vec()), ["adopt d", "adopt c", "adopt a"]);
}

#[test]
fn a_preferred_node_may_be_of_another_type_but_has_the_labels() {
    let mut request = request(2);
    request.preferred = vec!["other".to_owned(), "bare".to_owned()];
    let other = node("other", |node| {
        node["metadata"]["labels"]["node.kubernetes.io/instance-type"] = json!("x")
    });
    let bare = node("bare", |node| node["metadata"]["labels"] = json!({}));
    assert_eq!(adopted(&request, vec![Arc::clone(&other), bare]), ["adopt other"]);
    let own = node("other", |node| {
        node["metadata"]["labels"] = json!({
            "apps": "llm", "accelerator": "nvidia", "kaito.sh/workspace": "phi", "kaito.sh/workspacenamespace": "ml",
        });
    });
    request.count = 1;
    let observed = Observed {
        nodes: vec![own],
        ..Observed::default()
    };
    assert!(
        GpuProvisioner::new(&settings()).plan(&request, &observed).ready,
        "it counts once it is adopted"
    );
}

#[test]
fn nodes_of_others_and_nodes_that_cannot_be_used_are_left_alone() {
    let taken = |key: &str| with_labels(&json!({key: "somebody"}));
    for (why, edit) in [
        (
            "a sibling's",
            Box::new(taken("kaito.sh/workspace")) as Box<dyn FnOnce(&mut Value)>,
        ),
        ("an engine's", Box::new(taken("kaito.sh/ragengine"))),
        (
            "a sibling's pool's",
            Box::new(taken("karpenter.kaito.sh/workspace-name")),
        ),
        ("of a pool of Karpenter's", Box::new(taken("karpenter.sh/nodepool"))),
        ("of another type", Box::new(taken("node.kubernetes.io/instance-type"))),
        ("without the label", Box::new(taken("apps"))),
        (
            "not ready",
            Box::new(|node: &mut Value| node["status"]["conditions"][0]["status"] = json!("False")),
        ),
        (
            "about to go",
            Box::new(|node: &mut Value| node["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z")),
        ),
        (
            "cordoned",
            Box::new(|node: &mut Value| node["spec"] = json!({"unschedulable": true})),
        ),
    ] {
        assert_eq!(adopted(&request(1), vec![node("a", edit)]), [""; 0], "{why}");
    }
    let anything = Request {
        labels: BTreeMap::new(),
        ..request(1)
    };
    assert_eq!(
        adopted(&anything, vec![node("a", |_| ())]),
        [""; 0],
        "nothing says that it is meant"
    );
    let named = Request {
        preferred: vec!["a".to_owned()],
        ..anything
    };
    assert_eq!(adopted(&named, vec![node("a", |_| ())]), ["adopt a"], "its name does");
}
