//! How the kubelet finds out whether a model is loaded, works, and answers.

use k8s_openapi::api::core::v1::{ExecAction, HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{PORT, command};
use crate::workspace::workload::{Serving, Workload};

/// Seconds between two questions.
const PERIOD: i32 = 10;
/// Seconds that the measurement of speed may take.
const BENCHMARK_TIMEOUT: i32 = 600;

pub(super) struct Probes {
    pub(super) startup: Probe,
    pub(super) liveness: Probe,
    pub(super) readiness: Probe,
}

/// A delay of 0 is left out: the API server does not keep it, and the object would never look as wanted.
pub(super) fn probes(workload: &Workload, serving: &Serving) -> Probes {
    let (liveness, readiness) = if serving.is_distributed() {
        (
            // One pod that is lost stops the model on all: they all start anew, and at once.
            Probe {
                initial_delay_seconds: Some(60),
                timeout_seconds: Some(5),
                failure_threshold: Some(1),
                termination_grace_period_seconds: Some(1),
                ..exec(command::health_check(workload, "liveness"))
            },
            Probe {
                timeout_seconds: Some(1),
                failure_threshold: Some(1),
                ..exec(command::health_check(workload, "readiness"))
            },
        )
    } else {
        (
            Probe {
                failure_threshold: Some(3),
                ..http()
            },
            Probe {
                initial_delay_seconds: Some(30),
                ..http()
            },
        )
    };
    Probes {
        startup: startup(workload, serving),
        liveness,
        readiness,
    }
}

/// The model is loaded, and its speed measured, within the time that its size allows.
fn startup(workload: &Workload, serving: &Serving) -> Probe {
    let probe = if serving.benchmark {
        Probe {
            timeout_seconds: Some(BENCHMARK_TIMEOUT),
            ..exec(command::benchmark(serving))
        }
    } else if serving.is_distributed() {
        Probe {
            timeout_seconds: Some(1),
            ..exec(command::health_check(workload, "readiness"))
        }
    } else {
        http()
    };
    let seconds = serving.model.readiness_timeout().as_secs();
    let attempts = seconds.div_ceil(u64::from(PERIOD.unsigned_abs()));
    Probe {
        failure_threshold: Some(i32::try_from(attempts).unwrap_or(i32::MAX)),
        ..probe
    }
}

fn http() -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some("/health".to_owned()),
            port: IntOrString::Int(PORT),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(PERIOD),
        ..Probe::default()
    }
}

fn exec(command: Vec<String>) -> Probe {
    Probe {
        exec: Some(ExecAction { command: Some(command) }),
        period_seconds: Some(PERIOD),
        ..Probe::default()
    }
}
