//! One reconcile: look, plan, do, and say how it is.

use std::sync::Arc;

use kaito_api::names::{INFERENCE_SET_FINALIZER, annotations, labels};
use kaito_api::v1beta1::{InferenceSet, Workspace};
use kube::api::ListParams;
use kube::core::ObjectMeta;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::apply::perform;
use super::caches::{Caches, Guarded, GuardedWorkspace};
use super::plan::{Plan, is_live, machines_each, plan};
use super::service::service;
use super::status::Report;
use super::template::Template;
use crate::apply::{ApplyError, Owned, delete};
use crate::options::NodeProvisioner;
use crate::settings::Settings;
use crate::work::{Marks, Publisher, ReconcileError, Reconciler, Recorded, ensure_revision, let_go, mark};

/// What every reconcile has at hand.
pub(super) struct Context {
    /// The cluster.
    pub(super) client: Client,
    /// What is known of it.
    pub(super) caches: Arc<Caches>,
    /// Statuses and events.
    pub(super) publisher: Publisher<Report>,
    /// How the controller was started.
    pub(super) settings: Settings,
}

impl Reconciler for Context {
    const NAME: &'static str = "inferenceset";
    type Object = Guarded;

    async fn reconcile(&self, set: &Guarded) -> Result<Action, ReconcileError> {
        match &set.0 {
            Ok(set) if set.metadata.deletion_timestamp.is_some() => self.finalize(set).await?,
            Ok(set) => self.look_at(set).await?,
            Err(invalid) => {
                tracing::warn!(error = invalid.error, "an InferenceSet cannot be decoded");
                let why = format!("the InferenceSet cannot be read: {}", invalid.error);
                self.publish(&invalid.metadata, None, &Report::failed(&why)).await?;
            }
        }
        Ok(Action::await_change())
    }

    fn forget(&self, namespace: &str, name: &str) {
        self.publisher.forget(namespace, name);
    }
}

impl Context {
    /// Where nobody makes machines, Workspaces ask for no machine type.
    fn template(&self, set: &InferenceSet) -> Template {
        Template::of(set, self.settings.provisioner != NodeProvisioner::Byo)
    }

    async fn look_at(&self, set: &InferenceSet) -> Result<(), ReconcileError> {
        let template = self.template(set);
        self.record(set, &template).await?;
        let decide = |workspaces: &[Arc<Workspace>]| {
            let each = machines_each(&template, workspaces, &self.settings);
            plan(set, &template, workspaces, each)
        };
        let known = self.caches.workspaces.state();
        let known = known
            .iter()
            .filter(|workspace| is_of(workspace, set))
            .map(|workspace| &workspace.0);
        let workspaces: Result<Vec<_>, _> = known
            .map(|workspace| workspace.as_ref().map(|workspace| Arc::new(workspace.clone())))
            .collect();
        let Ok(mut workspaces) = workspaces else {
            let why = "one of the Workspaces cannot be read; repair or delete it";
            return self
                .publish(&set.metadata, set.status.as_ref(), &Report::failed(why))
                .await;
        };
        let mut plan: Plan = decide(&workspaces);
        let mut outcome = Ok(());
        if !plan.is_empty() {
            // The cache may be behind, and then there would be too many or too few.
            workspaces = self.list(set, &template).await?;
            plan = decide(&workspaces);
            outcome = perform(&self.client, &plan).await;
        }
        let outcome = outcome.and(self.serve(set, &template).await);
        let failure = outcome.as_ref().err().map(ToString::to_string);
        let report = Report::of(set, &template, &workspaces, &plan, failure.as_deref());
        self.publish(&set.metadata, set.status.as_ref(), &report).await?;
        Ok(outcome?)
    }

    /// Gives the set its address.
    async fn serve(&self, set: &InferenceSet, template: &Template) -> Result<(), ApplyError> {
        let reference = ObjectRef::new(&set.name_any()).within(&set.namespace().unwrap_or_default());
        let live = self.caches.services.get(&reference);
        let owned = Owned {
            client: &self.client,
            owner: &template.owner().uid,
        };
        let made = owned.ensure(service(set, template), live.as_deref()).await?;
        self.caches.services.remember(made);
        Ok(())
    }

    /// Puts the finalizer and the revision on the set.
    async fn record(&self, set: &InferenceSet, template: &Template) -> Result<(), ApplyError> {
        let recorded = Recorded {
            name: set.name_any(),
            namespace: set.namespace().unwrap_or_default(),
            owner: template.owner().clone(),
            label: labels::INFERENCE_SET_REVISION_OF,
            hash_annotation: annotations::INFERENCE_SET_HASH,
            data: json!({"Spec": set.spec}),
        };
        let revision = ensure_revision(&self.client, recorded, &self.caches.revisions).await?;
        let marks = Marks {
            finalizer: Some(INFERENCE_SET_FINALIZER),
            revision: &revision,
            hash: annotations::INFERENCE_SET_HASH,
            number: annotations::INFERENCE_SET_REVISION,
        };
        mark(&self.client, set, &marks).await
    }

    /// The set's Workspaces, as the API server has them now.
    async fn list(&self, set: &InferenceSet, template: &Template) -> Result<Vec<Arc<Workspace>>, ReconcileError> {
        let api: Api<Workspace> = Api::namespaced(self.client.clone(), &set.namespace().unwrap_or_default());
        let ours = format!("{}={}", labels::CREATED_BY_INFERENCE_SET, set.name_any());
        let all = api.list(&ListParams::default().labels(&ours)).await;
        let all = all.map_err(ReconcileError::List)?.items.into_iter();
        Ok(all.filter(|workspace| template.owns(workspace)).map(Arc::new).collect())
    }

    /// Deletes a set's Workspaces, and lets it go when they are gone.
    async fn finalize(&self, set: &InferenceSet) -> Result<(), ReconcileError> {
        if !set
            .finalizers()
            .iter()
            .any(|finalizer| finalizer == INFERENCE_SET_FINALIZER)
        {
            return Ok(());
        }
        let workspaces = self.list(set, &self.template(set)).await?;
        if workspaces.is_empty() {
            return Ok(let_go(&self.client, set, INFERENCE_SET_FINALIZER).await?);
        }
        let report = Report::deleting(set, &workspaces);
        self.publish(&set.metadata, set.status.as_ref(), &report).await?;
        for workspace in workspaces.iter().filter(|workspace| is_live(workspace)) {
            delete(&self.client, workspace.as_ref()).await?;
        }
        Ok(())
    }

    async fn publish(
        &self,
        metadata: &ObjectMeta,
        status: Option<&kaito_api::v1beta1::InferenceSetStatus>,
        report: &Report,
    ) -> Result<(), ReconcileError> {
        let published = self.publisher.publish(metadata, status, report).await;
        published.map_err(ReconcileError::Status)
    }
}

/// Whether a Workspace belongs to a set.
fn is_of(workspace: &GuardedWorkspace, set: &InferenceSet) -> bool {
    let mut owners = workspace.owner_references().iter();
    workspace.namespace() == set.namespace()
        && owners.any(|owner| owner.controller == Some(true) && Some(&owner.uid) == set.metadata.uid.as_ref())
}
