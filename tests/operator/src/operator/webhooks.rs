//! Whether the API server asks a controller's webhooks.

use anyhow::Result;
use serde_json::Value;

use super::Chart;
use crate::cluster::Api;

impl Chart {
    /// Path of its ValidatingWebhookConfiguration.
    pub(super) fn webhook_path(self) -> String {
        let configurations = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
        format!("{configurations}/validation.{}.kaito.sh", self.name())
    }

    /// Path of its CustomResourceDefinition.
    pub(super) fn definition_path(self) -> String {
        let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        format!("{definitions}/{}.kaito.sh", self.resource())
    }
}

/// What there is still to wait for until the API server asks the webhooks at a URL about a chart's kind.
pub(super) async fn missing(admin: &Api, chart: Chart, url: &str) -> Result<Option<String>> {
    let configuration = admin.get(&chart.webhook_path()).await?;
    let webhooks = configuration.get("webhooks").and_then(Value::as_array);
    let admission = webhooks
        .into_iter()
        .flatten()
        .map(|webhook| webhook.get("clientConfig"));
    let definition = admin.get(&chart.definition_path()).await?;
    let conversion = definition.pointer("/spec/conversion/webhook/clientConfig");
    for (what, client) in admission
        .map(|client| ("admission", client))
        .chain([("conversion", conversion)])
    {
        if !client.is_some_and(|client| leads_to(client, url)) {
            return Ok(Some(format!("the webhook of {what} is not at {url} but {client:?}")));
        }
    }
    fault(admin, chart).await
}

/// Why objects of a chart's kind cannot be created, if that is not the object's own fault. The API server hears of changed
/// webhooks a little later than it accepts them. An object of the version that is not stored needs both.
pub(super) async fn fault(admin: &Api, chart: Chart) -> Result<Option<String>> {
    let collection = format!(
        "/apis/kaito.sh/v1alpha1/namespaces/default/{}?dryRun=All",
        chart.resource()
    );
    let answer = admin.try_create(&collection, &chart.example("v1alpha1")).await?;
    Ok(answer.status.is_server_error().then(|| answer.message().to_owned()))
}

fn leads_to(client: &Value, url: &str) -> bool {
    let text = |key| client.get(key).and_then(Value::as_str).unwrap_or_default();
    text("url").starts_with(url) && !text("caBundle").is_empty()
}
