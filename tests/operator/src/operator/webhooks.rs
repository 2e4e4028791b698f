//! Whether the API server asks a controller's webhooks.

use anyhow::Result;
use serde_json::Value;

use super::Chart;
use crate::cluster::Api;

impl Chart {
    /// Paths of its ValidatingWebhookConfigurations.
    pub(super) fn webhook_paths(self) -> impl Iterator<Item = String> {
        let configurations = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
        let kinds = self.resources().iter().map(|resource| resource.trim_end_matches('s'));
        kinds.map(move |kind| format!("{configurations}/validation.{kind}.kaito.sh"))
    }

    /// Paths of its CustomResourceDefinitions.
    pub(super) fn definition_paths(self) -> impl Iterator<Item = String> {
        let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let resources = self.resources().iter();
        resources.map(move |resource| format!("{definitions}/{resource}.kaito.sh"))
    }
}

/// What there is still to wait for until the API server asks the webhooks at a URL about a chart's kinds.
pub(super) async fn missing(admin: &Api, chart: Chart, url: &str) -> Result<Option<String>> {
    for path in chart.webhook_paths() {
        let configuration = admin.get(&path).await?;
        let webhooks = configuration.get("webhooks").and_then(Value::as_array);
        for webhook in webhooks.into_iter().flatten() {
            if let Some(fault) = elsewhere(webhook.get("clientConfig"), url) {
                return Ok(Some(format!("{path} is not at {url} but {fault}")));
            }
        }
    }
    for path in chart.definition_paths() {
        let definition = admin.get(&path).await?;
        if let Some(fault) = elsewhere(definition.pointer("/spec/conversion/webhook/clientConfig"), url) {
            return Ok(Some(format!("{path} is not converted at {url} but {fault}")));
        }
    }
    fault(admin, chart).await
}

/// Why objects of a chart's kinds cannot be created, if that is not the object's own fault. The API server hears of changed
/// webhooks a little later than it accepts them. An object of the version that is not stored needs both.
pub(super) async fn fault(admin: &Api, chart: Chart) -> Result<Option<String>> {
    for (resource, example) in chart.examples("v1alpha1") {
        let collection = format!("/apis/kaito.sh/v1alpha1/namespaces/default/{resource}?dryRun=All");
        let answer = admin.try_create(&collection, &example).await?;
        if answer.status.is_server_error() {
            return Ok(Some(answer.message().to_owned()));
        }
    }
    Ok(None)
}

/// Where a webhook is, if it is not at a URL and trusted.
fn elsewhere(client: Option<&Value>, url: &str) -> Option<String> {
    (!client.is_some_and(|client| leads_to(client, url))).then(|| format!("{client:?}"))
}

fn leads_to(client: &Value, url: &str) -> bool {
    let text = |key| client.get(key).and_then(Value::as_str).unwrap_or_default();
    text("url").starts_with(url) && !text("caBundle").is_empty()
}
