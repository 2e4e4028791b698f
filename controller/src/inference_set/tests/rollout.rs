//! However Workspaces come and go, an update keeps its promises and ends.

use std::sync::Arc;

use kaito_api::v1beta1::{InferenceSet, Workspace};
use kube::ResourceExt;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::super::plan::{Plan, is_live, machines_each, plan, serves};
use super::super::template::{Difference, Template};
use super::{child, set, template};
use crate::workspace::testing::byo;

/// How many machines a model needs.
fn machines(set: &InferenceSet) -> u32 {
    match set.spec.template.inference.preset.as_ref().unwrap().name.as_str() {
        "large" => 2,
        _ => 1,
    }
}

/// A cluster in which Workspaces begin to serve, fail and vanish as they are told to.
#[derive(Default)]
struct World {
    workspaces: Vec<Arc<Workspace>>,
}

impl World {
    fn decide(&self, set: &InferenceSet) -> Plan {
        plan(set, &template(set), &self.workspaces, Some(i64::from(machines(set))))
    }

    fn serving(&self) -> usize {
        self.live().filter(|workspace| serves(workspace)).count()
    }

    fn live(&self) -> impl Iterator<Item = &Arc<Workspace>> {
        self.workspaces.iter().filter(|workspace| is_live(workspace))
    }

    fn held(&self) -> i64 {
        let target = |workspace: &Arc<Workspace>| workspace.status.as_ref().unwrap().target_node_count.unwrap();
        self.workspaces
            .iter()
            .map(|workspace| i64::from(target(workspace)))
            .sum()
    }

    fn make(&mut self, workspace: &Workspace, generation: i64, serves: bool, machines: i32) {
        self.workspaces.retain(|other| other.name_any() != workspace.name_any());
        let mut made = (*child(workspace, generation, serves)).clone();
        made.status.as_mut().unwrap().target_node_count = Some(machines);
        self.workspaces.push(Arc::new(made));
    }

    fn perform(&mut self, set: &InferenceSet, plan: &Plan) {
        for workspace in &plan.delete {
            let name = workspace.name_any();
            let position = self
                .workspaces
                .iter()
                .position(|other| other.name_any() == name)
                .unwrap();
            let mut deleted = (*self.workspaces[position]).clone();
            deleted.metadata.deletion_timestamp = Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
            self.workspaces[position] = Arc::new(deleted);
        }
        for workspace in &plan.change {
            let name = workspace.name_any();
            let before = self
                .workspaces
                .iter()
                .find(|other| other.name_any() == name)
                .unwrap()
                .clone();
            let restarts = template(set).difference(&before) == Difference::Content;
            let generation = before.metadata.generation.unwrap() + 1;
            let machines = before.status.as_ref().unwrap().target_node_count.unwrap();
            self.make(workspace, generation, serves(&before) && !restarts, machines);
        }
        for workspace in &plan.create {
            assert!(
                self.workspaces
                    .iter()
                    .all(|other| other.name_any() != workspace.name_any()),
                "a name is taken twice"
            );
            self.make(workspace, 1, false, i32::try_from(machines(set)).unwrap());
        }
    }

    /// What happens by itself: of each Workspace, one that is being deleted vanishes, or any other one serves.
    fn pass(&mut self, moved: impl Fn(usize) -> bool) {
        let before = std::mem::take(&mut self.workspaces);
        for (index, workspace) in before.into_iter().enumerate() {
            if !moved(index) {
                self.workspaces.push(workspace);
            } else if is_live(&workspace) {
                let status = workspace.status.as_ref().unwrap();
                let (generation, machines) = (
                    workspace.metadata.generation.unwrap(),
                    status.target_node_count.unwrap(),
                );
                self.make(&workspace, generation, true, machines);
            }
        }
    }
}

/// What a user may write, one after the other.
fn sets() -> impl Strategy<Value = Vec<InferenceSet>> {
    let one = (
        0_i32..6,
        prop::sample::select(vec!["small", "other", "large"]),
        prop::option::of(1_i64..9),
        prop::sample::select(vec![json!(1), json!(2), json!("50%"), json!("100%")]),
        prop::option::of("[ab]"),
    );
    vec(
        one.prop_map(|(replicas, model, limit, unavailable, config)| {
            set(&json!({"spec": {
                "replicas": replicas,
                "nodeCountLimit": limit,
                "updateStrategy": {"rollingUpdate": {"maxUnavailable": unavailable}},
                "template": {"inference": {"preset": {"name": model}, "config": config}},
            }}))
        }),
        1..4,
    )
}

fn is_same(template: &Template, workspace: &Workspace) -> bool {
    template.difference(workspace) == Difference::None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn an_update_keeps_its_promises_and_ends(
        sets in sets(), chances in vec(vec(any::<bool>(), 16), 12)
    ) {
        let mut world = World::default();
        let mut chances = chances.into_iter();
        for set in &sets {
            let wanted = usize::try_from(set.spec.replicas).unwrap();
            let limit = set.spec.node_count_limit;
            let tolerated = set.spec.update_strategy.max_unavailable(u32::try_from(wanted).unwrap());
            let tolerated = usize::try_from(tolerated).unwrap();
            // Some rounds in which things happen by chance, then all that can happen does.
            let mut rounds: Vec<_> = chances.by_ref().take(4).map(Some).collect();
            rounds.resize(rounds.len() + 60, None);
            for chance in rounds {
                let plan = world.decide(set);
                let (serving, live, held) = (world.serving(), world.live().count(), world.held());
                world.perform(set, &plan);
                prop_assert!(world.live().count() <= live.max(wanted), "more than there should be");
                if let Some(limit) = limit {
                    prop_assert!(world.held() <= held.max(limit), "more machines than there may be");
                }
                // Fewer may serve because fewer are wanted, or because machines are lacking.
                let possible = plan.limited_to.unwrap_or(wanted);
                let least = serving.min(possible.saturating_sub(tolerated));
                prop_assert!(world.serving() >= least, "{} of {serving} serve, at least {least}", world.serving());
                world.pass(|index| chance.as_ref().is_none_or(|chance| chance[index % chance.len()]));
            }
            prop_assert!(world.decide(set).is_empty(), "it does not end");
            let template = template(set);
            let is_possible = limit.is_none_or(|limit| i64::from(machines(set)) <= limit);
            let expected = match limit {
                _ if !is_possible => continue,
                None => wanted,
                Some(limit) => wanted.min(usize::try_from(limit / i64::from(machines(set))).unwrap()),
            };
            prop_assert_eq!(world.live().filter(|workspace| is_same(&template, workspace)).count(), expected);
            prop_assert_eq!(world.serving(), expected);
        }
    }
}

#[test]
fn an_update_to_a_model_of_unknown_size_ends_too() {
    for limit in 1..9 {
        let mut world = World::default();
        for model in ["small", "large", "other"] {
            let set = set(&json!({"spec": {
                "replicas": 4, "nodeCountLimit": limit, "template": {"inference": {"preset": {"name": model}}},
            }}));
            let decide = |world: &World| {
                let template = template(&set);
                let each = machines_each(&template, &world.workspaces, &byo());
                plan(&set, &template, &world.workspaces, each)
            };
            for _ in 0..60 {
                let plan = decide(&world);
                world.perform(&set, &plan);
                world.pass(|_| true);
            }
            assert!(
                decide(&world).is_empty(),
                "limit {limit}, {model}: {:?}",
                decide(&world)
            );
            let template = template(&set);
            let count = world.live().filter(|workspace| is_same(&template, workspace)).count();
            let fitting = usize::try_from(limit / i64::from(machines(&set))).unwrap();
            assert_eq!(count, fitting.clamp(1, 4), "limit {limit}, {model}");
        }
    }
}
