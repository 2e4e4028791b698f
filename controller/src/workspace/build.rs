//! The objects that a Workspace consists of. Pure, and infallible: what is built was checked before.

mod adapters;
mod command;
mod images;
pub(crate) mod job;
mod metadata;
mod placement;
mod pod;
mod probes;
pub(crate) mod recreate;
mod services;
mod stateful_set;
mod template;
mod volumes;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Service};

use super::workload::{Task, Workload};

/// Port that a model listens on, in the pod.
const PORT: i32 = 5000;
/// Port of Ray's head, by which the pods of one model find each other.
const RAY_PORT: i32 = 6379;

/// The objects of a Workspace, as they should be. What is missing should not be there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Resources {
    /// The pods that serve.
    pub stateful_set: Option<StatefulSet>,
    /// How they are reached.
    pub services: Vec<Service>,
    /// The pod that tunes.
    pub job: Option<Job>,
    /// The Workspace's copy of the default training options.
    pub training_config: Option<ConfigMap>,
}

/// Builds them.
pub(crate) fn build(workload: &Workload) -> Resources {
    match &workload.task {
        Task::Preset(serving) => Resources {
            stateful_set: Some(stateful_set::serving(workload, serving)),
            services: services::services(workload),
            ..Resources::default()
        },
        Task::Template(template) => Resources {
            stateful_set: Some(template::stateful_set(workload, template)),
            services: services::services(workload),
            ..Resources::default()
        },
        Task::Tuning(tuning) => Resources {
            job: Some(job::job(workload, tuning)),
            training_config: job::training_config(workload, tuning),
            ..Resources::default()
        },
    }
}

#[cfg(test)]
mod tests;
