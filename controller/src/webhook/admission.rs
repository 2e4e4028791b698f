//! AdmissionReview: is a RAGEngine, a Workspace or an InferenceSet let in?
//!
//! The rules are in [`kaito_api::admission`]. Here is how a request is read, which facts are looked up for it, and what
//! the answer looks like.

mod change;
mod options;

use std::sync::Arc;

use futures::future::join_all;
use kaito_api::admission::{
    Environment, FieldError, GuardrailsPolicy, Load, Preset, validate_inference_set, validate_ragengine,
    validate_workspace, workspace_before,
};
use kaito_api::v1beta1::{InferenceSet, RAGEngine, Workspace};
use kube::Client;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview};
use kube::core::{DynamicObject, Status};

use super::PresetFactsSource;
use super::config_maps;

pub(super) use change::Subject;

use change::Change;

/// Decides what is let in.
pub(super) struct Reviewer {
    client: Client,
    environment: Environment,
    release_namespace: String,
    presets: Arc<dyn PresetFactsSource>,
}

impl Reviewer {
    pub(super) fn new(
        client: Client,
        environment: Environment,
        release_namespace: String,
        presets: Arc<dyn PresetFactsSource>,
    ) -> Self {
        Self {
            client,
            environment,
            release_namespace,
            presets,
        }
    }

    /// Answers an AdmissionReview, given as JSON.
    ///
    /// # Errors
    ///
    /// It is none; the text says why.
    pub(super) async fn review(&self, subject: Subject, body: &[u8]) -> Result<AdmissionReview<DynamicObject>, String> {
        let request = read(body)?;
        let refusal = match Change::read(subject, &request) {
            Ok(None) => None,
            Ok(Some(Change::RAGEngine { new, old })) => said(&self.check_engine(&new, old.as_deref()).await),
            Ok(Some(Change::Workspace { new, old })) => said(&self.check_workspace(&new, old.as_deref()).await),
            Ok(Some(Change::InferenceSet { new, old })) => said(&self.check_set(&new, old.as_deref()).await),
            Err(reason) => Some(reason),
        };
        Ok(answer(&request, refusal))
    }

    async fn check_engine(&self, new: &RAGEngine, old: Option<&RAGEngine>) -> Vec<FieldError> {
        let mut errors = validate_ragengine(new, old, &self.environment);
        let policy = |engine| GuardrailsPolicy::of(engine, &self.release_namespace);
        // One that was there when it was named, and is gone, must not keep the engine from being changed.
        if let Some(policy) = policy(new).filter(|wanted| old.and_then(policy).as_ref() != Some(wanted)) {
            let found = config_maps::find(&self.client, &policy.namespace, &policy.name).await;
            errors.extend(policy.check(&found.into()));
        }
        errors
    }

    async fn check_workspace(&self, new: &Workspace, old: Option<&Workspace>) -> Vec<FieldError> {
        let preset = change::preset(new).map(|name| self.presets.preset(name));
        let mut errors = validate_workspace(new, old, preset.as_ref(), &self.environment);
        errors.extend(self.check_options(new, old, preset.as_ref()).await);
        errors
    }

    async fn check_set(&self, new: &InferenceSet, old: Option<&InferenceSet>) -> Vec<FieldError> {
        let workspace = new.workspace();
        let preset = change::preset(&workspace).map(|name| self.presets.preset(name));
        let mut errors = validate_inference_set(new, old, preset.as_ref(), &self.environment);
        let before = workspace_before(new, old);
        for error in self.check_options(&workspace, before.as_ref(), preset.as_ref()).await {
            errors.push(FieldError {
                field: format!("spec.template.{}", error.field),
                ..error
            });
        }
        errors
    }

    /// Checks the ConfigMaps with options that a Workspace names.
    async fn check_options(
        &self,
        new: &Workspace,
        old: Option<&Workspace>,
        preset: Option<&Preset>,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let namespace = new.metadata.namespace.as_deref().unwrap_or_default();
        let options = options::named(new, old, self.environment.vllm);
        let found = options
            .iter()
            .map(|options| config_maps::find(&self.client, namespace, &options.name));
        let mut context_tokens = None;
        for (options, found) in options.iter().zip(join_all(found).await) {
            context_tokens = context_tokens.or_else(|| options.context_tokens(&found));
            errors.extend(options.check(namespace, &found, preset));
        }
        if let Some(load) = Load::of(new, old, &self.environment)
            && let Err(reason) = self.presets.fit(&load, context_tokens)
        {
            errors.push(load.refuse(&reason));
        }
        errors
    }
}

fn read(body: &[u8]) -> Result<AdmissionRequest<DynamicObject>, String> {
    let wrong = |reason: &dyn std::fmt::Display| format!("this is no AdmissionReview: {reason}");
    let review: AdmissionReview<DynamicObject> = serde_json::from_slice(body).map_err(|error| wrong(&error))?;
    review.try_into().map_err(|_| wrong(&"it has no request"))
}

/// All that is wrong, in one line.
fn said(errors: &[FieldError]) -> Option<String> {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

fn answer(request: &AdmissionRequest<DynamicObject>, refusal: Option<String>) -> AdmissionReview<DynamicObject> {
    let mut response = AdmissionResponse::from(request);
    if let Some(refusal) = refusal {
        tracing::info!(
            kind = request.kind.kind,
            namespace = request.namespace,
            name = request.name,
            reason = refusal,
            "refusing an object"
        );
        response.allowed = false;
        response.result = Status::failure(&refusal, "Invalid").with_code(422);
    }
    response.into_review()
}
