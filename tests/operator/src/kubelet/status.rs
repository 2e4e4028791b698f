//! The status of a pod, from those of its containers.

use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateWaiting, ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::container::RestartPolicy;
use super::environment::Place;

/// How far a pod has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Its volumes are not there yet.
    Mounting,
    /// Its init containers have not all ended.
    Initialising,
    /// Its containers run, or shall run.
    Initialised,
}

/// What becomes of a pod's containers.
#[derive(Clone, Debug)]
pub(super) struct Records {
    pub(super) stage: Stage,
    pub(super) init: Vec<ContainerStatus>,
    pub(super) main: Vec<ContainerStatus>,
    restart_policy: RestartPolicy,
}

impl Records {
    pub(super) fn new(pod: &Pod) -> Self {
        let spec = pod.spec.as_ref();
        let init = spec
            .and_then(|spec| spec.init_containers.as_deref())
            .unwrap_or_default();
        let main = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
        let reason = if init.is_empty() {
            "ContainerCreating"
        } else {
            "PodInitializing"
        };
        let new = |container: &Container| ContainerStatus {
            name: container.name.clone(),
            image: container.image.clone().unwrap_or_default(),
            started: Some(false),
            state: Some(waiting(reason, None)),
            ..ContainerStatus::default()
        };
        Self {
            stage: Stage::Mounting,
            init: init.iter().map(new).collect(),
            main: main.iter().map(new).collect(),
            restart_policy: RestartPolicy::of(pod),
        }
    }
}

/// The state of a container that waits.
pub(super) fn waiting(reason: &str, message: Option<String>) -> ContainerState {
    ContainerState {
        waiting: Some(ContainerStateWaiting {
            reason: Some(reason.to_owned()),
            message,
        }),
        ..ContainerState::default()
    }
}

/// The status that a kubelet would write. Conditions that were so before keep their time.
pub(super) fn of_pod(records: &Records, place: &Place, started: &Time, before: &[PodCondition]) -> PodStatus {
    // There is an address as soon as there is a sandbox.
    let pod_ip = (records.stage > Stage::Mounting).then(|| place.pod_ip.to_string());
    PodStatus {
        phase: Some(phase(records).to_owned()),
        conditions: Some(conditions(records, before)),
        container_statuses: Some(records.main.clone()),
        init_container_statuses: (!records.init.is_empty()).then(|| records.init.clone()),
        pod_ips: pod_ip.clone().map(|ip| vec![PodIP { ip }]),
        pod_ip,
        host_ip: Some(place.host_ip.to_string()),
        host_ips: Some(vec![HostIP {
            ip: place.host_ip.to_string(),
        }]),
        start_time: Some(started.clone()),
        ..PodStatus::default()
    }
}

fn phase(records: &Records) -> &'static str {
    let code = |container: &ContainerStatus| Some(container.state.as_ref()?.terminated.as_ref()?.exit_code);
    let has_failed =
        |containers: &[ContainerStatus]| containers.iter().any(|one| code(one).is_some_and(|code| code != 0));
    if records.restart_policy == RestartPolicy::Never && has_failed(&records.init) {
        return "Failed";
    }
    let have_ended = records.main.iter().all(|container| code(container).is_some());
    match records.restart_policy {
        RestartPolicy::Never if have_ended && has_failed(&records.main) => return "Failed",
        RestartPolicy::Never | RestartPolicy::OnFailure if have_ended && !has_failed(&records.main) => {
            return "Succeeded";
        }
        _ => {}
    }
    let has_run = |container: &ContainerStatus| {
        let waits = container.state.as_ref().is_none_or(|state| state.waiting.is_some());
        !waits || container.last_state.is_some()
    };
    if records.stage == Stage::Initialised && records.main.iter().any(has_run) {
        "Running"
    } else {
        "Pending"
    }
}

fn conditions(records: &Records, before: &[PodCondition]) -> Vec<PodCondition> {
    let unready = names(records.main.iter().filter(|container| !container.ready));
    let readiness = (!unready.is_empty()).then(|| {
        let message = format!("containers with unready status: [{unready}]");
        let reason = match phase(records) {
            "Succeeded" => "PodCompleted",
            "Failed" => "PodFailed",
            _ => "ContainersNotReady",
        };
        (reason, message)
    });
    let incomplete = names(records.init.iter().filter(|container| !container.ready));
    let initialised = (records.stage < Stage::Initialised).then(|| {
        let message = format!("containers with incomplete status: [{incomplete}]");
        ("ContainersNotInitialized", message)
    });
    [
        ("PodScheduled", None),
        ("Initialized", initialised),
        ("ContainersReady", readiness.clone()),
        ("Ready", readiness),
    ]
    .map(|(type_, problem)| condition(type_, problem, before))
    .to_vec()
}

fn condition(type_: &str, problem: Option<(&str, String)>, before: &[PodCondition]) -> PodCondition {
    let status = if problem.is_none() { "True" } else { "False" };
    let same = before
        .iter()
        .find(|condition| condition.type_ == type_ && condition.status == status);
    let since = same.and_then(|condition| condition.last_transition_time.clone());
    let (reason, message) = problem.unzip();
    PodCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        last_transition_time: Some(since.unwrap_or_else(now)),
        reason: reason.map(str::to_owned),
        message,
        ..PodCondition::default()
    }
}

fn names<'a>(containers: impl Iterator<Item = &'a ContainerStatus>) -> String {
    let names: Vec<&str> = containers.map(|container| container.name.as_str()).collect();
    names.join(" ")
}

pub(super) fn now() -> Time {
    Time(k8s_openapi::jiff::Timestamp::now())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use k8s_openapi::api::core::v1::ContainerStateRunning;
    use serde_json::json;

    use super::*;

    fn status(records: &Records, before: &[PodCondition]) -> PodStatus {
        let place = Place {
            pod_ip: Ipv4Addr::new(10, 244, 0, 1).into(),
            address: Ipv4Addr::new(127, 1, 2, 3).into(),
            host_ip: Ipv4Addr::new(10, 0, 0, 1).into(),
        };
        of_pod(records, &place, &now(), before)
    }

    fn summary(status: &PodStatus) -> Vec<(&str, &str)> {
        let conditions = status.conditions.iter().flatten();
        let conditions = conditions.map(|condition| (condition.type_.as_str(), condition.status.as_str()));
        conditions.collect()
    }

    #[test]
    fn a_pod_is_ready_when_its_containers_are_and_conditions_keep_their_time() {
        let pod = json!({"spec": {"containers": [{"name": "one"}, {"name": "two"}]}});
        let mut records = Records::new(&serde_json::from_value(pod).unwrap());
        let first = status(&records, &[]);
        assert_eq!((first.phase.as_deref(), &first.pod_ip), (Some("Pending"), &None));
        let expected = [
            ("PodScheduled", "True"),
            ("Initialized", "False"),
            ("ContainersReady", "False"),
            ("Ready", "False"),
        ];
        assert_eq!(summary(&first), expected);

        records.stage = Stage::Initialised;
        for container in &mut records.main {
            container.state = Some(ContainerState {
                running: Some(ContainerStateRunning::default()),
                ..ContainerState::default()
            });
        }
        records.main[0].ready = true;
        let before = first.conditions.unwrap();
        let second = status(&records, &before);
        assert_eq!(
            (second.phase.as_deref(), second.pod_ip.as_deref()),
            (Some("Running"), Some("10.244.0.1"))
        );
        let after = second.conditions.as_ref().unwrap();
        assert_eq!(after[0].last_transition_time, before[0].last_transition_time);
        assert_ne!(after[1].last_transition_time, before[1].last_transition_time);
        assert_eq!(
            after[3].message.as_deref(),
            Some("containers with unready status: [two]")
        );

        records.main[1].ready = true;
        assert!(
            summary(&status(&records, after))
                .iter()
                .all(|(_, status)| *status == "True")
        );
    }

    #[test]
    fn a_pod_that_may_not_start_again_has_its_programs_end_for_a_phase() {
        for (policy, codes, phase) in [
            ("Never", [Some(0), Some(0)], "Succeeded"),
            ("Never", [Some(0), Some(1)], "Failed"),
            ("Never", [Some(1), None], "Running"),
            ("OnFailure", [Some(0), Some(0)], "Succeeded"),
            ("OnFailure", [Some(0), Some(1)], "Running"),
            ("Always", [Some(0), Some(0)], "Running"),
        ] {
            let spec = json!({"restartPolicy": policy, "containers": [{"name": "one"}, {"name": "two"}]});
            let mut records = Records::new(&serde_json::from_value(json!({"spec": spec})).unwrap());
            records.stage = Stage::Initialised;
            for (container, code) in records.main.iter_mut().zip(codes) {
                let state = match code {
                    Some(code) => json!({"terminated": {"exitCode": code}}),
                    None => json!({"running": {}}),
                };
                container.state = Some(serde_json::from_value(state).unwrap());
            }
            let found = status(&records, &[]).phase;
            assert_eq!(found.as_deref(), Some(phase), "{policy} {codes:?}");
        }
    }
}
