//! One reconcile: dereference, validate, provision, build, apply, status.

use std::sync::Arc;
use std::time::Duration;

use kaito_api::names::{WORKSPACE_FINALIZER, annotations, labels};
use kaito_api::v1beta1::Workspace;
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::{Client, ResourceExt};
use serde_json::json;
use tokio::time::Instant;

use super::apply::{Applied, apply};
use super::benchmark;
use super::build::build;
use super::caches::{Caches, Guarded};
use super::dereference::{Live, Lookup, owner};
use super::learn;
use super::status::{Observation, Report};
use super::validate::{owner_reference, validate};
use super::workload::{Task, Workload};
use crate::apply::{ApplyError, Owned};
use crate::presets::Hub;
use crate::provisioner::act::{Performed, belongings, perform};
use crate::provisioner::back_off::{BackOff, REFUSED_AGAIN};
use crate::provisioner::{Owner, Plan, Provisioner, Request};
use crate::scheduling::node_labels;
use crate::settings::Settings;
use crate::work::{
    Contents, Marks, Publisher, ReconcileError, Reconciler, Recorded, Revision, ensure_revision, let_go, mark,
};

/// Disk of machines whose model does not say.
const DISK: &str = "1024Gi";

/// What every reconcile has at hand.
pub(super) struct Context {
    /// The cluster.
    pub(super) client: Client,
    /// What is known of it.
    pub(super) caches: Arc<Caches>,
    /// Secrets and ConfigMaps.
    pub(super) contents: Contents,
    /// How the controller was started.
    pub(super) settings: Settings,
    /// Who makes machines.
    pub(super) provisioner: Arc<dyn Provisioner>,
    /// Models that are not in the catalogue.
    pub(super) hub: Hub,
    /// How soon machines are asked for again.
    pub(super) back_off: BackOff,
    /// Statuses and events.
    pub(super) publisher: Publisher<Report>,
}

impl Reconciler for Context {
    const NAME: &'static str = "workspace";
    type Object = Guarded;

    async fn reconcile(&self, workspace: &Guarded) -> Result<Action, ReconcileError> {
        match &workspace.0 {
            Ok(found) if found.metadata.deletion_timestamp.is_some() => {
                Box::pin(self.finalize(found)).await?;
                Ok(Action::await_change())
            }
            Ok(found) => Box::pin(self.look_at(found)).await,
            Err(invalid) => {
                tracing::warn!(error = invalid.error, "a workspace cannot be decoded");
                let report = Report::undecodable(&invalid.error);
                self.publisher.publish(&invalid.metadata, None, &report).await?;
                Ok(Action::await_change())
            }
        }
    }

    fn forget(&self, namespace: &str, name: &str) {
        self.publisher.forget(namespace, name);
    }
}

/// What one look at a Workspace has found and done.
struct Seen<'a> {
    workspace: &'a Workspace,
    workload: &'a Workload,
    machines: &'a Plan,
    live: &'a Live,
    applied: Result<&'a Applied, &'a ApplyError>,
}

impl Context {
    async fn look_at(&self, workspace: &Workspace) -> Result<Action, ReconcileError> {
        let owner = owner(workspace);
        let lookup = Lookup {
            workspace,
            owner: &owner,
            caches: &self.caches,
            contents: &self.contents,
            hub: &self.hub,
            provisioner: &*self.provisioner,
            settings: &self.settings,
        };
        let mut live = lookup.live();
        if workspace.spec.tuning.is_some() {
            live.training_config = lookup.training_copy().await?;
        }
        let references = lookup.references(&live).await?;
        if let Some(published) = &references.learnt {
            let owned = Owned {
                client: &self.client,
                owner: &owner.uid,
            };
            owned.ensure(learn::config_map(workspace, published), None).await?;
        }
        let revision = self.record(workspace).await?;
        // What was written a moment ago counts, also when the cache does not know it yet.
        let mut workspace = workspace.clone();
        workspace.status = Some(self.publisher.current(&workspace.metadata, workspace.status.as_ref()));
        let workload = match validate(&workspace, &references, revision.number, &self.settings) {
            Ok(workload) => workload,
            Err(problem) => {
                let previous = workspace.status.clone().unwrap_or_default();
                let observation = Observation {
                    stateful_set: live.stateful_set.as_deref(),
                    job: live.job.as_deref(),
                    pods: &live.pods,
                    ..Observation::nothing(&workspace, &previous)
                };
                let report = observation.report().invalid(&problem.to_string());
                self.publish(&workspace, &report).await?;
                return Ok(references.ask_again.map_or_else(Action::await_change, Action::requeue));
            }
        };
        let (machines, wait) = self.provision(&workspace, &workload, &lookup).await?;
        let resources = build(&workload);
        let uid = owner.uid.clone();
        let applied = Box::pin(apply(&self.client, &uid, resources, &live, &self.caches)).await;
        let seen = Seen {
            workspace: &workspace,
            workload: &workload,
            machines: &machines,
            live: &live,
            applied: applied.as_ref(),
        };
        let report = self.report(&seen).await;
        self.publish(&workspace, &report).await?;
        if applied?.migrated {
            let words = "a Deployment of an earlier operator was deleted; a StatefulSet takes its place".to_owned();
            self.tell(&workspace, EventType::Warning, "WorkloadMigration", words)
                .await;
        }
        Ok(wait.map_or_else(Action::await_change, Action::requeue))
    }

    async fn report(&self, seen: &Seen<'_>) -> Report {
        let Seen {
            workspace,
            workload,
            machines,
            live,
            applied,
        } = *seen;
        let (stateful_set, job) = match applied {
            Ok(applied) => (applied.stateful_set.as_ref(), applied.job.as_ref()),
            Err(_) => (live.stateful_set.as_deref(), live.job.as_deref()),
        };
        let previous = workspace.status.clone().unwrap_or_default();
        let nodes = self.caches.nodes.state();
        let mut observation = Observation {
            workspace,
            previous: &previous,
            machines: Some(machines),
            target_node_count: i32::try_from(workload.nodes().get()).ok(),
            stateful_set,
            job,
            pods: &live.pods,
            nodes: &nodes,
            benchmark: None,
            problem: applied.err().map(ToString::to_string),
        };
        let log = if observation.benchmark_is_due() {
            benchmark::read(&self.client, workload).await
        } else {
            None
        };
        observation.benchmark = log.as_ref();
        observation.report()
    }

    /// Records what the Workspace asks for, and puts the finalizer on it.
    async fn record(&self, workspace: &Workspace) -> Result<Revision, ApplyError> {
        let fields = &workspace.spec;
        let recorded = Recorded {
            name: workspace.name_any(),
            namespace: workspace.namespace().unwrap_or_default(),
            owner: owner_reference(workspace),
            label: labels::WORKSPACE_REVISION_OF,
            hash_annotation: annotations::WORKSPACE_HASH,
            data: json!({"resource": fields.resource, "inference": fields.inference, "tuning": fields.tuning}),
        };
        let revision = ensure_revision(&self.client, recorded, &self.caches.revisions).await?;
        let marks = Marks {
            finalizer: Some(WORKSPACE_FINALIZER),
            revision: &revision,
            hash: annotations::WORKSPACE_HASH,
            number: annotations::WORKSPACE_REVISION,
        };
        mark(&self.client, workspace, &marks).await?;
        Ok(revision)
    }

    /// Decides about machines, and does what is to be done. The duration says when to look again, if no watch will tell.
    async fn provision(
        &self,
        workspace: &Workspace,
        workload: &Workload,
        lookup: &Lookup<'_>,
    ) -> Result<(Plan, Option<Duration>), ApplyError> {
        let request = self.request(workspace, workload, lookup.owner);
        let mut plan = self.provisioner.plan(&request, &lookup.observed());
        let uid = &lookup.owner.uid;
        let previous = workspace.status.as_ref().and_then(|status| status.conditions.as_ref());
        plan.keep_last_words(previous);
        let mut actions = std::mem::take(&mut plan.actions);
        let mut wait = None;
        if plan.ready {
            self.back_off.forget(uid);
        } else if actions.iter().any(crate::provisioner::Action::asks_for_machines)
            && let Err(left) = self.back_off.ask(uid, Instant::now())
        {
            actions.retain(|action| !action.asks_for_machines());
            wait = Some(left);
        }
        for performed in perform(&self.client, &actions).await? {
            match performed {
                Performed::Created { kind, name } => {
                    let words = format!("{kind} {name:?} asks for a machine");
                    self.tell(workspace, EventType::Normal, "NodeClaimCreated", words).await;
                }
                Performed::Refused { kind, name, message } => {
                    let words = format!("the API server refuses {kind} {name:?}: {message}");
                    plan.refused(&words);
                    self.tell(workspace, EventType::Warning, "NodeClaimCreationFailed", words)
                        .await;
                    wait = wait.or(Some(REFUSED_AGAIN));
                }
            }
        }
        Ok((plan, wait))
    }

    fn request(&self, workspace: &Workspace, workload: &Workload, owner: &Owner) -> Request {
        let resource = workspace.spec.resource.as_ref();
        let instance_type = resource.and_then(|resource| resource.instance_type());
        let disk = match &workload.task {
            Task::Preset(serving) => format!("{}Gi", serving.model.disk_request().whole_gib()),
            Task::Template(_) | Task::Tuning(_) => DISK.to_owned(),
        };
        Request {
            owner: owner.clone(),
            labels: resource.map(node_labels).unwrap_or_default(),
            instance_type: instance_type.map(ToOwned::to_owned),
            count: workload.nodes().get(),
            disk,
            preferred: resource
                .and_then(|resource| resource.preferred_nodes.clone())
                .unwrap_or_default(),
            previous: workspace
                .status
                .as_ref()
                .and_then(|status| status.worker_nodes.clone())
                .unwrap_or_default(),
            has_gpus: instance_type.is_some_and(|name| self.settings.gpus_of(name).is_some()),
        }
    }

    /// Gives a Workspace's machines back, and then lets it go. Does not wait for machines to end.
    async fn finalize(&self, workspace: &Workspace) -> Result<(), ReconcileError> {
        if !workspace
            .finalizers()
            .iter()
            .any(|finalizer| finalizer == WORKSPACE_FINALIZER)
        {
            return Ok(());
        }
        let status = self.publisher.current(&workspace.metadata, workspace.status.as_ref());
        let report = Observation::nothing(workspace, &status).report();
        self.publish(workspace, &report).await?;
        let owner = owner(workspace);
        let observed = belongings(&self.client, &owner).await?;
        perform(&self.client, &self.provisioner.release(&owner, &observed)).await?;
        self.back_off.forget(&owner.uid);
        Ok(let_go(&self.client, workspace, WORKSPACE_FINALIZER).await?)
    }

    async fn publish(&self, workspace: &Workspace, report: &Report) -> Result<(), kube::Error> {
        self.publisher
            .publish(&workspace.metadata, workspace.status.as_ref(), report)
            .await
    }

    async fn tell(&self, workspace: &Workspace, type_: EventType, reason: &str, words: String) {
        self.publisher.tell(&workspace.metadata, type_, reason, words).await;
    }
}
