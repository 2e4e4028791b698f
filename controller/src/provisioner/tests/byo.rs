use super::*;
use crate::provisioner::byo::BringYourOwn;

#[test]
fn as_many_ready_nodes_with_the_labels_are_enough_whatever_their_type_and_gpus() {
    let bare = node("b", |node| {
        node["metadata"]["labels"] = json!({"apps": "llm"});
        node["status"]["capacity"] = json!({});
    });
    let plan = BringYourOwn.plan(&request(2), &observed(vec![bare, node("a", |_| ())], vec![]));
    assert_eq!(plan.claims, None);
    assert_eq!(said(&plan.nodes), (true, "NodesReady", "Enough Nodes are ready"));
    assert_eq!(
        said(&plan.resources),
        (true, "workspaceResourceStatusSuccess", "workspace resource is ready")
    );
    assert_eq!(plan.worker_nodes, ["a", "b"]);
    assert!(plan.ready && plan.actions.is_empty());
}

#[test]
fn too_few_nodes_are_told_with_what_is_asked_for() {
    let sick = node("sick", |node| {
        node["status"]["conditions"][0]["status"] = json!("False")
    });
    let other = node("other", |node| node["metadata"]["labels"] = json!({"apps": "web"}));
    let plan = BringYourOwn.plan(&request(2), &observed(vec![node("a", |_| ()), sick, other], vec![]));
    let message = "Not enough Nodes are ready: 1 of 2 are ready and have the labels apps=llm; 1 with the labels are not \
                   ready; machines are not made in this installation: add nodes, or label some";
    assert_eq!(said(&plan.nodes), (false, "NodeNotReady", message));
    assert_eq!(
        said(&plan.resources),
        (false, "workspaceResourceStatusNotReady", message)
    );
    assert_eq!(plan.worker_nodes, ["a", "sick"]);
    assert!(plan.actions.is_empty() && !plan.ready);
}

#[test]
fn nothing_is_asked_of_nodes_and_nothing_is_left_behind() {
    assert!(BringYourOwn.placement(&owner("phi")).is_empty());
    let there = observed(vec![node("a", |_| ())], vec![]);
    assert!(BringYourOwn.release(&owner("phi"), &there).is_empty());
}
