//! How far a tuning is. Pure.

use k8s_openapi::api::batch::v1::{Job, JobStatus};
use kaito_api::v1beta1::WorkspaceState;

use super::types;
use crate::conditions::Finding;

/// What is to be said of a tuning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// The conditions, in order.
    pub findings: Vec<(&'static str, Finding)>,
    /// The state in one word.
    pub state: WorkspaceState,
}

/// How far the tuning of this Job is; `None` is no Job yet.
pub(super) fn findings(job: Option<&Job>) -> Progress {
    let status = job.and_then(|job| job.status.clone()).unwrap_or_default();
    let some = |count: Option<i32>| count.unwrap_or_default() > 0;
    let started = || Finding::holds("WorkspaceTuningJobStatusStarted", "Tuning job has started");
    let (job_started, succeeded, state) = if some(status.succeeded) {
        // Also after pods that failed: the Job tried again.
        (
            started(),
            Finding::holds("workspaceSucceeded", "workspace succeeds"),
            WorkspaceState::Succeeded,
        )
    } else if some(status.failed) {
        let message = failure(&status);
        (
            Finding::fails("WorkspaceTuningJobStatusFailed", message.clone()),
            Finding::fails("workspaceFailed", message),
            WorkspaceState::Failed,
        )
    } else if some(status.ready) || some(status.active) {
        (
            started(),
            pending("workspace has not completed"),
            WorkspaceState::Running,
        )
    } else {
        (
            Finding::fails("WorkspaceTuningJobStatusPending", "Tuning job has not started"),
            pending("workspace is waiting for the tuning job to start"),
            WorkspaceState::Pending,
        )
    };
    Progress {
        findings: vec![(types::JOB, job_started), (types::SUCCEEDED, succeeded)],
        state,
    }
}

fn pending(message: &str) -> Finding {
    Finding::fails("workspacePending", message)
}

fn failure(status: &JobStatus) -> String {
    let failed = status.conditions.iter().flatten();
    let given_up = failed
        .filter(|condition| condition.type_ == "Failed" && condition.status == "True")
        .find_map(|condition| condition.message.clone());
    let pods = status.failed.unwrap_or_default();
    match given_up {
        Some(message) => format!("Tuning job failed: {message}; see the logs of its pods"),
        None => format!("{pods} pods of the tuning job failed; see their logs. The job tries again"),
    }
}

#[cfg(test)]
mod tests {
    use kaito_api::v1beta1::WorkspaceState::{Failed, Pending, Running, Succeeded};
    use serde_json::{Value, json};

    use super::*;

    fn progress(status: &Value) -> Progress {
        let job: Job = serde_json::from_value(json!({"metadata": {"name": "tune"}, "status": status})).unwrap();
        findings(Some(&job))
    }

    #[test]
    fn a_tuning_is_as_far_as_its_job() {
        let pending = ("WorkspaceTuningJobStatusPending", false);
        let started = ("WorkspaceTuningJobStatusStarted", true);
        let failed = ("WorkspaceTuningJobStatusFailed", false);
        let waits = ("workspacePending", false);
        for (status, job_started, succeeded, state) in [
            (json!({}), pending, waits, Pending),
            (
                json!({"active": 0, "failed": 0, "succeeded": 0, "ready": 0}),
                pending,
                waits,
                Pending,
            ),
            (json!({"active": 1}), started, waits, Running),
            (json!({"active": 1, "ready": 1}), started, waits, Running),
            (
                json!({"succeeded": 1}),
                started,
                ("workspaceSucceeded", true),
                Succeeded,
            ),
            (
                json!({"succeeded": 1, "failed": 2}),
                started,
                ("workspaceSucceeded", true),
                Succeeded,
            ),
            (
                json!({"failed": 1, "active": 1}),
                failed,
                ("workspaceFailed", false),
                Failed,
            ),
            (json!({"failed": 7}), failed, ("workspaceFailed", false), Failed),
        ] {
            let found = progress(&status);
            let said: Vec<_> = found
                .findings
                .iter()
                .map(|(type_, finding)| (*type_, finding.reason.as_str(), finding.is_true()))
                .collect();
            let expected = [
                ("JobStarted", job_started.0, job_started.1),
                ("WorkspaceSucceeded", succeeded.0, succeeded.1),
            ];
            assert_eq!(said, expected, "{status}");
            assert_eq!(found.state, state, "{status}");
        }
        assert_eq!(findings(None).state, Pending);
    }

    #[test]
    fn why_a_job_was_given_up_is_said() {
        let found = progress(&json!({"failed": 7, "conditions": [
            {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
             "message": "Job has reached the specified backoff limit"},
        ]}));
        let message = &found.findings[0].1.message;
        assert!(
            message.contains("Job has reached the specified backoff limit"),
            "{message}"
        );
    }
}
