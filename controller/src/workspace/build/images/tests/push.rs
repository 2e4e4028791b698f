use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};

use super::super::PUSHER;
use super::programs::{Programs, complaint, files, succeeds};

/// A pod whose training has these results.
fn pod(results: &[(&str, &str)]) -> Programs {
    let programs = Programs::new();
    for (name, text) in results {
        programs.write(&format!("results/{name}"), text);
    }
    fs::create_dir_all(programs.path("processes")).unwrap();
    programs.add("oras", r#"case $1 in push) cp -r . "$HERE/pushed" ;; esac"#);
    programs
}

fn push(programs: &Programs) -> Output {
    let annotations = r#"{"$manifest":{"sh.kaito.model.name":"phi-4"}}"#;
    let results = programs.path("results");
    let processes = programs.path("processes");
    programs.run(
        PUSHER,
        &[
            results.to_str().unwrap(),
            "reg.example.com/out:1",
            annotations,
            processes.to_str().unwrap(),
        ],
    )
}

/// A process of the pod that waits to be ended, as this program.
fn process(programs: &Programs, program: &str) -> Child {
    let child = Command::new("/bin/cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    programs.write(&format!("processes/{}/comm", child.id()), &format!("{program}\n"));
    child
}

const COMPLETE: [(&str, &str); 3] = [
    ("adapter_config.json", "{}"),
    ("adapter_model.safetensors", "weights"),
    ("fine_tuning_completed.txt", "now"),
];

#[test]
fn the_adapter_becomes_the_one_layer_of_an_image_for_any_platform() {
    let programs = pod(&COMPLETE);
    programs.write("results/checkpoint/optimizer.pt", "not wanted");
    succeeds(&push(&programs));
    let calls = programs.calls("oras");
    assert_eq!(
        calls,
        [
            "oras push --annotation-file annotations.json --config \
             config.json:application/vnd.oci.image.config.v1+json --oci-layout layout:latest \
             layer.tar.gz:application/vnd.oci.image.layer.v1.tar+gzip",
            "oras cp --from-oci-layout layout:latest reg.example.com/out:1",
        ]
    );
    let pushed = programs.path("pushed");
    let unpacked = programs.path("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let unpacking = Command::new("sh")
        .args([
            "-c",
            "gzip -d layer.tar.gz && tar -x -f layer.tar -C ../unpacked && sha256sum layer.tar",
        ])
        .current_dir(&pushed)
        .output()
        .unwrap();
    succeeds(&unpacking);
    let digest = String::from_utf8(unpacking.stdout).unwrap();
    let digest = digest.split(' ').next().unwrap();
    let config: serde_json::Value = serde_json::from_slice(&fs::read(pushed.join("config.json")).unwrap()).unwrap();
    assert_eq!(
        config,
        serde_json::json!({"rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]}})
    );
    assert_eq!(
        files(&unpacked),
        [
            ("data/adapter_config.json".to_owned(), "{}".to_owned()),
            ("data/adapter_model.safetensors".to_owned(), "weights".to_owned()),
        ]
    );
    assert!(
        fs::symlink_metadata(unpacked.join("data/adapter_config.json"))
            .unwrap()
            .is_file()
    );
    let annotations = fs::read_to_string(pushed.join("annotations.json")).unwrap();
    assert_eq!(annotations, r#"{"$manifest":{"sh.kaito.model.name":"phi-4"}}"#);
}

#[test]
fn the_pause_container_is_ended_whatever_happens() {
    for (results, works) in [(&COMPLETE[..], true), (&COMPLETE[2..], false)] {
        let programs = pod(results);
        let mut pause = process(&programs, "pause");
        let mut other = process(&programs, "python3");
        assert_eq!(push(&programs).status.success(), works);
        assert_eq!(pause.wait().unwrap().signal(), Some(15));
        drop(other.stdin.take());
        assert!(other.wait().unwrap().success(), "only pause is ended");
    }
}

#[test]
fn a_training_that_ends_without_a_result_ends_the_pod() {
    let programs = pod(&[]);
    programs.write(
        "processes/7/cmdline",
        "accelerate\0launch\0/workspace/tfs/fine_tuning.py\0",
    );
    programs.add("sleep", r#"rm -rf "$HERE/processes/7""#);
    let complaint = complaint(&push(&programs));
    assert!(complaint.contains("the training ended without a result"), "{complaint}");
    assert!(programs.calls("oras").is_empty());
}

#[test]
fn results_are_waited_for() {
    let programs = pod(&COMPLETE[..2]);
    programs.add(
        "sleep",
        r#"if [ "$(grep -c '^sleep 1$' "$HERE/log")" = 3 ]; then echo now >"$HERE/results/fine_tuning_completed.txt"; fi"#,
    );
    succeeds(&push(&programs));
    assert_eq!(programs.calls("sleep").len(), 3);
}

#[test]
fn a_push_is_tried_again_since_hours_of_work_would_be_lost() {
    let programs = pod(&COMPLETE);
    programs.add(
        "oras",
        r#"case $1 in cp) [ "$(grep -c '^oras cp' "$HERE/log")" = 3 ] ;; esac"#,
    );
    succeeds(&push(&programs));
    assert_eq!(programs.calls("sleep"), ["sleep 10", "sleep 20"]);

    let programs = pod(&COMPLETE);
    programs.add("oras", r#"case $1 in cp) exit 1 ;; esac"#);
    let complaint = complaint(&push(&programs));
    assert!(complaint.contains("cannot push reg.example.com/out:1"), "{complaint}");
}

#[test]
fn a_result_that_is_no_adapter_is_an_error() {
    let programs = pod(&COMPLETE[1..]);
    let complaint = complaint(&push(&programs));
    assert!(
        complaint.contains("the training made no adapter_config.json"),
        "{complaint}"
    );
}
