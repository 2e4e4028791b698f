//! Rows of the table of conditions.

mod benchmark;
mod pods;

use serde_json::{Value, json};

use super::*;
use crate::conditions::Truth;
use crate::work::Reported;

/// A Workspace `phi` of namespace `ml` and what is found out about it, to be changed by each test.
struct Scene {
    workspace: Value,
    previous: WorkspaceStatus,
    machines: Option<Plan>,
    stateful_set: Option<Value>,
    job: Option<Value>,
    pods: Vec<Arc<Pod>>,
    nodes: Vec<Arc<Node>>,
    benchmark: Option<BenchmarkLog>,
    problem: Option<String>,
}

impl Scene {
    /// A Workspace whose machines and pods are ready, without a benchmark.
    fn served() -> Self {
        Self {
            workspace: json!({
                "apiVersion": "kaito.sh/v1beta1", "kind": "Workspace",
                "metadata": {"name": "phi", "namespace": "ml"},
                "resource": {"labelSelector": {"matchLabels": {"apps": "llm"}}},
                "inference": {"preset": {"name": "phi-4-mini-instruct"}},
            }),
            previous: WorkspaceStatus::default(),
            machines: Some(machines(Finding::holds("NodesReady", "Enough Nodes are ready"))),
            stateful_set: Some(stateful_set(1, 1)),
            job: None,
            pods: Vec::new(),
            nodes: Vec::new(),
            benchmark: None,
            problem: None,
        }
    }

    fn tuning(status: &Value) -> Self {
        let mut scene = Self::served();
        let fields = scene.workspace.as_object_mut().unwrap();
        fields.remove("inference");
        fields.insert(
            "tuning".to_owned(),
            json!({"preset": {"name": "phi-3-mini-128k-instruct"}, "input": {"image": "a"}, "output": {"image": "b"}}),
        );
        scene.job = Some(json!({"metadata": {"name": "phi"}, "status": status}));
        scene
    }

    fn look<T>(&self, then: impl FnOnce(&Observation<'_>) -> T) -> T {
        let read = |value: &Value| serde_json::from_value(value.clone()).unwrap();
        let stateful_set = self.stateful_set.as_ref().map(read);
        let job = self
            .job
            .as_ref()
            .map(|job| serde_json::from_value(job.clone()).unwrap());
        let workspace = serde_json::from_value(self.workspace.clone()).unwrap();
        then(&Observation {
            workspace: &workspace,
            previous: &self.previous,
            machines: self.machines.as_ref(),
            target_node_count: Some(1),
            stateful_set: stateful_set.as_ref(),
            job: job.as_ref(),
            pods: &self.pods,
            nodes: &self.nodes,
            benchmark: self.benchmark.as_ref(),
            problem: self.problem.clone(),
        })
    }

    fn report(&self) -> Report {
        self.look(|observation| observation.report())
    }

    fn is_due(&self) -> bool {
        self.look(|observation| observation.benchmark_is_due())
    }

    /// What is said of one type: status, reason and message.
    fn says(&self, type_: &str) -> (Truth, String, String) {
        let finding = self.report().finding(type_).expect(type_).clone();
        (finding.truth, finding.reason, finding.message)
    }

    /// Reports, and takes what was reported for the status.
    fn pass(&mut self) -> WorkspaceStatus {
        let (status, _) = self
            .report()
            .status(&self.previous, Some(1), jiff::Timestamp::UNIX_EPOCH);
        self.previous = status.clone();
        status
    }
}

fn machines(nodes: Finding) -> Plan {
    let mut plan = Plan::of_nodes(nodes);
    plan.worker_nodes = vec!["a".to_owned(), "b".to_owned()];
    plan
}

fn stateful_set(replicas: i32, ready: i32) -> Value {
    json!({
        "metadata": {"name": "phi", "generation": 2},
        "spec": {"replicas": replicas, "selector": {}, "serviceName": "phi-headless", "template": {"spec": {"containers": [
            {"name": "phi", "startupProbe": {"httpGet": {"path": "/health", "port": 5000}}},
        ]}}},
        "status": {"replicas": replicas, "readyReplicas": ready, "observedGeneration": 2},
    })
}

fn said(truth: Truth, reason: &str, message: &str) -> (Truth, String, String) {
    (truth, reason.to_owned(), message.to_owned())
}

#[test]
fn a_served_model_is_ready() {
    let scene = Scene::served();
    assert_eq!(
        scene.says(types::INFERENCE),
        said(
            Truth::True,
            "WorkspaceInferenceStatusSuccess",
            "Inference has been deployed successfully"
        )
    );
    assert_eq!(
        scene.says(types::SUCCEEDED),
        said(Truth::True, "workspaceSucceeded", "workspace succeeds")
    );
    let report = scene.report();
    assert_eq!(report.state, Some(WorkspaceState::Ready));
    assert_eq!(report.worker_nodes, ["a", "b"]);
    let shown: Vec<_> = report.findings.iter().map(|(type_, _)| *type_).collect();
    assert_eq!(
        shown,
        ["NodesReady", "ResourceReady", "InferenceReady", "WorkspaceSucceeded"],
        "no claims without machines that are made, no benchmark without its probe"
    );
}

#[test]
fn a_model_is_not_served_without_machines_or_pods() {
    let pending = said(
        Truth::False,
        "WorkspaceInferenceStatusPending",
        "Inference workload is not ready",
    );
    let no_nodes = Finding::fails("NodeNotReady", "Not enough Nodes are ready");
    for change in [
        (|scene: &mut Scene| scene.stateful_set = None) as fn(&mut Scene),
        |scene| scene.stateful_set = Some(stateful_set(2, 1)),
        |scene| scene.stateful_set.as_mut().unwrap()["metadata"]["generation"] = json!(3),
        |scene| scene.machines = None,
    ] {
        let mut scene = Scene::served();
        change(&mut scene);
        assert_eq!(scene.says(types::INFERENCE), pending);
        assert_eq!(
            scene.says(types::SUCCEEDED),
            said(
                Truth::False,
                "workspacePending",
                "workspace is waiting for inference workload readiness"
            )
        );
        assert_eq!(scene.report().state, Some(WorkspaceState::Pending));
    }
    let mut scene = Scene::served();
    scene.machines = Some(machines(no_nodes));
    assert_eq!(scene.says(types::INFERENCE), pending);
    assert_eq!(
        scene.says(types::RESOURCE),
        said(Truth::False, "NodeNotReady", "Not enough Nodes are ready")
    );
}

#[test]
fn what_was_ready_once_is_not_pending_again() {
    let mut scene = Scene::served();
    scene.pass();
    scene.stateful_set = Some(stateful_set(1, 0));
    assert_eq!(scene.pass().state, Some(WorkspaceState::NotReady));
    assert_eq!(scene.pass().state, Some(WorkspaceState::NotReady));
    scene.stateful_set = Some(stateful_set(1, 1));
    assert_eq!(scene.pass().state, Some(WorkspaceState::Ready));
}

#[test]
fn the_number_of_machines_is_set_once() {
    let mut scene = Scene::served();
    assert_eq!(scene.pass().target_node_count, Some(1));
    scene.previous.target_node_count = Some(3);
    assert_eq!(scene.pass().target_node_count, Some(3));
    scene.previous.target_node_count = Some(0);
    assert_eq!(scene.pass().target_node_count, Some(1));
}

#[test]
fn of_a_tuning_the_job_is_told_and_no_model() {
    let scene = Scene::tuning(&json!({"succeeded": 1}));
    let report = scene.report();
    let shown: Vec<_> = report
        .findings
        .iter()
        .map(|(type_, finding)| (*type_, finding.is_true()))
        .collect();
    assert_eq!(
        shown,
        [
            ("NodesReady", true),
            ("ResourceReady", true),
            ("JobStarted", true),
            ("WorkspaceSucceeded", true)
        ]
    );
    assert_eq!(report.state, Some(WorkspaceState::Succeeded));
    assert_eq!(report.target_node_count, Some(1));
}

#[test]
fn nodes_with_too_little_of_something_are_told_of() {
    let node = |name: &str, conditions: &[(&str, &str)]| -> Arc<Node> {
        let conditions: Vec<_> = conditions
            .iter()
            .map(|(type_, status)| json!({"type": type_, "status": status}))
            .collect();
        let node = json!({"metadata": {"name": name}, "status": {"conditions": conditions}});
        Arc::new(serde_json::from_value(node).unwrap())
    };
    let mut scene = Scene::served();
    scene.nodes = vec![
        node("b", &[("PIDPressure", "True")]),
        node(
            "a",
            &[("MemoryPressure", "True"), ("DiskPressure", "True"), ("Ready", "True")],
        ),
        node("others", &[("DiskPressure", "True")]),
    ];
    let words = "Enough Nodes are ready; warning: worker node(s) under resource pressure: a (DiskPressure, \
                 MemoryPressure); b (PIDPressure)";
    assert_eq!(scene.says(types::NODES), said(Truth::True, "NodesReady", words));
    assert_eq!(scene.says(types::RESOURCE).2, "workspace resource is ready");
    scene.nodes = vec![node("a", &[("DiskPressure", "False")])];
    assert_eq!(scene.says(types::NODES).2, "Enough Nodes are ready");
}

#[test]
fn every_message_ends_with_what_went_wrong_once() {
    let mut scene = Scene::served();
    scene.problem = Some("no route to host".to_owned());
    for _ in 0..2 {
        let report = scene.report();
        for (type_, finding) in &report.findings {
            let count = finding
                .message
                .matches(" (last reconcile error: no route to host)")
                .count();
            assert_eq!(count, 1, "{type_}: {}", finding.message);
        }
        scene.pass();
    }
    // What was found out before stays when nothing new could be, without the error of that time.
    scene.machines = None;
    scene.problem = Some("another".to_owned());
    assert_eq!(
        scene.says(types::NODES).2,
        "Enough Nodes are ready (last reconcile error: another)"
    );
    scene.problem = None;
    assert_eq!(scene.says(types::NODES).2, "Enough Nodes are ready");
}

#[test]
fn a_workspace_that_is_deleted_says_only_that_beside_what_it_said() {
    let mut scene = Scene::served();
    let before = scene.pass();
    scene.workspace["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    scene.stateful_set = None;
    scene.machines = None;
    for _ in 0..2 {
        let after = scene.pass();
        let (last, others) = after.conditions.as_ref().unwrap().split_last().unwrap();
        assert_eq!(others, before.conditions.as_deref().unwrap());
        assert_eq!(
            (
                last.type_.as_str(),
                last.status.as_str(),
                last.reason.as_str(),
                last.message.as_str()
            ),
            (
                "WorkspaceDeleting",
                "True",
                "workspaceDeleted",
                "workspace is being deleted"
            )
        );
        assert_eq!((after.state, &after.worker_nodes), (before.state, &before.worker_nodes));
    }
}

#[test]
fn an_object_that_cannot_be_read_says_so() {
    let report = Report::undecodable("missing field `labelSelector`");
    assert_eq!(report.finding(types::SUCCEEDED).unwrap().reason, "InvalidSpec");
}
