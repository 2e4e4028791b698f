//! Pods that the user wrote.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use kaito_api::v1beta1::{RawObject, Workspace};
use serde_json::Value;

use super::InvalidWorkspace;
use super::serving::{chosen_nodes, requested_nodes};
use crate::workspace::workload::Template;

pub(super) fn template(workspace: &Workspace, raw: &RawObject) -> Result<Template, InvalidWorkspace> {
    let refuse = |problem: &str| Err(InvalidWorkspace::CheckTemplate(problem.to_owned()));
    let pods: PodTemplateSpec = match serde_json::from_value(Value::Object(raw.clone())) {
        Ok(pods) => pods,
        Err(error) => return refuse(&error.to_string()),
    };
    let Some(spec) = pods.spec.as_ref().filter(|spec| !spec.containers.is_empty()) else {
        return refuse("it has no containers; add one to its spec");
    };
    if spec.restart_policy.as_deref().is_some_and(|policy| policy != "Always") {
        return refuse("its restartPolicy must be Always, since a model is to stay; remove it");
    }
    Ok(Template {
        pods,
        nodes: chosen_nodes(workspace).unwrap_or_else(|| requested_nodes(workspace)),
    })
}
