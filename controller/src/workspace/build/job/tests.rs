use std::num::NonZeroU32;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kaito_api::v1beta1::TuningSpec;
use kaito_presets::{Model, ModelCatalogue, Resolution};
use serde_json::{Value, json};

use super::*;
use crate::workspace::references::tuning::{TrainingReference, TrainingSource};
use crate::workspace::validate::tuning::{TuningFacts, tuning};
use crate::workspace::workload::Task;

const LORA: &str = include_str!("../../../../../charts/workspace/files/lora-params-template.yaml");
const QLORA: &str = include_str!("../../../../../charts/workspace/files/qlora-params-template.yaml");

fn model(name: &str) -> &'static Model {
    match ModelCatalogue::builtin().resolve(name) {
        Resolution::Known(model) => model,
        _ => panic!("{name} is in the catalogue"),
    }
}

fn config(source: TrainingSource, text: &str) -> TrainingReference {
    TrainingReference {
        source,
        text: Some(text.to_owned()),
        problem: None,
    }
}

/// A Workspace that tunes, of these fields.
fn workload(name: &str, fields: Value, gpus: u32, config: &TrainingReference, placement: Placement) -> Workload {
    let spec: TuningSpec = serde_json::from_value(fields).unwrap();
    let facts = TuningFacts {
        workspace: name,
        model: model(&spec.preset.as_ref().unwrap().name),
        gpus: NonZeroU32::new(gpus).unwrap(),
        config,
        registry: "mcr.microsoft.com/aks/kaito",
    };
    let task = Task::Tuning(Box::new(tuning(&spec, &facts).unwrap()));
    Workload {
        name: name.to_owned(),
        namespace: "default".to_owned(),
        owner: OwnerReference {
            api_version: "kaito.sh/v1beta1".to_owned(),
            kind: "Workspace".to_owned(),
            name: name.to_owned(),
            uid: "uid-1".to_owned(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        },
        revision: 1,
        load_balancer: false,
        placement,
        set_labels: BTreeMap::new(),
        inputs: BTreeMap::from([("tuning-config", "digest".to_owned())]),
        task,
    }
}

fn on_azure(name: &str) -> Placement {
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    Placement {
        node_labels: BTreeMap::from([
            label("apps", "tuning"),
            label("kaito.sh/workspace", name),
            label("kaito.sh/workspacenamespace", "default"),
        ]),
        azure: true,
    }
}

fn built(workload: &Workload) -> (Job, Option<ConfigMap>) {
    let Task::Tuning(tuning) = &workload.task else {
        panic!("it tunes");
    };
    (job(workload, tuning), training_config(workload, tuning))
}

/// All objects, as the API server would be sent them. Scripts have tests of their own.
fn manifests(workload: &Workload) -> String {
    let (job, config) = built(workload);
    let objects = [
        Some(crate::apply::with_type(&job)),
        config.as_ref().map(crate::apply::with_type),
    ];
    let yaml = |mut object: Value| {
        object.sort_all_objects();
        shorten(&mut object);
        serde_yaml_ng::to_string(&object).unwrap()
    };
    objects
        .into_iter()
        .flatten()
        .map(yaml)
        .collect::<Vec<_>>()
        .join("---\n")
}

/// Replaces each script by its first line.
fn shorten(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("# ") && text.contains("\nset -e") => {
            *text = format!("{} [...]", text.lines().next().unwrap());
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(members) => members.values_mut().for_each(shorten),
        _ => {}
    }
}

fn from_image_to_image(name: &str) -> Workload {
    let fields = json!({
        "preset": {"name": "phi-3-mini-128k-instruct"},
        "method": "lora",
        "input": {"name": "ds", "image": "reg.example.com/data:1", "imagePullSecrets": ["s1"]},
        "output": {"image": "reg.example.com/out:1", "imagePushSecret": "s2"},
    });
    let default = config(TrainingSource::Default("lora-params-template".to_owned()), LORA);
    workload(name, fields, 1, &default, on_azure(name))
}

#[test]
fn lora_from_an_image_to_an_image() {
    insta::assert_snapshot!(manifests(&from_image_to_image("tune")));
}

#[test]
fn qlora_from_urls_to_a_volume() {
    let fields = json!({
        "preset": {"name": "mistralai/Mistral-7B-v0.3"},
        "method": "QLoRA",
        "input": {"urls": ["https://example.com/a.csv?sig=$(HOME)", "https://example.com/b.csv"]},
        "output": {"volumeSource": {"persistentVolumeClaim": {"claimName": "results"}}},
    });
    let named = config(TrainingSource::Named("mine".to_owned()), QLORA);
    insta::assert_snapshot!(manifests(&workload("tune", fields, 4, &named, on_azure("tune"))));
}

#[test]
fn from_a_volume_to_a_volume_on_machines_of_the_users_own() {
    let fields = json!({
        "preset": {"name": "phi-4"},
        "method": "lora",
        "input": {"name": "pets", "volumeSource": {"nfs": {"server": "files", "path": "/pets"}}},
        "output": {"volumeSource": {"persistentVolumeClaim": {"claimName": "results"}}},
    });
    let text = "training_config: {TrainingArguments: {output_dir: runs/1}}";
    let named = config(TrainingSource::Named("mine".to_owned()), text);
    insta::assert_snapshot!(manifests(&workload("tune", fields, 2, &named, Placement::default())));
}

#[test]
fn containers_of_a_workspace_with_the_name_of_one_of_them_have_different_names() {
    for name in ["pause", "pusher", "puller", "model-weights-downloader"] {
        let pod = built(&from_image_to_image(name)).0.spec.unwrap().template.spec.unwrap();
        let mut names: Vec<_> = pod
            .init_containers
            .iter()
            .flatten()
            .chain(&pod.containers)
            .collect::<Vec<_>>();
        names.sort_by_key(|one| one.name.clone());
        names.dedup_by_key(|one| one.name.clone());
        assert_eq!(names.len(), 5, "{name}");
        assert_eq!(pod.containers[0].name, name);
    }
}

#[test]
fn a_job_is_made_anew_for_another_revision_only() {
    let mut workload = from_image_to_image("tune");
    let first = built(&workload).0;
    workload.placement = Placement::default();
    assert!(!must_be_recreated(&first, &built(&workload).0));
    workload.revision = 2;
    assert!(must_be_recreated(&first, &built(&workload).0));
    assert!(
        must_be_recreated(&Job::default(), &first),
        "somebody took the annotation away"
    );
}
