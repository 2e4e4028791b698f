use anyhow::Result;
use reqwest::Method;
use serde_json::json;

use super::{Running, texts};

#[tokio::test]
async fn mistakes_have_kaitos_status_and_words() -> Result<()> {
    let running =
        Running::start_with(&[("RAG_MAX_DOCUMENTS_PER_REQUEST", "2"), ("RAG_MAX_METADATA_DEPTH", "2")]).await?;
    let client = running.client();
    client.index("i", &texts(&["alpha"])).await?;
    let no_such = json!({"detail": "No such index: 'none' exists."});
    for (method, path, body) in [
        (Method::GET, "/indexes/none/documents", None),
        (Method::POST, "/indexes/none/documents", Some(json!({"documents": []}))),
        (
            Method::POST,
            "/indexes/none/documents/delete",
            Some(json!({"doc_ids": []})),
        ),
        (Method::DELETE, "/indexes/none", None),
        (Method::POST, "/persist/none", None),
        (
            Method::POST,
            "/retrieve",
            Some(json!({"index_name": "none", "query": ""})),
        ),
    ] {
        let answer = client.send(method, path, body.as_ref()).await?;
        assert_eq!((answer.status.as_u16(), &answer.body), (404, &no_such), "{path}");
        assert_eq!(answer.content_type, "application/problem+json");
    }
    let blank = client
        .post("/retrieve", &json!({"index_name": "i", "query": " \n"}))
        .await?;
    assert_eq!(
        (blank.status.as_u16(), &blank.body["detail"]),
        (400, &json!("Query string cannot be empty."))
    );
    let filter = client.get("/indexes/i/documents?metadata_filter=nonsense").await?;
    let words = "Invalid metadata filter format. Must be a valid JSON string.";
    assert_eq!((filter.status.as_u16(), &filter.body["detail"]), (400, &json!(words)));
    let unknown = client.get("/nowhere").await?;
    assert_eq!(
        (unknown.status.as_u16(), &unknown.body),
        (404, &json!({"detail": "Not Found"}))
    );
    let wrong = client.get("/index").await?;
    assert_eq!(
        (wrong.status.as_u16(), &wrong.body),
        (405, &json!({"detail": "Method Not Allowed"}))
    );
    let many = json!({"index_name": "i", "documents": texts(&["a", "b", "c"])});
    assert_eq!(
        client.post("/index", &many).await?.body["detail"][0]["type"],
        "too_long"
    );
    let deep = json!({"index_name": "i", "documents": [{"text": "a", "metadata": {"a": {"b": {"c": 1}}}}]});
    let deep = client.post("/index", &deep).await?;
    assert_eq!(deep.status.as_u16(), 422);
    assert_eq!(
        deep.body["detail"][0]["loc"],
        json!(["body", "documents", 0, "metadata"])
    );
    Ok(())
}

#[tokio::test]
async fn malformed_requests_are_described_as_pydantic_does() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    let cases = [
        (
            "/index",
            json!({"index_name": "e"}),
            json!([{"type": "missing", "loc": ["body", "documents"], "msg": "Field required",
                    "input": {"index_name": "e"}}]),
        ),
        (
            "/retrieve",
            json!([1]),
            json!([{"type": "model_attributes_type", "loc": ["body"], "input": [1],
                    "msg": "Input should be a valid dictionary or object to extract fields from"}]),
        ),
        (
            "/retrieve",
            json!({"index_name": "i", "query": "q", "max_node_count": 301}),
            json!([{"type": "less_than_equal", "loc": ["body", "max_node_count"], "input": 301, "ctx": {"le": 300},
                    "msg": "Input should be less than or equal to 300"}]),
        ),
        (
            "/indexes/i/documents/delete",
            json!({"doc_ids": "x"}),
            json!([{"type": "list_type", "loc": ["body", "doc_ids"], "msg": "Input should be a valid list",
                    "input": "x"}]),
        ),
    ];
    for (path, body, detail) in cases {
        let answer = client.post(path, &body).await?;
        assert_eq!(
            (answer.status.as_u16(), &answer.body),
            (422, &json!({"detail": detail})),
            "{path}"
        );
    }
    for (query, detail) in [
        (
            "limit=0",
            json!({"type": "greater_than_equal", "loc": ["query", "limit"], "input": "0", "ctx": {"ge": 1},
                   "msg": "Input should be greater than or equal to 1"}),
        ),
        (
            "max_text_length=",
            json!({"type": "int_parsing", "loc": ["query", "max_text_length"], "input": "",
                   "msg": "Input should be a valid integer, unable to parse string as an integer"}),
        ),
    ] {
        let answer = client.get(&format!("/indexes/i/documents?{query}")).await?;
        assert_eq!((answer.status.as_u16(), &answer.body["detail"][0]), (422, &detail));
    }
    let raw = reqwest::Client::new().post(format!("{}/index", client.base()));
    let malformed = raw
        .try_clone()
        .expect("no body yet")
        .header("content-type", "application/json")
        .body("{bad");
    let body: serde_json::Value = malformed.send().await?.json().await?;
    assert_eq!(
        (&body["detail"][0]["type"], &body["detail"][0]["loc"]),
        (&json!("json_invalid"), &json!(["body", 1]))
    );
    let undeclared: serde_json::Value = raw.body("{}").send().await?.json().await?;
    assert_eq!(undeclared["detail"][0]["type"], "model_attributes_type");
    Ok(())
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_413() -> Result<()> {
    let running = Running::start_with(&[("RAG_MAX_BODY_BYTES", "1000")]).await?;
    let answer = running
        .client()
        .post(
            "/index",
            &json!({"index_name": "i", "documents": texts(&[&"x".repeat(2000)])}),
        )
        .await?;
    assert_eq!(answer.status.as_u16(), 413);
    assert!(
        answer.body["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("RAG_MAX_BODY_BYTES"))
    );
    Ok(())
}

#[tokio::test]
async fn a_full_embedding_queue_is_429_with_retry_after_and_the_service_recovers() -> Result<()> {
    let running = Running::start_with(&[("RAG_EMBEDDING_QUEUE", "1"), ("RAG_EMBEDDING_THREADS", "1")]).await?;
    let client = running.client();
    let long = "word ".repeat(200);
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..24 {
        let client = client.clone();
        let documents: Vec<_> = (0..16)
            .map(|part| json!({"text": format!("{number} {part} {long}")}))
            .collect();
        requests.spawn(async move {
            client
                .post("/index", &json!({"index_name": "i", "documents": documents}))
                .await
        });
    }
    let mut refused = 0;
    for answer in requests.join_all().await {
        let answer = answer?;
        match answer.status.as_u16() {
            200 => {}
            429 => refused += 1,
            other => anyhow::bail!("status {other}: {}", answer.body),
        }
    }
    assert!(refused > 0);
    client.index("i", &texts(&["after the rush"])).await?;
    Ok(())
}
