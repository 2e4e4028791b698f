use std::path::Path;

use clap::Parser;

use super::*;
use crate::Options;
use crate::options::Command;

/// What `kaito-controller render` with these arguments says of files with these texts.
fn shown(arguments: &[&str], texts: &[&str]) -> Result<String, String> {
    let directory = tempfile::tempdir().unwrap();
    let paths = texts.iter().enumerate().map(|(number, text)| {
        let path = directory.path().join(format!("{number}.yaml"));
        std::fs::write(&path, text).unwrap();
        path.into_os_string()
    });
    let words = ["kaito-controller", "render"].iter().chain(arguments);
    let line: Vec<_> = words.map(Into::into).chain(paths).collect();
    let Some(Command::Render(command)) = Options::try_parse_from(line).unwrap().command else {
        panic!("it is this command");
    };
    rendered(&command).map_err(|failure| failure.to_string())
}

/// A manifest of this directory's examples.
const SERVING: &str = "
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata:
  name: workspace-phi
resource:
  instanceType: Standard_NC24ads_A100_v4
  labelSelector:
    matchLabels:
      apps: phi
inference:
  preset:
    name: phi-4-mini-instruct
  config: options
";

const OPTIONS: &str = "
apiVersion: v1
kind: ConfigMap
metadata:
  name: options
data:
  inference_config.yaml: |
    vllm:
      max-model-len: 4096
---
apiVersion: v1
kind: Service
metadata: a file may have anything else
---
";

fn kinds(text: &str) -> Vec<String> {
    let objects = serde_yaml_ng::Deserializer::from_str(text);
    let objects = objects.map(|object| Value::deserialize(object).unwrap());
    objects
        .map(|object| {
            format!(
                "{} {}",
                object["kind"].as_str().unwrap(),
                object["metadata"]["name"].as_str().unwrap()
            )
        })
        .collect()
}

#[test]
fn a_workspace_is_shown_as_the_objects_it_becomes() {
    let text = shown(&[], &[SERVING, OPTIONS]).unwrap();
    assert_eq!(
        kinds(&text),
        [
            "StatefulSet workspace-phi",
            "Service workspace-phi",
            "Service workspace-phi-headless"
        ]
    );
    assert!(text.contains("namespace: default"), "{text}");
    assert!(!text.contains("ownerReferences"), "{text}");
}

#[test]
fn the_installation_can_be_told() {
    let arguments = ["--preset-registry", "registry.example.com/models", "--local-nvme"];
    let text = shown(&arguments, &[SERVING, OPTIONS]).unwrap();
    assert!(text.contains("image: registry.example.com/models/"), "{text}");
    assert!(text.contains("volumeClaimTemplates"), "{text}");
}

#[test]
fn the_older_version_and_the_default_options_of_training_are_known() {
    let tuning = "
apiVersion: kaito.sh/v1alpha1
kind: Workspace
metadata: {name: tune, namespace: ml}
resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: tune}}}
tuning:
  preset: {name: phi-4-mini-instruct}
  method: qlora
  input: {urls: ['https://example.com/data.parquet']}
  output: {image: registry.example.com/adapter:1, imagePushSecret: push}
";
    let text = shown(&[], &[tuning]).unwrap();
    assert_eq!(kinds(&text), ["Job tune", "ConfigMap tune-training-config"]);
}

#[test]
fn what_cannot_be_shown_is_said() {
    let refused = |texts: &[&str]| shown(&[], texts).unwrap_err();
    assert_eq!(
        refused(&[SERVING]),
        "Workspace \"workspace-phi\": ConfigMap \"options\" of inference.config cannot be read: it does not exist: \
         create it"
    );
    assert_eq!(refused(&[OPTIONS]), "there is no Workspace (kaito.sh) in these files");
    let misspelt = "{apiVersion: kaito.sh/v1beta1, kind: Workspace, metadata: {name: a}, inference: 3}";
    assert!(refused(&[misspelt]).starts_with("Workspace \"a\" cannot be understood: "));
    assert!(refused(&["a: [1"]).contains("0.yaml is not YAML: "));
    let missing = RenderCommand {
        files: vec!["/missing".into()],
        ..command()
    };
    assert_eq!(
        rendered(&missing).unwrap_err().to_string(),
        "/missing cannot be read: No such file or directory (os error 2)"
    );
    let mut room = 3;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "a: b").unwrap();
    let long = documents(Path::new(file.path()), &mut room).unwrap_err();
    assert_eq!(long.to_string(), "the files have more than 16 MiB; give fewer of them");
}

fn command() -> RenderCommand {
    let Some(Command::Render(command)) = Options::parse_from(["kaito-controller", "render", "-"]).command else {
        panic!("it is this command");
    };
    *command
}
