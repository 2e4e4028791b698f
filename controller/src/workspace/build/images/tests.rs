mod programs;
mod pull;
mod push;
mod urls;

use std::process::Command;

use super::*;

#[test]
fn scripts_are_right_and_the_kubelet_leaves_them_alone() {
    for (name, text) in [("puller", PULLER), ("downloader", DOWNLOADER), ("pusher", PUSHER)] {
        let checked = Command::new("/bin/sh").args(["-n", "-c", text]).status().unwrap();
        assert!(checked.success(), "{name}");
        assert!(!text.contains("$$"), "{name}: the kubelet makes one dollar sign of two");
        for (at, _) in text.match_indices("$(") {
            let inside: String = text[at + 2..].chars().take_while(|one| *one != ')').collect();
            assert!(inside.contains(' '), "{name}: {inside} could be the name of a variable");
        }
        let Ok(checker) = Command::new("shellcheck").arg("--version").output() else {
            continue;
        };
        assert!(checker.status.success());
        let path = format!("{}/src/workspace/build/images/{name}.sh", env!("CARGO_MANIFEST_DIR"));
        let checked = Command::new("shellcheck").args(["--shell=sh", &path]).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    }
}

#[test]
fn a_name_that_is_no_label_gets_a_digest_and_stays_different_from_others() {
    assert_eq!(label("puller-", "pets", ""), "puller-pets");
    assert_eq!(
        label("docker-config-", "", "-tuning-input"),
        "docker-config--tuning-input"
    );
    let dots = label("puller-", "a.b", "");
    assert_ne!(dots, label("puller-", "a-b", ""));
    for name in ["a.b", &"long".repeat(60), "UPPER_case"] {
        for (prefix, suffix) in [("puller-", ""), ("docker-config-", "-inference-adapter")] {
            let made = label(prefix, name, suffix);
            assert!(made.len() <= LONGEST_NAME, "{made}");
            assert!(made.starts_with(prefix) && made.ends_with(suffix), "{made}");
            assert!(!made.contains(['.', '_']) && !made.ends_with('-'), "{made}");
            assert_eq!(made, made.to_lowercase());
        }
    }
}

#[test]
fn a_puller_takes_what_the_user_wrote_as_arguments() {
    let source = ImageSource {
        image: "busybox; $(reboot)".to_owned(),
        pull_secrets: vec!["one".to_owned(), "two".to_owned()],
    };
    let pulled = puller(&Pull {
        name: "pets",
        purpose: Purpose::InferenceAdapter,
        source: &source,
        volume: "adapter-volume",
        mount_root: "/mnt/adapter",
        target: "/mnt/adapter/pets",
    });
    let arguments = pulled.container.args.unwrap();
    assert_eq!(arguments[0], PULLER);
    assert_eq!(
        arguments[1..],
        [
            "puller",
            "docker.io/library/busybox; $$(reboot):latest",
            "/mnt/adapter/pets",
            "/root/.docker/config.d/pets-inference-adapter",
        ]
    );
    let credentials = pulled.credentials.unwrap();
    assert_eq!(credentials.name, "docker-config-pets-inference-adapter");
    let sources = credentials.projected.unwrap().sources.unwrap();
    let files: Vec<_> = sources
        .into_iter()
        .map(|source| source.secret.unwrap().items.unwrap()[0].path.clone())
        .collect();
    assert_eq!(files, ["one.json", "two.json"]);
    assert_eq!(pulled.container.name, "puller-pets");
}
