//! Every field of a spec lands where it belongs.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{DEPLOYMENTS, ENGINES, SERVICES, Stage, condition, container, is_ready, local, stage, variable};

/// Changes the spec and waits until the object at `path` is as it should be.
async fn edit(stage: &Stage, spec: Value, path: &str, landed: impl FnMut(&Value) -> bool) -> Result<()> {
    stage
        .admin
        .patch(&format!("{ENGINES}/docs"), &json!({"spec": spec}))
        .await?;
    stage
        .admin
        .wait_for(path, landed)
        .await
        .with_context(|| format!("after the change {spec}"))?;
    Ok(())
}

#[tokio::test]
async fn each_field_that_is_changed_lands_and_the_engine_becomes_ready_again() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let engine = stage.ready("docs", &local()).await?;
    assert_eq!(engine["status"]["url"], "http://docs.default.svc");
    assert_eq!(engine["status"]["observedGeneration"], engine["metadata"]["generation"]);
    assert_eq!(condition(&engine, "Ephemeral"), ("True", "NoPersistentVolume"));
    let deployment = format!("{DEPLOYMENTS}/docs");
    let service = format!("{SERVICES}/docs");
    let has = |name: &'static str, value: &'static str| {
        move |deployment: &Value| variable(deployment, name).as_deref() == Some(value)
    };
    let on = deployment.as_str();

    edit(
        &stage,
        json!({"embedding": {"local": {"modelID": "other/model"}}}),
        on,
        has("MODEL_ID", "other/model"),
    )
    .await?;
    let token = json!({"embedding": {"local": {"modelAccessSecret": "hf"}}});
    edit(&stage, token, on, has("HF_TOKEN", "hf/HF_TOKEN")).await?;
    let remote =
        json!({"embedding": {"local": null, "remote": {"url": "http://tei/v1/embeddings", "accessSecret": "tei"}}});
    edit(&stage, remote, on, |deployment| {
        variable(deployment, "REMOTE_EMBEDDING_URL").as_deref() == Some("http://tei/v1/embeddings")
            && variable(deployment, "EMBEDDING_TYPE").as_deref() == Some("remote")
            && variable(deployment, "MODEL_ID").is_none()
            && variable(deployment, "REMOTE_EMBEDDING_ACCESS_SECRET").as_deref()
                == Some("tei/REMOTE_EMBEDDING_ACCESS_SECRET")
    })
    .await?;
    let back = json!({"embedding": {"remote": null, "local": {"modelID": "a/b", "modelAccessSecret": null}}});
    edit(&stage, back, on, has("MODEL_ID", "a/b")).await?;

    let model = json!({"inferenceService": {"url": "http://llm/v1/chat/completions", "contextWindowSize": 4096}});
    edit(
        &stage,
        model,
        on,
        has("LLM_INFERENCE_URL", "http://llm/v1/chat/completions"),
    )
    .await?;
    edit(
        &stage,
        json!({"inferenceService": {"contextWindowSize": 2048}}),
        on,
        has("LLM_CONTEXT_WINDOW", "2048"),
    )
    .await?;
    let key = json!({"inferenceService": {"accessSecret": "llm"}});
    edit(&stage, key, on, has("LLM_ACCESS_SECRET", "llm/LLM_ACCESS_SECRET")).await?;
    edit(&stage, json!({"inferenceService": null}), on, |deployment| {
        variable(deployment, "LLM_INFERENCE_URL").is_none() && variable(deployment, "LLM_ACCESS_SECRET").is_none()
    })
    .await?;

    edit(&stage, json!({"image": "example.org/own:2"}), on, |deployment| {
        container(deployment)["image"] == "example.org/own:2"
    })
    .await?;
    edit(
        &stage,
        json!({"resources": {"requests": {"cpu": "0.25"}}}),
        on,
        |deployment| container(deployment)["resources"] == json!({"requests": {"cpu": "250m"}}),
    )
    .await?;
    let claim = json!({"storage": {"persistentVolume": {"persistentVolumeClaim": "data", "mountPath": "/data"}}});
    edit(&stage, claim, on, |deployment| {
        let volume = &deployment["spec"]["template"]["spec"]["volumes"][0];
        volume["persistentVolumeClaim"]["claimName"] == "data"
            && volume["emptyDir"].is_null()
            && variable(deployment, "RAG_DATA_DIR").as_deref() == Some("/data/docs/data")
    })
    .await?;
    edit(
        &stage,
        json!({"storage": null}),
        on,
        has("RAG_DATA_DIR", "/mnt/data/docs/data"),
    )
    .await?;

    let template = json!({"podTemplate": {
        "labels": {"team": "search"}, "annotations": {"a": "b"}, "nodeSelector": {"apps": "rag"},
        "tolerations": [{"key": "spot", "operator": "Exists"}],
    }});
    edit(&stage, template, on, |deployment| {
        let template = &deployment["spec"]["template"];
        template["metadata"]["labels"]["team"] == "search"
            && template["metadata"]["annotations"]["a"] == "b"
            && template["spec"]["nodeSelector"]["apps"] == "rag"
            && template["spec"]["tolerations"][0]["key"] == "spot"
    })
    .await?;
    edit(&stage, json!({"podTemplate": null}), on, |deployment| {
        deployment["spec"]["template"]["spec"]["nodeSelector"].is_null()
    })
    .await?;
    edit(
        &stage,
        json!({"auth": {"secretRef": {"name": "keys"}}}),
        on,
        |deployment| variable(deployment, "RAG_API_KEYS_DIR").is_some(),
    )
    .await?;
    edit(&stage, json!({"auth": null}), on, |deployment| {
        variable(deployment, "RAG_API_KEYS_DIR").is_none()
    })
    .await?;
    let retrieval = json!({"retrieval": {"fusion": "ReciprocalRank", "maxTopK": 7}});
    edit(&stage, retrieval, on, |deployment| {
        variable(deployment, "RAG_FUSION").as_deref() == Some("rrf")
            && variable(deployment, "RAG_MAX_TOP_K").as_deref() == Some("7")
    })
    .await?;

    edit(&stage, json!({"serviceType": "NodePort"}), &service, |service| {
        service["spec"]["type"] == "NodePort"
    })
    .await?;
    edit(&stage, json!({"serviceType": null}), &service, |service| {
        service["spec"]["type"] == "ClusterIP"
    })
    .await?;
    let policy = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies/docs";
    edit(&stage, json!({"networkPolicy": {}}), policy, |_| true).await?;
    edit(&stage, json!({"networkPolicy": {"enabled": false}}), on, |_| true).await?;
    let gone = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies";
    stage.admin.wait_for(gone, |list| list["items"] == json!([])).await?;

    let database = json!({"storage": {"vectorDB": {"engine": "qdrant", "url": "http://qdrant:6333"}}, "replicas": 2});
    edit(&stage, database, on, |deployment| {
        deployment["spec"]["replicas"] == 2 && deployment["spec"]["strategy"]["type"] == "RollingUpdate"
    })
    .await?;
    let budget = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/docs";
    stage.admin.wait_for(budget, |_| true).await?;
    edit(&stage, json!({"storage": null, "replicas": 1}), on, |deployment| {
        deployment["spec"]["strategy"] == json!({"type": "Recreate"})
    })
    .await?;

    let settled =
        |engine: &Value| is_ready(engine) && engine["status"]["observedGeneration"] == engine["metadata"]["generation"];
    let engine = stage.admin.wait_for(&format!("{ENGINES}/docs"), settled).await?;
    let revision = &engine["metadata"]["annotations"]["ragengine.kaito.io/revision"];
    let deployment = stage.admin.get(on).await?;
    assert_eq!(
        deployment["metadata"]["annotations"]["ragengine.kaito.io/revision"],
        *revision
    );
    let revisions = stage
        .admin
        .get("/apis/apps/v1/namespaces/default/controllerrevisions")
        .await?;
    let revisions = revisions["items"].as_array().map_or(0, Vec::len);
    assert!((5..=10).contains(&revisions), "{revisions} revisions are kept");
    Ok(())
}
