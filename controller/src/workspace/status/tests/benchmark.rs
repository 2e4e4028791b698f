use super::*;

const LOG: &str = "\
INFO starting
KAITO_BENCHMARK_CONFIG 2026-01-01T00:00:00Z {\"duration_sec\": 60, \"input_tokens\": 2048, \"output_tokens\": 256, \"max_concurrency\": 12}
KAITO_BENCHMARK_RESULT 2026-01-01T00:00:01Z {\"vllm_total_tpm\": -1}
INFO noise
KAITO_BENCHMARK_RESULT 2026-01-01T00:01:01Z {\"vllm_total_tpm\": 4200.5, \"ttft_avg_ms\": 9.1}
INFO serving
";

fn log(text: &str) -> Option<BenchmarkLog> {
    Some(BenchmarkLog {
        text: text.to_owned(),
        engine_version: Some("0.25.1".to_owned()),
        quantization: None,
    })
}

/// A Workspace that is ready and whose StatefulSet runs the benchmark.
fn measuring() -> Scene {
    let mut scene = Scene::served();
    let set = scene.stateful_set.as_mut().unwrap();
    set["spec"]["template"]["spec"]["containers"][0]["startupProbe"] =
        json!({"exec": {"command": ["python3", "/workspace/vllm/benchmark_entrypoint.py"]}});
    scene
}

#[test]
fn the_last_result_in_the_log_is_the_models_speed() {
    let mut scene = measuring();
    scene.benchmark = log(LOG);
    let status = scene.pass();
    assert_eq!(status.state, Some(WorkspaceState::Ready));
    assert_eq!(
        serde_json::to_value(status.performance.unwrap()).unwrap(),
        json!({"metrics": {"peakTokensPerMinute": {
            "description": "stress/high-concurrency", "unit": "tokens/min", "value": "4200.5",
            "config": {
                "durationSec": "60", "inputTokens": "2048", "outputTokens": "256", "maxConcurrency": "12",
                "engine": "vllm", "engineVersion": "0.25.1",
            },
        }}})
    );
    assert_eq!(scene.says(types::BENCHMARK).0, Truth::True);
}

#[test]
fn what_was_measured_stays_whatever_becomes_of_the_pods() {
    let mut scene = measuring();
    scene.benchmark = log(LOG);
    let measured = scene.pass();
    scene.benchmark = log("");
    assert!(!scene.is_due(), "it is written once");
    for ready in [0, 1] {
        scene.stateful_set.as_mut().unwrap()["status"]["readyReplicas"] = json!(ready);
        assert_eq!(scene.says(types::BENCHMARK).0, Truth::True);
        assert_eq!(scene.pass().performance, measured.performance);
    }
    assert_eq!(scene.previous.state, Some(WorkspaceState::Ready));
}

#[test]
fn a_benchmark_without_a_useful_result_fails_until_one_is_there() {
    for text in [
        "",
        "KAITO_BENCHMARK_RESULT now {\"vllm_total_tpm\": 0}",
        "KAITO_BENCHMARK_RESULT now {\"vllm_total_tpm\": -1}",
        "KAITO_BENCHMARK_RESULT now {\"ttft_avg_ms\": 1}",
        "KAITO_BENCHMARK_RESULT now {not json",
        "KAITO_BENCHMARK_RESULT now",
        &format!(
            "KAITO_BENCHMARK_RESULT now {{\"vllm_total_tpm\": 1}}{}",
            " ".repeat(1 << 20)
        ),
    ] {
        let mut scene = measuring();
        scene.benchmark = log(text);
        for type_ in [types::BENCHMARK, types::SUCCEEDED] {
            let (truth, reason, _) = scene.says(type_);
            assert_eq!((truth, reason.as_str()), (Truth::False, "BenchmarkFailed"));
        }
        assert_eq!(scene.says(types::INFERENCE).0, Truth::True);
        assert_eq!(scene.pass().state, Some(WorkspaceState::NotReady));
        assert!(scene.is_due(), "it is read again");
        scene.benchmark = log(LOG);
        assert_eq!(scene.pass().state, Some(WorkspaceState::Ready));
    }
}

#[test]
fn a_benchmark_is_due_only_where_one_runs_and_the_model_is_served() {
    assert!(measuring().is_due());
    assert!(!Scene::served().is_due(), "its probe does not measure");
    for change in [
        (|scene: &mut Scene| scene.workspace["metadata"]["annotations"] = json!({"kaito.sh/disable-benchmark": "true"}))
            as fn(&mut Scene),
        |scene| scene.workspace["inference"] = json!({"template": {"spec": {"containers": []}}}),
        |scene| scene.stateful_set.as_mut().unwrap()["status"]["readyReplicas"] = json!(0),
        |scene| scene.machines = None,
        |scene| scene.workspace["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"),
    ] {
        let mut scene = measuring();
        change(&mut scene);
        assert!(!scene.is_due());
        assert!(scene.report().finding(types::BENCHMARK).is_none());
    }
}

#[test]
fn a_benchmark_that_failed_and_is_then_switched_off_does_not_count() {
    let mut scene = measuring();
    scene.benchmark = log("");
    scene.pass();
    scene.workspace["metadata"]["annotations"] = json!({"kaito.sh/disable-benchmark": "true"});
    assert_eq!(scene.pass().state, Some(WorkspaceState::Ready));
}

#[test]
fn a_result_that_is_not_read_yet_is_waited_for() {
    let scene = measuring();
    assert_eq!(scene.says(types::BENCHMARK).0, Truth::Unknown);
    assert_eq!(scene.says(types::SUCCEEDED).1, "workspacePending");
    assert_eq!(scene.report().state, Some(WorkspaceState::Pending));
}
