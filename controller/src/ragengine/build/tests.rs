use std::collections::BTreeSet;

use kaito_api::conversion::convert;
use kaito_api::v1beta1::RAGEngine;
use serde_json::{Value, json};

use super::*;
use crate::ragengine::dereference::{GuardrailsSource, Input, InputKind, References, Role, Served, WorkspaceState};
use crate::ragengine::testing::{engine, settings};
use crate::ragengine::validate::{InvalidEngine, validate};

fn built(engine: &RAGEngine, references: &References) -> Resources {
    let valid = validate(engine, references, 1, &settings()).unwrap();
    build(&valid, &settings())
}

fn references() -> References {
    References {
        name: "docs".to_owned(),
        ..References::default()
    }
}

/// All objects, as the API server would be sent them.
fn manifests(resources: &Resources) -> String {
    let Resources {
        deployment,
        service,
        policy,
        network_policy,
        budget,
        workspace,
    } = resources;
    let policy = match policy {
        Policy::Copy(policy) => Some(crate::apply::with_type(policy.as_ref())),
        Policy::AsItIs | Policy::None => None,
    };
    let objects = [
        Some(crate::apply::with_type(deployment)),
        Some(crate::apply::with_type(service)),
        policy,
        network_policy.as_ref().map(crate::apply::with_type),
        budget.as_ref().map(crate::apply::with_type),
        workspace.as_ref().map(crate::apply::with_type),
    ];
    let yaml = |mut object: Value| {
        object.sort_all_objects();
        serde_yaml_ng::to_string(&object).unwrap()
    };
    objects
        .into_iter()
        .flatten()
        .map(yaml)
        .collect::<Vec<_>>()
        .join("---\n")
}

fn environment_of(resources: &Resources) -> Vec<(String, String)> {
    let pod = resources
        .deployment
        .spec
        .as_ref()
        .unwrap()
        .template
        .spec
        .as_ref()
        .unwrap();
    let variables = pod.containers[0].env.iter().flatten();
    let text = |variable: &k8s_openapi::api::core::v1::EnvVar| match (&variable.value, &variable.value_from) {
        (Some(value), _) => value.clone(),
        (_, Some(source)) => {
            let secret = source.secret_key_ref.as_ref().unwrap();
            format!("{}/{}", secret.name, secret.key)
        }
        _ => String::new(),
    };
    variables
        .map(|variable| (variable.name.clone(), text(variable)))
        .collect()
}

fn variable(resources: &Resources, name: &str) -> Option<String> {
    let all = environment_of(resources);
    all.into_iter().find(|(found, _)| found == name).map(|(_, value)| value)
}

#[test]
fn an_engine_that_only_retrieves_on_cpus() {
    let engine = engine(&json!({"embedding": {"local": {"modelID": "BAAI/bge-small-en-v1.5"}}}));
    insta::assert_snapshot!(manifests(&built(&engine, &references())));
}

#[test]
fn an_engine_with_gpu_volume_vector_database_model_and_guardrails() {
    let engine = engine(&json!({
        "compute": {"instanceType": "Standard_NV36ads_A10_v5", "labelSelector": {"matchLabels": {"apps": "rag"}}},
        "storage": {
            "persistentVolume": {"persistentVolumeClaim": "pvc1", "mountPath": "/mnt/vector-db"},
            "vectorDB": {"engine": "qdrant", "url": "http://qdrant:6333", "accessSecret": "qd"},
        },
        "embedding": {"local": {"modelID": "X/y", "modelAccessSecret": "hf"}},
        "inferenceService": {"url": "http://llm/v1/completions", "accessSecret": "llm", "contextWindowSize": 512},
        "guardrails": {"enabled": true},
    }));
    let references = References {
        guardrails: Some(GuardrailsSource::Copied {
            config_map: "docs-guardrails-policy".to_owned(),
            policy: Some("scanners: []\n".to_owned()),
        }),
        inputs: vec![
            Input::new(
                Role::LanguageModel,
                InputKind::Secret,
                "llm",
                Ok("digest-of-llm".to_owned()),
            ),
            Input::new(
                Role::Guardrails,
                InputKind::ConfigMap,
                "template",
                Ok("digest-of-policy".to_owned()),
            ),
        ],
        ..references()
    };
    insta::assert_snapshot!(manifests(&built(&engine, &references)));
}

#[test]
fn an_engine_with_everything_that_is_not_kaitos() {
    let engine = engine(&json!({
        "embedding": {"remote": {"url": "https://tei.example.com/v1/embeddings", "accessSecret": "tei"}},
        "storage": {"vectorDB": {"engine": "qdrant", "url": "http://qdrant:6333"}},
        "inferenceService": {"workspaceRef": {"name": "phi"}},
        "guardrails": {"enabled": false},
        "replicas": 3,
        "image": "registry.example.com/own:2",
        "resources": {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"memory": "8Gi"}},
        "serviceType": "NodePort",
        "podTemplate": {
            "labels": {"team": "search", "kaito.sh/ragengine": "stolen"},
            "annotations": {"note": "hello"},
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "spot", "operator": "Exists"}],
            "affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
            "priorityClassName": "high",
        },
        "auth": {"secretRef": {"name": "keys"}},
        "networkPolicy": {"from": [{"namespaceSelector": {"matchLabels": {"app": "web"}}}]},
        "retrieval": {"fusion": "ReciprocalRank", "maxTopK": 20, "similarityThreshold": 1.2},
    }));
    let references = References {
        workspace: Some(WorkspaceState::Serves(Served {
            url: "http://phi.ml.svc/v1/chat/completions".to_owned(),
            model: Some("phi-4-mini-instruct".to_owned()),
            window: Some(131_072),
            not_ready: None,
        })),
        ..references()
    };
    insta::assert_snapshot!(manifests(&built(&engine, &references)));
}

#[test]
fn an_engine_of_the_old_version_keeps_its_flat_storage() {
    let old = json!({
        "apiVersion": "kaito.sh/v1alpha1", "kind": "RAGEngine",
        "metadata": {"name": "docs", "namespace": "ml", "uid": "uid-1"},
        "spec": {
            "storage": {"persistentVolumeClaim": "pvc1", "mountPath": "/mnt/old/"},
            "embedding": {"local": {"modelID": "a/b"}},
            "inferenceService": {"url": "http://llm/v1/completions", "contextWindowSize": 512},
        },
    });
    let engine: RAGEngine = serde_json::from_value(convert(old, "kaito.sh/v1beta1").unwrap()).unwrap();
    let resources = built(&engine, &references());
    assert_eq!(
        variable(&resources, "RAG_DATA_DIR").as_deref(),
        Some("/mnt/old/docs/data")
    );
    let pod = resources.deployment.spec.unwrap().template.spec.unwrap();
    let claim = pod.volumes.unwrap()[0].persistent_volume_claim.clone().unwrap();
    assert_eq!(claim.claim_name, "pvc1");
}

#[test]
fn a_workspace_that_is_not_there_yet_changes_no_pod_when_it_comes_and_none_when_it_goes() {
    let engine = engine(&json!({
        "embedding": {"local": {"modelID": "a/b"}},
        "inferenceService": {"workspaceRef": {"name": "phi"}, "contextWindowSize": 4096},
    }));
    let url = "http://phi.ml.svc/v1/chat/completions".to_owned();
    let with = |workspace: WorkspaceState| {
        let references = References {
            workspace: Some(workspace),
            ..references()
        };
        built(&engine, &references)
    };
    let serves = |not_ready: Option<&str>| {
        WorkspaceState::Serves(Served {
            url: url.clone(),
            model: None,
            window: Some(131_072),
            not_ready: not_ready.map(ToOwned::to_owned),
        })
    };
    let missing = with(WorkspaceState::Missing { url: Some(url.clone()) });
    assert_eq!(variable(&missing, "LLM_INFERENCE_URL").as_ref(), Some(&url));
    assert_eq!(
        variable(&missing, "LLM_CONTEXT_WINDOW").as_deref(),
        Some("4096"),
        "the user's word counts"
    );
    assert_eq!(missing, with(serves(Some("loading"))));
    assert_eq!(missing, with(serves(None)));
    let forbidden = with(WorkspaceState::Forbids {
        namespace: "b".to_owned(),
    });
    assert_eq!(variable(&forbidden, "LLM_INFERENCE_URL"), None);
}

#[test]
fn guardrails_without_a_policy_never_become_no_guardrails() {
    let engine = engine(&json!({"embedding": {"local": {"modelID": "a/b"}}, "guardrails": {"enabled": true}}));
    for source in [
        None,
        Some(GuardrailsSource::Copied {
            config_map: "docs-guardrails-policy".to_owned(),
            policy: None,
        }),
    ] {
        let references = References {
            guardrails: source,
            ..references()
        };
        let resources = built(&engine, &references);
        assert_eq!(
            variable(&resources, "OUTPUT_GUARDRAILS_ENABLED").as_deref(),
            Some("true")
        );
        assert_eq!(resources.policy, Policy::AsItIs, "a copy that pods use is not deleted");
    }
}

#[test]
fn a_changed_secret_or_policy_replaces_the_pods_and_an_unreadable_one_does_not() {
    let engine = engine(&json!({
        "embedding": {"local": {"modelID": "a/b"}},
        "inferenceService": {"url": "http://llm/v1", "accessSecret": "llm", "contextWindowSize": 512},
    }));
    let with = |digest: Result<&str, crate::work::InputProblem>, live: Option<&Resources>| {
        let mut references = references();
        references.inputs = vec![Input::new(
            Role::LanguageModel,
            InputKind::Secret,
            "llm",
            digest.map(ToOwned::to_owned),
        )];
        references.live.deployment = live.map(|live| std::sync::Arc::new(live.deployment.clone()));
        built(&engine, &references)
    };
    let first = with(Ok("one"), None);
    let second = with(Ok("two"), Some(&first));
    assert_ne!(first.deployment, second.deployment);
    let missing = with(Err(crate::work::InputProblem::Missing), Some(&second));
    assert_eq!(
        missing.deployment, second.deployment,
        "pods go on with the key that they have"
    );
}

#[test]
fn a_users_affinity_cannot_let_pods_onto_other_nodes_than_compute_says() {
    let term = |key: &str| json!({"matchExpressions": [{"key": key, "operator": "Exists"}]});
    let engine = engine(&json!({
        "compute": {"labelSelector": {"matchLabels": {"apps": "rag"}}},
        "embedding": {"local": {"modelID": "a/b"}},
        "podTemplate": {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [term("a"), term("b")],
        }}}},
    }));
    let pod = built(&engine, &references())
        .deployment
        .spec
        .unwrap()
        .template
        .spec
        .unwrap();
    let required = pod.affinity.unwrap().node_affinity.unwrap();
    let terms = required
        .required_during_scheduling_ignored_during_execution
        .unwrap()
        .node_selector_terms;
    assert_eq!(terms.len(), 2);
    for term in terms {
        let keys: BTreeSet<_> = term.match_expressions.unwrap().into_iter().map(|one| one.key).collect();
        assert!(keys.contains("apps") && keys.len() == 2);
    }
}

#[test]
fn what_an_older_api_server_let_in_is_refused_with_words() {
    let refused = |spec: Value| validate(&engine(&spec), &references(), 1, &settings()).unwrap_err();
    assert_eq!(refused(json!({"embedding": {}})), InvalidEngine::ChooseEmbedding);
    let both = json!({"local": {"modelID": "a"}, "remote": {"url": "http://x"}});
    assert_eq!(refused(json!({"embedding": both})), InvalidEngine::ChooseEmbedding);
    assert_eq!(
        refused(json!({"embedding": {"local": {"modelID": "a"}}, "replicas": 2})),
        InvalidEngine::ShareIndex
    );
    let volume = |path: &str| {
        json!({"embedding": {"local": {"modelID": "a"}},
               "storage": {"persistentVolume": {"persistentVolumeClaim": "p", "mountPath": path}}})
    };
    for path in ["relative", "/a:b", "/"] {
        assert_eq!(refused(volume(path)), InvalidEngine::MountVolume(path.to_owned()));
    }
    let mut dotted = engine(&json!({"embedding": {"local": {"modelID": "a"}}}));
    dotted.metadata.name = Some("my.engine".to_owned());
    let problem = validate(&dotted, &references(), 1, &settings()).unwrap_err();
    assert_eq!(problem, InvalidEngine::UseName("my.engine".to_owned()));
}

#[test]
fn a_load_balancer_is_made_by_the_annotation_in_any_case_or_by_the_field_which_wins() {
    let kind = |annotation: Option<&str>, field: Option<&str>| {
        let mut engine = engine(&json!({"embedding": {"local": {"modelID": "a"}}, "serviceType": field}));
        if let Some(value) = annotation {
            let key = kaito_api::names::annotations::ENABLE_LOAD_BALANCER.to_owned();
            engine.metadata.annotations = Some([(key, value.to_owned())].into());
        }
        built(&engine, &references()).service.spec.unwrap().type_.unwrap()
    };
    assert_eq!(kind(None, None), "ClusterIP");
    assert_eq!(kind(Some("True"), None), "LoadBalancer");
    assert_eq!(kind(Some("true"), None), "LoadBalancer");
    assert_eq!(kind(Some("no"), None), "ClusterIP");
    assert_eq!(kind(Some("True"), Some("ClusterIP")), "ClusterIP");
}

#[test]
fn an_engine_with_a_workspace_of_its_own_asks_that_and_keeps_its_url_when_it_is_ready() {
    let spec = json!({
        "embedding": {"local": {"modelID": "BAAI/bge-small-en-v1.5"}},
        "inferenceService": {"workspaceTemplate": {
            "metadata": {"labels": {"team": "search"}, "annotations": {"kaito.sh/runtime": "vllm"}},
            "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "phi"}}},
            "inference": {"preset": {"name": "phi-4-mini-instruct"}},
        }},
    });
    let with = |state| {
        let references = References {
            workspace: Some(state),
            ..references()
        };
        build(
            &validate(&engine(&spec), &references, 1, &settings()).unwrap(),
            &settings(),
        )
    };
    let url = "http://docs-model.ml.svc/v1/chat/completions".to_owned();
    let missing = with(WorkspaceState::Missing { url: Some(url.clone()) });
    insta::assert_snapshot!(
        serde_yaml_ng::to_string(&crate::apply::with_type(missing.workspace.as_ref().unwrap())).unwrap()
    );
    let url_of = |resources: &Resources| {
        let all = environment_of(resources);
        all.into_iter()
            .find(|(name, _)| name == "LLM_INFERENCE_URL")
            .map(|(_, url)| url)
    };
    assert_eq!(url_of(&missing), Some(url.clone()));
    let served = with(WorkspaceState::Serves(Served {
        url: url.clone(),
        model: Some("phi-4-mini-instruct".to_owned()),
        window: Some(131_072),
        not_ready: None,
    }));
    assert_eq!(url_of(&served), Some(url));
}
