//! Every model of the catalogue on every machine type: what would be applied is valid.

use std::num::NonZeroU32;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use futures::{StreamExt, TryStreamExt};
use kaito_controller::Options;
use kaito_controller::settings::Settings;
use kaito_controller::workspace::{Assumptions, render};
use kaito_operator_tests::cluster::{Api, cluster_or_skip};
use kaito_presets::{
    Cloud, DEFAULT_CONTEXT_TOKENS, InstanceType, InstanceTypes, Model, ModelCatalogue, ServingRuntime, size,
};
use serde_json::{Value, json};

use super::{SERVICES, STATEFUL_SETS, serving};

/// Requests at the same time: enough to keep the API server busy.
const AT_ONCE: usize = 16;

/// The programs that can serve a model, with what asks for them.
fn runtimes(model: &Model) -> Vec<(ServingRuntime, Option<&'static str>)> {
    let transformers = model
        .transformers()
        .map(|_| (ServingRuntime::Transformers, Some("transformers")));
    [(ServingRuntime::Vllm, None)].into_iter().chain(transformers).collect()
}

fn settings(cloud: &str) -> Result<Settings> {
    let options = Options::try_parse_from(["kaito-controller", "--cloud-provider", cloud])?;
    Ok(Settings::new(&options, "kaito-workspace".to_owned()))
}

/// What the controller applies for a Workspace, if the model fits.
fn objects(model: &Model, runtime: Option<&str>, machine: &InstanceType, settings: &Settings) -> Result<Vec<Value>> {
    let mut object = serving("model", &machine.name, model.facts().id.as_str());
    object["metadata"]["uid"] = json!("00000000-0000-4000-8000-000000000000");
    if let Some(runtime) = runtime {
        object["metadata"]["annotations"]["kaito.sh/runtime"] = json!(runtime);
    }
    if model.needs_token() {
        object["inference"]["preset"]["presetOptions"] = json!({"modelAccessSecret": "token"});
    }
    // With a disk of their own where machines have one, since that is one more thing to check.
    let assumptions = Assumptions::default().local_disks(true);
    let workspace = serde_json::from_value(object)?;
    Ok(render(&workspace, &assumptions, settings)?)
}

async fn check(admin: &Api, object: &Value) -> Result<()> {
    let collection = match object["kind"].as_str() {
        Some("StatefulSet") => STATEFUL_SETS,
        Some("Service") => SERVICES,
        kind => anyhow::bail!("nobody expects a {kind:?}"),
    };
    let name = object["metadata"]["name"].as_str().context("no name")?;
    admin.dry_run(&format!("{collection}/{name}"), object).await?.object()?;
    Ok(())
}

#[tokio::test]
async fn each_model_on_each_machine_that_it_fits_is_valid_to_the_api_server() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    let mut accepted = 0;
    for (name, cloud) in [("azure", Cloud::Azure), ("aws", Cloud::Aws), ("arc", Cloud::Arc)] {
        let settings = settings(name)?;
        let mut built = Vec::new();
        for model in ModelCatalogue::builtin().models() {
            for machine in InstanceTypes::of(cloud).types() {
                for (runtime, asked) in runtimes(model) {
                    let sized = size(model, runtime, &machine.gpus(), NonZeroU32::MIN, DEFAULT_CONTEXT_TOKENS);
                    let objects = objects(model, asked, machine, &settings);
                    let what = format!("{} on {} ({asked:?})", model.facts().id.as_str(), machine.name);
                    // Nothing that fits is refused, and nothing else is built.
                    ensure!(
                        objects.is_ok() == (sized.is_ok() && machine.has_nvidia_gpus()),
                        "{what}: {objects:?}, and the estimate is {sized:?}"
                    );
                    built.extend(
                        objects
                            .unwrap_or_default()
                            .into_iter()
                            .map(|object| (what.clone(), object)),
                    );
                }
            }
        }
        ensure!(!built.is_empty(), "nothing fits on machines of {name}");
        accepted += built.len();
        futures::stream::iter(built)
            .map(|(what, object)| {
                let admin = &admin;
                async move { check(admin, &object).await.with_context(|| what) }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
    }
    eprintln!("{accepted} objects were accepted");
    Ok(())
}
