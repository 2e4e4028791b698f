use super::*;

fn pod(name: &str, status: &Value) -> Arc<Pod> {
    Arc::new(serde_json::from_value(json!({"metadata": {"name": name}, "status": status})).unwrap())
}

/// A pod whose container waits.
fn waits(reason: &str, message: &str) -> Value {
    json!({"containerStatuses": [{
        "name": "phi", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": reason, "message": message}},
    }]})
}

/// What is said of a model of which these are the pods.
fn classified(pods: Vec<Arc<Pod>>) -> (String, String) {
    let mut scene = Scene::served();
    scene.stateful_set = Some(stateful_set(2, 0));
    scene.pods = pods;
    let (truth, reason, message) = scene.says(types::INFERENCE);
    assert_eq!(truth, Truth::False);
    (reason, message)
}

#[test]
fn each_trouble_of_a_pod_has_its_reason() {
    let oom = json!({"containerStatuses": [{
        "name": "phi", "image": "", "imageID": "", "ready": false, "restartCount": 1,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
        "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
    }]});
    let init = json!({"initContainerStatuses": [{
        "name": "puller", "image": "", "imageID": "", "ready": false, "restartCount": 1,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
        "lastState": {"terminated": {"reason": "Error", "exitCode": 1, "message": "unauthorized\n"}},
    }]});
    let mut long = init.clone();
    long["initContainerStatuses"][0]["lastState"]["terminated"]["message"] =
        json!(format!("{}\nunauthorized", "x".repeat(300)));
    let said_last = format!("container puller: ...{}\nunauthorized", "x".repeat(243));
    let evicted = |words: &str| json!({"phase": "Failed", "reason": "Evicted", "message": words});
    let unscheduled = json!({"conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"},
    ]});
    for (status, reason, words) in [
        (
            oom,
            "ContainerOOMKilled",
            "container phi: it was killed because it used too much memory, exit code 137",
        ),
        (
            waits("ImagePullBackOff", "no such image"),
            "ImagePullError",
            "container phi: no such image",
        ),
        (waits("ErrImagePull", "x"), "ImagePullError", "container phi: x"),
        (
            waits("InvalidImageName", ""),
            "ImagePullError",
            "container phi: InvalidImageName",
        ),
        (waits("ErrImageNeverPull", "x"), "ImagePullError", "container phi: x"),
        (waits("ImageInspectError", "x"), "ImagePullError", "container phi: x"),
        (waits("RegistryUnavailable", "x"), "ImagePullError", "container phi: x"),
        (
            waits("CreateContainerConfigError", "no secret"),
            "ContainerStartError",
            "container phi: no secret",
        ),
        (
            waits("PreCreateHookError", "x"),
            "ContainerStartError",
            "container phi: x",
        ),
        (
            waits("CreateContainerError", "x"),
            "ContainerStartError",
            "container phi: x",
        ),
        (
            waits("PreStartHookError", "x"),
            "ContainerStartError",
            "container phi: x",
        ),
        (
            waits("RunContainerError", "x"),
            "ContainerStartError",
            "container phi: x",
        ),
        (
            waits("PostStartHookError", "x"),
            "ContainerStartError",
            "container phi: x",
        ),
        (
            waits("CrashLoopBackOff", "back-off"),
            "ContainerCrashLoopBackOff",
            "container phi: back-off",
        ),
        (init, "ContainerCrashLoopBackOff", "container puller: unauthorized"),
        (long, "ContainerCrashLoopBackOff", &said_last),
        (
            evicted("The node was low on resource: ephemeral-storage."),
            "NodeDiskPressure",
            "The node was low on resource: ephemeral-storage.",
        ),
        (
            evicted("The node had condition: [DiskPressure]."),
            "NodeDiskPressure",
            "The node had condition: [DiskPressure].",
        ),
        (
            evicted("The node was low on resource: memory."),
            "NodeMemoryPressure",
            "The node was low on resource: memory.",
        ),
        (evicted("Pod was preempted"), "PodEvicted", "Pod was preempted"),
        (unscheduled, "Unschedulable", "0/3 nodes are available"),
    ] {
        let expected = (reason.to_owned(), format!("pod phi-0: {words}"));
        assert_eq!(classified(vec![pod("phi-0", &status)]), expected);
    }
    for nothing in [
        waits("ContainerCreating", ""),
        json!({"phase": "Failed", "reason": "Shutdown"}),
        json!({}),
    ] {
        assert_eq!(
            classified(vec![pod("phi-0", &nothing)]).0,
            "WorkspaceInferenceStatusPending"
        );
    }
}

#[test]
fn the_more_telling_trouble_counts_whichever_pod_has_it() {
    let crash = pod("phi-0", &waits("CrashLoopBackOff", "x"));
    let image = pod("phi-1", &waits("ErrImagePull", "x"));
    assert_eq!(classified(vec![Arc::clone(&crash), image]).0, "ImagePullError");
    let mut going = serde_json::to_value(crash.as_ref()).unwrap();
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let going = Arc::new(serde_json::from_value(going).unwrap());
    assert_eq!(
        classified(vec![going]).0,
        "WorkspaceInferenceStatusPending",
        "it is on its way out"
    );
}

#[test]
fn what_a_pod_says_is_cut() {
    let (_, message) = classified(vec![pod("phi-0", &waits("ErrImagePull", &"x".repeat(500)))]);
    assert_eq!(message, format!("pod phi-0: container phi: {}...", "x".repeat(256)));
}

#[test]
fn pods_are_looked_at_only_when_the_workload_exists_and_is_not_ready() {
    let mut scene = Scene::served();
    scene.pods = vec![pod("phi-0", &waits("ErrImagePull", "x"))];
    assert_eq!(scene.says(types::INFERENCE).0, Truth::True);
    scene.stateful_set = None;
    assert_eq!(scene.says(types::INFERENCE).1, "WorkspaceInferenceStatusPending");
}
