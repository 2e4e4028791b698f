//! Which Workspaces of a set to make, to change and to delete. Pure.
//!
//! No Workspace is made beyond `replicas`, and none that `nodeCountLimit` has no machines for. An update takes no more
//! Workspaces out of service than `maxUnavailable`; those that are out of service anyway cost nothing and go first. A
//! Workspace whose model or machines have to be others is deleted, and a new one takes its place when it is gone from
//! the count.

use std::collections::BTreeSet;
use std::sync::Arc;

use kaito_api::v1beta1::{InferenceSet, UpdateStrategyType, Workspace};
use kube::ResourceExt;

use super::template::{Difference, Template};
use crate::conditions::find;
use crate::settings::Settings;
use crate::workspace::machines;

/// The condition of a Workspace that serves.
const SERVES: &str = "WorkspaceSucceeded";

/// What to do.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Workspaces to make.
    pub(crate) create: Vec<Workspace>,
    /// Workspaces to change, as they should be.
    pub(crate) change: Vec<Workspace>,
    /// Workspaces to delete.
    pub(crate) delete: Vec<Arc<Workspace>>,
    /// How many there may be because of `nodeCountLimit`, if that is fewer than there should be.
    pub(crate) limited_to: Option<usize>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.create.is_empty() && self.change.is_empty() && self.delete.is_empty()
    }
}

/// A Workspace that is not being deleted, and what counts of it.
struct Child<'a> {
    workspace: &'a Arc<Workspace>,
    serves: bool,
    difference: Difference,
}

/// Whether a Workspace serves, as it is now: what is said of an earlier generation does not count.
pub(crate) fn serves(workspace: &Workspace) -> bool {
    let conditions = workspace.status.as_ref().and_then(|status| status.conditions.as_ref());
    find(conditions, SERVES).is_some_and(|condition| {
        let is_now = condition.observed_generation >= workspace.metadata.generation;
        // KAITO's controller says no generation.
        condition.status == "True" && (condition.observed_generation.is_none() || is_now)
    })
}

/// Whether a Workspace is there to stay.
pub(crate) fn is_live(workspace: &Workspace) -> bool {
    workspace.metadata.deletion_timestamp.is_none()
}

/// How many machines a Workspace needs, if it has said so.
fn told(workspace: &Workspace) -> Option<i64> {
    let target = workspace.status.as_ref()?.target_node_count?;
    (target > 0).then(|| i64::from(target))
}

/// How many machines each Workspace of the template needs: as one of `workspaces` has said, else as is estimated.
/// `None` when it depends on a ConfigMap or on the users' nodes, which only the Workspaces themselves look at.
pub(crate) fn machines_each(template: &Template, workspaces: &[Arc<Workspace>], settings: &Settings) -> Option<i64> {
    let alike = workspaces
        .iter()
        .filter(|workspace| template.difference(workspace) != Difference::Kind);
    let told = alike.filter_map(|workspace| told(workspace)).max();
    told.or_else(|| Some(i64::from(machines(template.workspace(), settings)?.get())))
}

/// Decides. `workspaces` are all that belong to the set; `machines_each` is how many machines one of the template needs,
/// if that is known. Where there is a limit and it is not known, one Workspace is made, to tell.
///
/// One Workspace is kept whatever it needs: without it nothing would serve.
pub(crate) fn plan(
    set: &InferenceSet,
    template: &Template,
    workspaces: &[Arc<Workspace>],
    machines_each: Option<i64>,
) -> Plan {
    let each = machines_each.unwrap_or(1).max(1);
    let machines = |workspace: &Workspace| told(workspace).unwrap_or(each);
    let replicas = u32::try_from(set.spec.replicas).unwrap_or_default();
    let limit = set.spec.node_count_limit;
    let room = |used: i64| limit.map_or(usize::MAX, |limit| count((limit - used).max(0) / each));
    let wanted = size(replicas);

    let mut kept: Vec<Child<'_>> = workspaces
        .iter()
        .filter(|workspace| is_live(workspace))
        .map(|workspace| Child {
            workspace,
            serves: serves(workspace),
            difference: template.difference(workspace),
        })
        .collect();
    // Those that are missed least come last.
    kept.sort_by_key(|child| {
        let made = child.workspace.creation_timestamp();
        let age = made.map(|made| made.0);
        let is_old = matches!(child.difference, Difference::Kind | Difference::Content);
        (!child.serves, is_old, age, child.workspace.name_any())
    });
    let mut superfluous = kept.split_off(wanted.min(kept.len()));
    // Of those that there are not machines enough for, the ones that an update would replace go first: it would begin
    // anew each time if the ones that it has made did.
    kept.sort_by_key(|child| child.difference == Difference::Kind);
    let mut used = 0;
    let affordable = kept.iter().take_while(|child| {
        used += machines(child.workspace);
        limit.is_none_or(|limit| used <= limit)
    });
    let affordable = affordable.count().max(1).min(kept.len());
    superfluous.extend(kept.split_off(affordable));
    let mut plan = Plan::default();
    plan.delete
        .extend(superfluous.iter().map(|child| Arc::clone(child.workspace)));

    // What is being deleted still has its machines.
    let held: i64 = workspaces.iter().map(|workspace| machines(workspace)).sum();
    let kept_machines: i64 = kept.iter().map(|child| machines(child.workspace)).sum();
    let is_asked = workspaces
        .iter()
        .any(|workspace| template.difference(workspace) != Difference::Kind);
    let most = match machines_each {
        None if limit.is_some() => usize::from(!is_asked),
        _ => usize::MAX,
    };
    let missing = wanted.saturating_sub(kept.len());
    let names = template.names().filter(fresh(workspaces));
    plan.create.extend(
        names
            .take(missing.min(most).min(room(held)))
            .map(|name| template.named(name)),
    );

    // With fewer machines than all would need, those that there can be are what an update must not take away.
    let reachable = wanted.min(kept.len().saturating_add(room(kept_machines)));
    plan.limited_to = (reachable < wanted).then_some(reachable);
    let is_possible = limit.is_none_or(|limit| each <= limit);
    let tolerated = set.spec.update_strategy.max_unavailable(replicas);
    let serving = kept.iter().filter(|child| child.serves).count();
    let mut budget = serving.saturating_sub(reachable.saturating_sub(size(tolerated)));
    let is_rolling = set.spec.update_strategy.kind == UpdateStrategyType::RollingUpdate;
    for child in &kept {
        let may = match child.difference {
            Difference::None => continue,
            Difference::Labels => true,
            Difference::Content | Difference::Kind if !is_rolling => false,
            // Its machines would not be enough for the one that takes its place.
            Difference::Kind if !is_possible => false,
            Difference::Content | Difference::Kind if child.serves => {
                let may = budget > 0;
                budget = budget.saturating_sub(1);
                may
            }
            Difference::Content | Difference::Kind => true,
        };
        match child.difference {
            Difference::Kind if may => plan.delete.push(Arc::clone(child.workspace)),
            _ if may => plan.change.push(changed(template, child.workspace)),
            _ => {}
        }
    }
    plan
}

/// A Workspace as it should be; one that is gone in the meantime is not made again.
fn changed(template: &Template, workspace: &Workspace) -> Workspace {
    let mut changed = template.named(workspace.name_any());
    changed.metadata.uid = workspace.uid();
    changed
}

/// Names that no Workspace has; one that is being deleted still has its name.
fn fresh(workspaces: &[Arc<Workspace>]) -> impl FnMut(&String) -> bool {
    let mut taken: BTreeSet<String> = workspaces.iter().map(|workspace| workspace.name_any()).collect();
    move |name| taken.insert(name.clone())
}

fn size(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn count(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}
