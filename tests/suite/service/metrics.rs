use anyhow::Result;
use serde_json::json;

use super::{Running, texts};

#[tokio::test]
async fn requests_are_counted_under_kaitos_names() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    client.index("i", &texts(&["alpha", "beta"])).await?;
    client.index("i", &texts(&["gamma"])).await?;
    client.retrieve(&json!({"index_name": "i", "query": "alpha"})).await?;
    client.get("/indexes/none/documents").await?;
    client.post("/retrieve", &json!({})).await?;
    let metrics = client.metrics().await?;
    for line in [
        "rag_index_requests_total{status=\"success\"} 2.0",
        "rag_indexes_retrieve_requests_total{status=\"success\"} 1.0",
        "rag_indexes_document_requests_total{status=\"failure\"} 1.0",
        "rag_embedding_requests_total{status=\"success\",mode=\"local\"} 2.0",
        "e2e_request_total{status=\"success\"} 5.0",
        "rag_index_count 1",
        "rag_node_count 3",
        "rag_retrieve_result_count_count 1",
        "num_requests_running 0",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} is not in\n{metrics}"
        );
    }
    assert!(metrics.contains("rag_index_latency_seconds_bucket{le=\"0.075\",status=\"success\"}"));
    Ok(())
}
