use anyhow::Result;
use kaito_tests::service::ServiceOptions;
use serde_json::json;

use super::{Running, texts};

pub(super) async fn failure(options: &ServiceOptions) -> String {
    match options.start().await {
        Ok(_) => "it started".to_owned(),
        Err(error) => format!("{error:#}"),
    }
}

#[tokio::test]
async fn a_bad_value_names_the_variable_the_value_and_what_is_allowed() -> Result<()> {
    let directory = tempfile::tempdir()?;
    for (name, value, words) in [
        ("RAG_FUSION", "magic", "weighted"),
        ("RAG_FUSION_DENSE_WEIGHT", "1.5", "from 0 to 1"),
        ("RAG_MAX_TOP_K", "0", "at least 1"),
        ("EMBEDDING_SOURCE_TYPE", "elsewhere", "remote"),
        ("VECTOR_DB_TYPE", "qdrant", "not supported yet"),
        ("RAG_LISTEN_ADDRESS", "here", "invalid socket address"),
    ] {
        let message = failure(&ServiceOptions::new(directory.path()).with(name, value)).await;
        for part in [name, value, words] {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_model_that_is_not_installed_is_an_error_with_the_fix() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let options = ServiceOptions::new(directory.path());
    let message = failure(
        &options
            .clone()
            .with("LOCAL_EMBEDDING_MODEL_ID", "BAAI/bge-small-en-v1.5"),
    )
    .await;
    assert!(
        message.contains("not installed") && message.contains("make setup"),
        "{message}"
    );
    let message = failure(&options.with("ORT_DYLIB_PATH", "/nonexistent/libonnxruntime.so")).await;
    assert!(message.contains("ORT_DYLIB_PATH"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_data_directory_in_use_is_refused_with_the_reason() -> Result<()> {
    let running = Running::start().await?;
    let message = failure(&ServiceOptions::new(running.directory.path())).await;
    assert!(message.contains("in use by another process"), "{message}");
    Ok(())
}

#[tokio::test]
async fn an_index_of_another_model_does_not_keep_the_others_from_being_served() -> Result<()> {
    let running = Running::start().await?;
    running.client().index("mine", &texts(&["alpha"])).await?;
    running.client().index("foreign", &texts(&["beta"])).await?;
    let Running { directory, service } = running;
    service.stop().await?;
    for entry in std::fs::read_dir(directory.path().join("data/indexes"))? {
        let manifest = entry?.path().join("index.json");
        let text = std::fs::read_to_string(&manifest)?;
        if text.contains("foreign") {
            std::fs::write(&manifest, text.replace("all-MiniLM-L6-v2", "some-other-model"))?;
        }
    }
    let service = ServiceOptions::new(directory.path()).start().await?;
    let client = service.client();
    assert_eq!(
        client
            .retrieve(&json!({"index_name": "mine", "query": "alpha"}))
            .await?
            .len(),
        1
    );
    let refused = client
        .post("/retrieve", &json!({"index_name": "foreign", "query": "beta"}))
        .await?;
    assert_eq!(refused.status.as_u16(), 503);
    let detail = refused.body["detail"].as_str().unwrap_or_default();
    assert!(
        detail.contains("LOCAL_EMBEDDING_MODEL_ID=sentence-transformers/some-other-model"),
        "{detail}"
    );
    assert!(refused.body["request_id"].is_string());
    let ready = client.get("/ready").await?.success()?;
    assert_eq!(ready["unavailable"][0]["name"], "foreign");
    Ok(())
}

#[tokio::test]
async fn sigterm_lets_requests_finish_and_exits_with_zero() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client().clone();
    let documents: Vec<_> = (0..200)
        .map(|number| json!({"text": format!("{number} {}", "some words to embed ".repeat(20))}))
        .collect();
    let request = tokio::spawn({
        let client = client.clone();
        async move { client.index("i", &documents).await }
    });
    // The request counts as running once the server has it.
    while !client
        .metrics()
        .await?
        .lines()
        .any(|line| line == "num_requests_running 1")
    {
        tokio::task::yield_now().await;
    }
    let Running { directory, service } = running;
    let (code, log) = service.stop().await?;
    assert_eq!(code, 0, "{log}");
    assert_eq!(request.await??.len(), 200);
    let service = ServiceOptions::new(directory.path()).start().await?;
    let listed = service.client().get("/indexes/i/documents").await?.success()?;
    assert_eq!(listed["total_items"], 200);
    Ok(())
}

#[tokio::test]
async fn the_names_that_kaitos_controller_injects_work_too() -> Result<()> {
    let model = "sentence-transformers/all-MiniLM-L6-v2";
    let running = Running::start_with(&[
        ("EMBEDDING_TYPE", "local"),
        ("MODEL_ID", model),
        ("VECTOR_DB_TYPE", "FAISS"),
    ])
    .await?;
    assert_eq!(
        running.client().get("/health").await?.success()?,
        json!({"status": "Healthy", "detail": null})
    );
    Ok(())
}
