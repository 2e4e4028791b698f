//! Conversion loses nothing.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::conversion::{ConversionError, convert};
use crate::names::annotations::{V1ALPHA1_FIELDS, V1BETA1_FIELDS};

const ALPHA: &str = "kaito.sh/v1alpha1";
const BETA: &str = "kaito.sh/v1beta1";

fn there(object: &Value, version: &str) -> Value {
    convert(object.clone(), version).unwrap()
}

fn engine(version: &str, spec: &Value) -> Value {
    json!({"apiVersion": version, "kind": "RAGEngine", "metadata": {"name": "e"}, "spec": spec})
}

fn annotation(object: &Value, name: &str) -> Option<Value> {
    let text = object["metadata"]["annotations"].get(name)?.as_str()?;
    Some(serde_json::from_str(text).unwrap())
}

#[test]
fn flat_storage_becomes_a_persistent_volume() {
    for (flat, nested) in [
        (
            json!({"persistentVolumeClaim": "pvc1", "mountPath": "/d"}),
            json!({"persistentVolume": {"persistentVolumeClaim": "pvc1", "mountPath": "/d"}}),
        ),
        (
            json!({"persistentVolumeClaim": "pvc1"}),
            json!({"persistentVolume": {"persistentVolumeClaim": "pvc1"}}),
        ),
        (
            json!({"mountPath": "/d"}),
            json!({"persistentVolume": {"persistentVolumeClaim": "", "mountPath": "/d"}}),
        ),
        (json!({}), json!({})),
    ] {
        let beta = engine(BETA, &json!({"storage": nested}));
        assert_eq!(there(&engine(ALPHA, &json!({"storage": flat})), BETA), beta);
        assert_eq!(there(&beta, ALPHA), engine(ALPHA, &json!({"storage": flat})));
    }
}

#[test]
fn what_the_old_version_cannot_say_travels_in_an_annotation() {
    let beta = engine(
        BETA,
        &json!({
            "embedding": {"local": {"modelID": "m"}},
            "guardrails": {"enabled": true},
            "storage": {"vectorDB": {"engine": "qdrant", "url": "u"}},
        }),
    );
    let alpha = there(&beta, ALPHA);
    assert_eq!(
        alpha["spec"],
        json!({"embedding": {"local": {"modelID": "m"}}, "storage": {}})
    );
    assert_eq!(
        annotation(&alpha, V1BETA1_FIELDS),
        Some(json!([
            {"path": "/spec/storage/vectorDB", "value": {"engine": "qdrant", "url": "u"}},
            {"path": "/spec/guardrails", "value": {"enabled": true}},
        ]))
    );
    assert_eq!(there(&alpha, BETA), beta);
}

#[test]
fn what_the_new_version_cannot_say_travels_in_an_annotation() {
    let alpha = engine(ALPHA, &json!({"queryServiceName": "q", "storage": {"mountPath": ""}}));
    let beta = there(&alpha, BETA);
    assert_eq!(beta["spec"], json!({"storage": {}}));
    assert!(annotation(&beta, V1ALPHA1_FIELDS).is_some());
    assert_eq!(there(&beta, ALPHA), alpha);
}

#[test]
fn no_machine_type_does_not_become_the_old_versions_default() {
    let beta = engine(BETA, &json!({"compute": {"count": 1, "labelSelector": {}}}));
    let alpha = there(&beta, ALPHA);
    assert_eq!(alpha["spec"]["compute"]["instanceType"], "");
    assert_eq!(annotation(&alpha, V1BETA1_FIELDS), None);
    assert_eq!(there(&alpha, BETA), beta);
}

#[test]
fn a_model_without_a_window_is_not_shown_by_halves() {
    let service = json!({"workspaceRef": {"name": "phi"}, "contextWindowSize": 9});
    let beta = engine(BETA, &json!({"inferenceService": service}));
    let mut alpha = there(&beta, ALPHA);
    assert_eq!(alpha["spec"], json!({}));
    assert_eq!(there(&alpha, BETA), beta);
    // Who gives one in the old version has decided.
    let chosen = json!({"url": "http://llm", "contextWindowSize": 5});
    alpha["spec"]["inferenceService"] = chosen.clone();
    assert_eq!(there(&alpha, BETA), engine(BETA, &json!({"inferenceService": chosen})));
}

#[test]
fn a_model_without_a_url_has_an_empty_one_in_the_old_version() {
    let beta = engine(BETA, &json!({"inferenceService": {"contextWindowSize": 9}}));
    let alpha = there(&beta, ALPHA);
    assert_eq!(
        alpha,
        engine(ALPHA, &json!({"inferenceService": {"url": "", "contextWindowSize": 9}}))
    );
    assert_eq!(there(&alpha, BETA), beta);
}

#[test]
fn changes_made_in_the_old_version_win_over_the_annotation() {
    let beta = engine(
        BETA,
        &json!({"compute": {"instanceType": "a", "partition": {"mode": "mig"}}, "replicas": 1}),
    );
    let mut alpha = there(&beta, ALPHA);
    alpha["spec"].as_object_mut().unwrap().remove("compute");
    assert_eq!(there(&alpha, BETA), engine(BETA, &json!({"replicas": 1})));
}

#[test]
fn a_made_up_annotation_changes_nothing_but_what_versions_differ_in() {
    for made_up in [
        r#"[{"path": "/metadata/ownerReferences", "value": []}]"#,
        r#"[{"path": "/kind", "instead": "RAGEngine", "value": "Workspace"}]"#,
        r#"[{"path": "/metadata/annotations/other", "value": "x"}]"#,
        r#"{"path": "/spec"}"#,
        "no JSON",
    ] {
        let mut alpha = engine(ALPHA, &json!({}));
        alpha["metadata"]["annotations"] = json!({V1BETA1_FIELDS: made_up});
        let beta = there(&alpha, BETA);
        let mut bare = beta.clone();
        bare["metadata"].as_object_mut().unwrap().remove("annotations");
        assert_eq!(bare, engine(BETA, &json!({})), "{made_up}");
        assert_eq!(there(&beta, ALPHA), alpha, "{made_up}");
    }
}

#[test]
fn a_workspace_carries_what_is_new() {
    let beta = json!({
        "apiVersion": BETA, "kind": "Workspace", "metadata": {"name": "w", "annotations": {"a": "b"}},
        "resource": {"labelSelector": {}, "partition": {"mode": "mig", "profile": "1g.10gb"}},
        "inference": {"preset": {"name": "p", "presetOptions": {"image": "i", "modelAccessSecret": "s"}},
                      "template": {"x": [1, {"y": null}]}},
        "status": {"workerNodes": ["n"], "state": "Ready", "targetNodeCount": 2, "performance": {"metrics": {}}},
    });
    let alpha = there(&beta, ALPHA);
    assert_eq!(alpha["resource"], json!({"labelSelector": {}, "instanceType": ""}));
    assert_eq!(alpha["inference"]["preset"]["presetOptions"], json!({"image": "i"}));
    assert_eq!(alpha["status"], json!({"workerNodes": ["n"]}));
    assert_eq!(there(&alpha, BETA), beta);
}

#[test]
fn a_set_carries_what_is_new() {
    let beta = json!({
        "apiVersion": BETA, "kind": "InferenceSet", "metadata": {"name": "s"},
        "spec": {"replicas": 2, "labelSelector": {}, "template": {
            "resource": {"instanceType": "a", "partition": {"mode": "mig", "profile": "1g.10gb"}},
            "inference": {"preset": {"name": "p", "presetOptions": {"modelAccessSecret": "s"}}},
        }},
        "status": {"replicas": 2, "updatedReplicas": 1, "observedGeneration": 4, "performance": {"metrics": {
            "tokens": {"description": "d", "value": "1", "config": {"a": "b"}},
        }}},
    });
    let alpha = there(&beta, ALPHA);
    assert_eq!(alpha["spec"]["template"]["resource"], json!({"instanceType": "a"}));
    assert_eq!(
        alpha["spec"]["template"]["inference"],
        beta["spec"]["template"]["inference"]
    );
    assert_eq!(
        alpha["status"],
        json!({"replicas": 2, "performance": {"metrics": {"tokens": {"description": "d", "value": "1"}}}})
    );
    assert_eq!(there(&alpha, BETA), beta);
}

#[test]
fn a_workspace_that_is_made_for_an_engine_is_carried() {
    let template = json!({"resource": {"labelSelector": {}}, "inference": {"preset": {"name": "p"}}});
    let beta = engine(
        BETA,
        &json!({"inferenceService": {"workspaceTemplate": template, "contextWindowSize": 9, "accessSecret": "s"}}),
    );
    let alpha = there(&beta, ALPHA);
    assert_eq!(alpha["spec"], json!({}));
    assert_eq!(there(&alpha, BETA), beta);
}

#[test]
fn the_same_version_is_left_alone() {
    let mut alpha = engine(ALPHA, &json!({"queryServiceName": "q"}));
    alpha["metadata"]["annotations"] = json!({V1BETA1_FIELDS: "x"});
    assert_eq!(there(&alpha, ALPHA), alpha);
}

#[test]
fn foreign_kinds_and_versions_are_refused() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod"});
    assert!(matches!(convert(pod, BETA), Err(ConversionError::UnknownKind { .. })));
    let engine = engine(ALPHA, &json!({}));
    for version in ["kaito.sh/v2", "v1beta1", "example.com/v1beta1", ""] {
        assert_eq!(
            convert(engine.clone(), version),
            Err(ConversionError::UnknownVersion(version.to_owned()))
        );
    }
}

/// Any JSON, small.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (-50i32..50).prop_map(|number| Value::from(f64::from(number) / 4.0)),
        "[a-z/~ ]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map(member(), inner, 0..3).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Names of members, known and unknown.
fn member() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "instanceType", "partition", "count", "labelSelector", "persistentVolumeClaim", "mountPath",
            "persistentVolume", "vectorDB", "url", "workspaceRef", "workspaceTemplate", "contextWindowSize", "accessSecret", "name",
            "presetOptions", "modelAccessSecret", "image", "conditions", "resource", "config",
        ]).prop_map(str::to_owned),
        1 => "[a-z~/]{1,3}",
    ]
}

/// A tree in which `names` lead to trees of `inner`, or to anything.
fn shaped(names: &'static [&'static str], inner: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let known = btree_map(prop::sample::select(names).prop_map(str::to_owned), inner, 0..8);
    let unknown = btree_map("x[a-z]{0,2}", anything(), 0..2);
    (known, unknown)
        .prop_map(|(known, unknown)| Value::Object(known.into_iter().chain(unknown).collect::<Map<_, _>>()))
        .boxed()
}

fn members() -> BoxedStrategy<Value> {
    let flat = btree_map(member(), anything(), 0..5)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
        .boxed();
    let nested = btree_map(member(), flat.clone(), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
        .boxed();
    prop_oneof![3 => flat, 3 => nested, 1 => anything()].boxed()
}

fn engines() -> BoxedStrategy<Value> {
    let spec = shaped(
        &[
            "compute",
            "storage",
            "embedding",
            "inferenceService",
            "guardrails",
            "replicas",
            "image",
            "resources",
            "serviceType",
            "podTemplate",
            "auth",
            "networkPolicy",
            "retrieval",
            "queryServiceName",
            "indexServiceName",
        ],
        members(),
    );
    let status = shaped(
        &[
            "workerNodes",
            "conditions",
            "observedGeneration",
            "url",
            "indexes",
            "inference",
        ],
        members(),
    );
    objects("RAGEngine", vec![("spec", spec), ("status", status)])
}

fn workspaces() -> BoxedStrategy<Value> {
    let model = shaped(
        &["preset", "template", "adapters", "config"],
        shaped(&["presetOptions", "name"], members()),
    );
    let status = shaped(
        &["workerNodes", "conditions", "state", "targetNodeCount", "performance"],
        members(),
    );
    objects(
        "Workspace",
        vec![
            ("resource", members()),
            ("inference", model.clone()),
            ("tuning", model),
            ("status", status),
        ],
    )
}

fn sets() -> BoxedStrategy<Value> {
    let spec = shaped(&["replicas", "template", "labelSelector", "updateStrategy"], members());
    let performance = shaped(&["metrics"], members());
    let status = shaped(
        &["replicas", "updatedReplicas", "observedGeneration", "performance"],
        prop_oneof![performance, anything()].boxed(),
    );
    objects("InferenceSet", vec![("spec", spec), ("status", status)])
}

fn objects(kind: &'static str, fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    let values: Vec<_> = fields
        .into_iter()
        .map(|(_, values)| prop_oneof![6 => values.prop_map(Some), 1 => Just(None), 1 => anything().prop_map(Some)])
        .collect();
    let annotations = btree_map(
        prop_oneof![
            2 => "[a-z]{1,3}/[a-z]{1,3}",
            1 => Just(V1ALPHA1_FIELDS.to_owned()),
            1 => Just(V1BETA1_FIELDS.to_owned()),
        ],
        "[a-z\\[{ ]{0,4}",
        0..3,
    );
    let version = prop::sample::select(vec![ALPHA, BETA]);
    (values, annotations, version)
        .prop_map(move |(values, annotations, version)| {
            let mut object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}});
            if !annotations.is_empty() {
                object["metadata"]["annotations"] = json!(annotations);
            }
            for (name, value) in names.iter().zip(values) {
                if let Some(value) = value {
                    object[*name] = value;
                }
            }
            object
        })
        .boxed()
}

fn other(object: &Value) -> &'static str {
    if object["apiVersion"] == ALPHA { BETA } else { ALPHA }
}

fn own(object: &Value) -> &'static str {
    if object["apiVersion"] == ALPHA { ALPHA } else { BETA }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn an_engine_comes_back_as_it_went(object in engines()) {
        let converted = there(&object, other(&object));
        prop_assert_eq!(converted["apiVersion"].as_str(), Some(other(&object)));
        prop_assert_eq!(there(&converted, own(&object)), object);
    }

    #[test]
    fn a_workspace_comes_back_as_it_went(object in workspaces()) {
        prop_assert_eq!(there(&there(&object, other(&object)), own(&object)), object);
    }

    #[test]
    fn a_set_comes_back_as_it_went(object in sets()) {
        prop_assert_eq!(there(&there(&object, other(&object)), own(&object)), object);
    }

    #[test]
    fn going_back_and_forth_changes_nothing_more(object in engines()) {
        let converted = there(&object, other(&object));
        let again = there(&there(&converted, own(&object)), other(&object));
        prop_assert_eq!(again, converted);
    }

    #[test]
    fn an_object_shown_in_the_old_version_says_nothing_of_the_new_one(object in engines()) {
        let mut beta = object;
        beta["apiVersion"] = json!(BETA);
        let alpha = there(&beta, ALPHA);
        for name in ["guardrails", "replicas", "podTemplate", "retrieval", "auth"] {
            prop_assert!(alpha["spec"].get(name).is_none());
        }
        prop_assert!(alpha["spec"]["storage"].get("vectorDB").is_none() );
    }
}

/// What each version adds survives the other one's edits.
#[test]
fn both_versions_can_add_to_the_same_object() {
    let alpha = engine(ALPHA, &json!({"queryServiceName": "q", "embedding": {}}));
    let mut beta = there(&alpha, BETA);
    beta["spec"]["guardrails"] = json!({"enabled": true});
    let mut alpha = there(&beta, ALPHA);
    assert_eq!(alpha["spec"]["queryServiceName"], "q");
    alpha["spec"]["indexServiceName"] = json!("i");
    let beta = there(&alpha, BETA);
    assert_eq!(beta["spec"]["guardrails"], json!({"enabled": true}));
    assert_eq!(there(&beta, ALPHA), alpha);
}
