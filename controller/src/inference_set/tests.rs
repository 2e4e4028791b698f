//! What is decided, from the objects that there are.

mod rollout;

use std::sync::Arc;

use kaito_api::v1beta1::{InferenceSet, Workspace};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::plan::{Plan, machines_each, plan};
use super::status::Report;
use super::template::{Difference, Template};
use crate::work::Reported;
use crate::workspace::testing::{byo, settings};

/// A set of three, and what `patch` says.
fn set(patch: &Value) -> InferenceSet {
    let mut object = json!({
        "metadata": {"name": "phi", "namespace": "team", "uid": "u-1"},
        "spec": {
            "replicas": 3,
            "labelSelector": {"matchLabels": {"apps": "phi"}},
            "template": {
                "metadata": {"labels": {"team": "search"}, "annotations": {"kaito.sh/runtime": "vllm"}},
                "resource": {"instanceType": "Standard_NC24ads_A100_v4"},
                "inference": {"preset": {"name": "phi-4"}},
            },
        },
    });
    merge(&mut object, patch);
    serde_json::from_value(object).unwrap()
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name], value);
        }
    }
}

/// A Workspace as the API server has it after it was made, and whether it serves.
fn child(workspace: &Workspace, generation: i64, serves: bool) -> Arc<Workspace> {
    let mut workspace = workspace.clone();
    workspace.metadata.generation = Some(generation);
    workspace.status = Some(
        serde_json::from_value(json!({"conditions": [{
            "type": "WorkspaceSucceeded", "status": if serves { "True" } else { "False" }, "reason": "r", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": generation,
        }]}))
        .unwrap(),
    );
    Arc::new(workspace)
}

fn template(set: &InferenceSet) -> Template {
    Template::of(set, true)
}

/// What is made from nothing, serving.
fn serving(set: &InferenceSet) -> Vec<Arc<Workspace>> {
    let made = plan(set, &template(set), &[], Some(1)).create;
    made.iter().map(|workspace| child(workspace, 1, true)).collect()
}

fn decide(set: &InferenceSet, workspaces: &[Arc<Workspace>]) -> Plan {
    plan(set, &template(set), workspaces, Some(1))
}

fn names<'a>(workspaces: impl IntoIterator<Item = &'a Workspace>) -> Vec<String> {
    workspaces.into_iter().map(ResourceExt::name_any).collect()
}

#[test]
fn workspaces_are_made_from_the_template() {
    let set = set(&json!({}));
    let made = decide(&set, &[]).create;
    let mut first = serde_json::to_value(&made[0]).unwrap();
    let hash = first["metadata"]["annotations"]["inferenceset.kaito.sh/template-hash"].take();
    assert_eq!(hash.as_str().unwrap().len(), 64);
    assert_eq!(made.len(), 3);
    assert_eq!(
        first,
        json!({
            "apiVersion": "kaito.sh/v1beta1", "kind": "Workspace",
            "metadata": {
                "name": made[0].name_any(), "namespace": "team",
                "labels": {"inferenceset.kaito.sh/created-by": "phi", "team": "search"},
                "annotations": {"inferenceset.kaito.sh/template-hash": null, "kaito.sh/runtime": "vllm"},
                "ownerReferences": [{
                    "apiVersion": "kaito.sh/v1beta1", "kind": "InferenceSet", "name": "phi", "uid": "u-1",
                    "controller": true, "blockOwnerDeletion": true,
                }],
            },
            "resource": {
                "count": 1, "instanceType": "Standard_NC24ads_A100_v4",
                "labelSelector": {"matchLabels": {"apps": "phi"}},
            },
            "inference": {"preset": {"name": "phi-4", "accessMode": "public"}},
        })
    );
    let own_nodes = Template::of(&set, false).named("a".to_owned());
    assert_eq!(own_nodes.spec.resource.unwrap().instance_type, None);
}

#[test]
fn names_are_always_the_same_and_never_too_long() {
    let set = set(&json!({}));
    assert_eq!(names(&decide(&set, &[]).create), names(&decide(&set, &[]).create));
    let there = serving(&set);
    assert!(decide(&set, &there).is_empty());
    let again = decide(&set, &there[1..]).create;
    assert_eq!(
        again[0].name_any(),
        there[0].name_any(),
        "a name that is free is taken again"
    );

    let long = super::tests::set(&json!({"metadata": {"name": "a".repeat(63)}}));
    for name in names(&decide(&long, &[]).create) {
        assert_eq!(name.len(), 52, "a Workspace cannot serve under a longer one");
    }
}

#[test]
fn too_many_are_deleted_those_that_do_not_serve_first() {
    let mut there = serving(&set(&json!({})));
    there[1] = child(&there[1], 2, false);
    let fewer = decide(&set(&json!({"spec": {"replicas": 2}})), &there);
    assert_eq!(names(fewer.delete.iter().map(AsRef::as_ref)), [there[1].name_any()]);
    assert!(fewer.create.is_empty());
    assert_eq!(decide(&set(&json!({"spec": {"replicas": 0}})), &there).delete.len(), 3);
}

#[test]
fn labels_are_changed_at_once_options_one_by_one_and_a_model_by_replacement() {
    let there = serving(&set(&json!({})));
    let labels = decide(
        &set(&json!({"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}})),
        &there,
    );
    assert_eq!((labels.change.len(), labels.delete.len()), (3, 0));

    let options = set(&json!({"spec": {"template": {"inference": {"config": "mine"}}}}));
    let first = decide(&options, &there);
    assert_eq!((first.change.len(), first.delete.len()), (1, 0));
    assert_eq!(
        first.change[0].spec.inference.as_ref().unwrap().config.as_deref(),
        Some("mine")
    );
    // Until its status speaks of the new generation, it counts as not serving.
    let mut next = there.clone();
    let position = names(next.iter().map(AsRef::as_ref))
        .iter()
        .position(|name| *name == first.change[0].name_any())
        .unwrap();
    let mut changed = (*child(&first.change[0], 1, true)).clone();
    changed.metadata.generation = Some(2);
    next[position] = Arc::new(changed);
    assert!(decide(&options, &next).is_empty());
    next[position] = child(&first.change[0], 2, true);
    assert_eq!(decide(&options, &next).change.len(), 1);

    let model = json!({"spec": {"template": {"inference": {"preset": {"name": "phi-5"}}}}});
    let replaced = decide(&set(&model), &there);
    assert_eq!(
        (replaced.change.len(), replaced.delete.len(), replaced.create.len()),
        (0, 1, 0)
    );
    let no_annotation = json!({"spec": {"template": {"metadata": {"annotations": null}}}});
    assert_eq!(decide(&set(&no_annotation), &there).change.len(), 1);
}

#[test]
fn the_strategy_is_honoured() {
    let there = serving(&set(&json!({"spec": {"replicas": 4}})));
    let with = |strategy: Value| {
        let patch = json!({"spec": {
            "replicas": 4, "updateStrategy": strategy, "template": {"inference": {"preset": {"name": "phi-5"}}},
        }});
        decide(&set(&patch), &there).delete.len()
    };
    assert_eq!(with(json!({})), 1);
    assert_eq!(with(json!({"rollingUpdate": {"maxUnavailable": 3}})), 3);
    assert_eq!(with(json!({"rollingUpdate": {"maxUnavailable": "50%"}})), 2);
    assert_eq!(with(json!({"rollingUpdate": {"maxUnavailable": "10%"}})), 1);
    assert_eq!(with(json!({"type": "OnDelete"})), 0);
}

#[test]
fn a_limit_of_machines_is_kept_and_said() {
    let limited = |limit: i64| set(&json!({"spec": {"nodeCountLimit": limit}}));
    let two_each = |set: &InferenceSet, there: &[Arc<Workspace>]| plan(set, &template(set), there, Some(2));
    assert_eq!(two_each(&limited(6), &[]).create.len(), 3);
    let fewer = two_each(&limited(5), &[]);
    assert_eq!((fewer.create.len(), fewer.limited_to), (2, Some(2)));
    assert_eq!(two_each(&limited(1), &[]).create.len(), 0);

    let there = serving(&set(&json!({})));
    let lowered = two_each(&limited(3), &there);
    assert_eq!((lowered.delete.len(), lowered.limited_to), (2, Some(1)));
    let report = Report::of(&limited(3), &template(&limited(3)), &there, &lowered, None);
    let (status, _) = report.status(&Default::default(), Some(7), jiff::Timestamp::UNIX_EPOCH);
    let ready = &status.conditions.as_ref().unwrap()[0];
    assert_eq!(
        (ready.type_.as_str(), ready.status.as_str()),
        ("InferenceSetReady", "False")
    );
    assert!(
        ready.message.contains("nodeCountLimit lets there be 1"),
        "{}",
        ready.message
    );
    assert_eq!((status.replicas, status.observed_generation), (Some(3), Some(7)));
    assert_eq!(status.selector.as_deref(), Some("inferenceset.kaito.sh/created-by=phi"));

    // A model for which the limit is too small does not end the one that serves.
    let mut larger = limited(1);
    larger.spec.replicas = 1;
    larger.spec.template.inference.preset.as_mut().unwrap().name = "large".to_owned();
    let mut one = (*there[0]).clone();
    one.status.as_mut().unwrap().target_node_count = Some(1);
    let kept = two_each(&larger, &[Arc::new(one)]);
    assert!(kept.is_empty(), "{kept:?}");
}

#[test]
fn the_first_tells_how_many_machines_each_needs() {
    let set = set(&json!({"spec": {"nodeCountLimit": 4}}));
    let decide = |there: &[Arc<Workspace>]| {
        plan(
            &set,
            &template(&set),
            there,
            machines_each(&template(&set), there, &byo()),
        )
    };
    let first = decide(&[]).create;
    assert_eq!(first.len(), 1);
    let silent = child(&first[0], 1, false);
    assert!(decide(&[Arc::clone(&silent)]).is_empty());
    let told = |machines: i32| {
        let mut told = (*silent).clone();
        told.status.as_mut().unwrap().target_node_count = Some(machines);
        Arc::new(told)
    };
    assert_eq!(decide(&[told(1)]).create.len(), 2);
    assert_eq!(decide(&[told(2)]).create.len(), 1);
    let too_large = decide(&[told(5)]);
    assert!(too_large.is_empty(), "{too_large:?}");
    assert_eq!(too_large.limited_to, Some(1));
}

#[test]
fn machines_are_counted_before_the_first_is_there() {
    let each = |instance_type: &str, config: Option<&str>| {
        let mut set = set(&json!({}));
        set.spec.template.resource.instance_type = Some(instance_type.to_owned());
        set.spec.template.inference.config = config.map(str::to_owned);
        set.spec.template.inference.preset.as_mut().unwrap().name = "qwen2.5-coder-32b-instruct".to_owned();
        machines_each(&template(&set), &[], &settings())
    };
    assert_eq!(each("Standard_NC24ads_A100_v4", None), Some(2));
    assert_eq!(each("Standard_NC96ads_A100_v4", None), Some(1));
    assert_eq!(each("Standard_NC24ads_A100_v4", Some("options")), None);
}

#[test]
fn what_was_measured_is_added_up() {
    let set = set(&json!({}));
    let mut there = serving(&set);
    let measured = |workspace: &Workspace, value: &str| {
        let mut workspace = workspace.clone();
        let metrics = json!({"metrics": {"peakTokensPerMinute": {"description": "", "value": value}}});
        workspace.status.as_mut().unwrap().performance = serde_json::from_value(metrics).unwrap();
        Arc::new(workspace)
    };
    let report = |there: &[Arc<Workspace>]| {
        let report = Report::of(&set, &template(&set), there, &decide(&set, there), None);
        report.status(&Default::default(), None, jiff::Timestamp::UNIX_EPOCH).0
    };
    assert_eq!(report(&there).performance, None);
    there = there.iter().map(|workspace| measured(workspace, "100.125")).collect();
    let status = report(&there);
    let metrics = status.performance.unwrap().metrics.unwrap();
    assert_eq!(metrics["aggregatedPeakTokensPerMinute"].value, "300.38");
    let conditions: Vec<_> = status
        .conditions
        .unwrap()
        .into_iter()
        .map(|one| (one.type_, one.status))
        .collect();
    let all = [("InferenceSetReady", "True"), ("BenchmarkCompleted", "True")];
    assert_eq!(
        conditions,
        all.map(|(name, status)| (name.to_owned(), status.to_owned()))
    );
}

#[test]
fn a_set_that_measures_nothing_waits_for_no_measurement() {
    let types = |annotations: Value| {
        let set = set(&json!({"spec": {"template": {"metadata": {"annotations": annotations}}}}));
        let there = serving(&set);
        let report = Report::of(&set, &template(&set), &there, &decide(&set, &there), None);
        let status = report.status(&Default::default(), None, jiff::Timestamp::UNIX_EPOCH).0;
        let conditions = status.conditions.unwrap();
        conditions.into_iter().map(|one| one.type_).collect::<Vec<_>>()
    };
    assert_eq!(types(json!({})), ["InferenceSetReady", "BenchmarkCompleted"]);
    assert_eq!(
        types(json!({"kaito.sh/disable-benchmark": "True"})),
        ["InferenceSetReady"]
    );
    assert_eq!(
        types(json!({"kaito.sh/runtime": "transformers"})),
        ["InferenceSetReady"]
    );
}

#[test]
fn a_workspace_of_kaito_is_taken_over_without_a_restart() {
    let set = set(&json!({}));
    let mut old = (*serving(&set)[0]).clone();
    old.metadata.name = Some("phi-x7k2p".to_owned());
    old.metadata
        .annotations
        .as_mut()
        .unwrap()
        .remove("inferenceset.kaito.sh/template-hash");
    assert_eq!(template(&set).difference(&old), Difference::Labels);
    let plan = decide(&set, &[Arc::new(old)]);
    assert_eq!((plan.change.len(), plan.delete.len(), plan.create.len()), (1, 0, 2));
}
