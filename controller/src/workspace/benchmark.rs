//! Reading what a model's first pod has measured of its own speed. It tells that in its log, and nowhere else.

use k8s_openapi::api::core::v1::Pod;
use kaito_presets::ModelCatalogue;
use kube::api::LogParams;
use kube::{Api, Client};

use super::status::BenchmarkLog;
use super::status::benchmark::{LINES, LOG_BYTES};
use super::workload::{Task, Workload};

/// The end of the log of a Workspace's first pod. That it cannot be read is no trouble of the model: it is tried again.
pub(super) async fn read(client: &Client, workload: &Workload) -> Option<BenchmarkLog> {
    let Task::Preset(serving) = &workload.task else {
        return None;
    };
    let pods: Api<Pod> = Api::namespaced(client.clone(), &workload.namespace);
    let parameters = LogParams {
        container: Some(workload.name.clone()),
        tail_lines: Some(LINES),
        limit_bytes: Some(LOG_BYTES),
        ..LogParams::default()
    };
    match pods.logs(&format!("{}-0", workload.name), &parameters).await {
        Ok(text) => Some(BenchmarkLog {
            text,
            engine_version: Some(ModelCatalogue::builtin().base_image().vllm.clone()),
            quantization: serving
                .model
                .quantisation()
                .map(|quantisation| quantisation.method.clone()),
        }),
        Err(error) => {
            tracing::warn!(%error, workspace.name = workload.name, "the log of a pod cannot be read");
            None
        }
    }
}
