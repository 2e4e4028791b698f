//! Nodes that users bring: nothing is made, and pods go to any node with the labels.

use std::collections::BTreeMap;

use kube::ResourceExt;

use super::nodes::{is_ready, not_enough};
use super::request::has_all;
use super::{Action, Observed, Owner, Plan, Provisioner, Request};
use crate::conditions::Finding;

/// Makes nothing.
pub(super) struct BringYourOwn;

impl Provisioner for BringYourOwn {
    fn plan(&self, request: &Request, observed: &Observed) -> Plan {
        let asked = || {
            observed
                .nodes
                .iter()
                .filter(|node| has_all(node.labels(), &request.labels))
        };
        let mut worker_nodes: Vec<_> = asked().map(|node| node.name_any()).collect();
        worker_nodes.sort();
        let ready = asked().filter(|node| is_ready(node)).count();
        let wanted = usize::try_from(request.count).unwrap_or(usize::MAX);
        if ready >= wanted {
            let nodes = Finding::holds("NodesReady", "Enough Nodes are ready");
            return Plan::of(nodes, None, worker_nodes, Vec::new());
        }
        let details = [
            format!(" are ready and have {}", words(&request.labels)),
            match worker_nodes.len() - ready {
                0 => String::new(),
                unready => format!("; {unready} with the labels are not ready"),
            },
            "; machines are not made in this installation: add nodes, or label some".to_owned(),
        ];
        let nodes = not_enough(ready, wanted, &details);
        let resources = Finding::fails("workspaceResourceStatusNotReady", nodes.message.clone());
        Plan {
            resources,
            ..Plan::of(nodes, None, worker_nodes, Vec::new())
        }
    }

    fn placement(&self, _: &Owner) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    fn release(&self, _: &Owner, _: &Observed) -> Vec<Action> {
        Vec::new()
    }
}

fn words(labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return "any labels".to_owned();
    }
    let all: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("the labels {}", all.join(","))
}
