use std::process::Command;

use super::super::PULLER;
use super::programs::{Programs, complaint, files, succeeds};

/// A registry: `skopeo` copies the layers in `$HERE/layers` if it is called with the file of credentials whose text is
/// `needs`, or without one when that is empty.
fn registry(needs: &str) -> Programs {
    let programs = Programs::new();
    programs.write("needs", needs);
    programs.add(
        "skopeo",
        r#"
given=
last=
previous=
for argument in "$@"; do
    case $previous in --authfile) given=$(cat "$argument") ;; esac
    previous=$argument
    last=$argument
done
case $* in
*copy*)
    [ "$given" = "$(cat "$HERE/needs")" ] || { echo unauthorized >&2; exit 1; }
    mkdir "${last#dir:}"
    cp "$HERE"/layers/* "${last#dir:}"
    ;;
*inspect*) for layer in "${last#dir:}"/*; do echo "sha256:${layer##*/}"; done ;;
esac
"#,
    );
    programs
}

/// Adds a layer of these files.
fn layer(programs: &Programs, name: &str, content: &[(&str, &str)]) {
    for (path, text) in content {
        programs.write(&format!("content-{name}/{path}"), text);
    }
    std::fs::create_dir_all(programs.path("layers")).unwrap();
    let status = Command::new("tar")
        .args(["-c", "-f"])
        .arg(programs.path("layers").join(name))
        .arg("-C")
        .arg(programs.path(&format!("content-{name}")))
        .arg(".")
        .status()
        .unwrap();
    assert!(status.success());
}

fn pull(programs: &Programs, credentials: &str) -> std::process::Output {
    let target = programs.path("volume/pets");
    programs.run(
        PULLER,
        &["docker.io/team/pets:1", target.to_str().unwrap(), credentials],
    )
}

fn target(programs: &Programs) -> Vec<(String, String)> {
    files(&programs.path("volume/pets"))
}

fn text(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

#[test]
fn the_data_of_a_public_image_are_unpacked_layer_by_layer() {
    let programs = registry("");
    layer(
        &programs,
        "1",
        &[
            ("data/old", "1"),
            ("data/kept", "1"),
            ("data/changed", "1"),
            ("etc/passwd", "root"),
        ],
    );
    layer(
        &programs,
        "2",
        &[("data/changed", "2"), ("data/.wh.old", ""), ("data/sub dir/new", "2")],
    );
    succeeds(&pull(&programs, ""));
    let expected = [text("changed", "2"), text("kept", "1"), text("sub dir/new", "2")];
    assert_eq!(target(&programs), expected);
    let copies = programs.calls("skopeo");
    assert!(copies[0].contains(" copy ") && copies[0].contains(" docker://docker.io/team/pets:1 dir:"));
    assert!(copies[0].contains(" --dest-decompress ") && !copies[0].contains("--authfile"));
}

#[test]
fn a_layer_that_begins_a_directory_anew_keeps_what_it_puts_there_itself() {
    let programs = registry("");
    layer(&programs, "1", &[("data/old", "1"), ("data/sub/old", "1")]);
    layer(&programs, "2", &[("data/.wh..wh..opq", ""), ("data/new", "2")]);
    layer(&programs, "3", &[("data/new", "3"), ("data/.wh.none", "")]);
    succeeds(&pull(&programs, ""));
    assert_eq!(target(&programs), [text("new", "3")]);
}

#[test]
fn a_layer_cannot_remove_what_is_outside_of_the_image() {
    let programs = registry("");
    programs.write("precious/file", "mine");
    let outside = programs.path("precious");
    programs.write("content-1/data/kept", "1");
    std::os::unix::fs::symlink(&outside, programs.path("content-1/out")).unwrap();
    layer(&programs, "1", &[]);
    layer(&programs, "2", &[("out/.wh.file", ""), ("data/two", "2")]);
    let _ = pull(&programs, "");
    assert!(outside.join("file").exists());
}

#[test]
fn each_secret_is_tried_after_none() {
    let programs = registry("the right one");
    layer(&programs, "1", &[("data/file", "1")]);
    programs.write("secrets/a.json", "the wrong one");
    programs.write("secrets/b.json", "the right one");
    programs.write("secrets/c.json", "not needed");
    let secrets = programs.path("secrets");
    succeeds(&pull(&programs, secrets.to_str().unwrap()));
    assert_eq!(target(&programs), [text("file", "1")]);
    let copies = programs
        .calls("skopeo")
        .into_iter()
        .filter(|call| call.contains(" copy "));
    let with: Vec<_> = copies.map(|call| call.contains("--authfile")).collect();
    assert_eq!(with, [false, true, true]);
}

#[test]
fn an_image_that_nobody_may_pull_is_an_error() {
    let programs = registry("something else");
    layer(&programs, "1", &[("data/file", "1")]);
    programs.write("secrets/a.json", "the wrong one");
    let secrets = programs.path("secrets");
    let complaint = complaint(&pull(&programs, secrets.to_str().unwrap()));
    assert!(complaint.contains("cannot pull docker.io/team/pets:1"), "{complaint}");
    assert!(!programs.path("volume").exists());
}

#[test]
fn an_image_without_data_is_an_error() {
    let programs = registry("");
    layer(&programs, "1", &[("etc/passwd", "root")]);
    let complaint = complaint(&pull(&programs, ""));
    assert!(complaint.contains("has no directory /data"), "{complaint}");
}

#[test]
fn a_second_try_leaves_nothing_of_the_first() {
    let programs = registry("");
    layer(&programs, "1", &[("data/file", "1"), ("data/.hidden", "1")]);
    programs.write("volume/pets/half", "of the first try");
    succeeds(&pull(&programs, ""));
    assert_eq!(target(&programs), [text(".hidden", "1"), text("file", "1")]);
    let left: Vec<_> = std::fs::read_dir(programs.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("tmp."))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
