use anyhow::Result;
use serde_json::json;

use super::{Running, texts};

#[tokio::test]
async fn listing_gives_a_page_of_nodes_in_the_order_they_were_stored() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    let documents: Vec<_> = (0..12)
        .map(|number| json!({"text": format!("document {number:02}"), "metadata": {"n": number}}))
        .collect();
    client.index("i", &documents).await?;
    let listed = client.get("/indexes/i/documents").await?.success()?;
    assert_eq!((&listed["count"], &listed["total_items"]), (&json!(10), &json!(12)));
    assert_eq!(listed["documents"][0]["text"], "document 00");
    let rest = client
        .get("/indexes/i/documents?offset=10&limit=5&max_text_length=3")
        .await?
        .success()?;
    assert_eq!(rest["count"], 2);
    assert_eq!(
        (&rest["documents"][1]["text"], &rest["documents"][1]["is_truncated"]),
        (&json!("doc"), &json!(true))
    );
    let filtered = client
        .get("/indexes/i/documents?metadata_filter=%7B%22n%22%3A7%7D")
        .await?
        .success()?;
    assert_eq!(
        (&filtered["total_items"], &filtered["documents"][0]["text"]),
        (&json!(1), &json!("document 07"))
    );
    let past = client.get("/indexes/i/documents?offset=99").await?.success()?;
    assert_eq!((&past["count"], &past["total_items"]), (&json!(0), &json!(12)));
    Ok(())
}

#[tokio::test]
async fn listed_hashes_are_kaitos() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    client
        .index(
            "index1",
            &[json!({"text": "First document in index1", "metadata": {"type": "text"}})],
        )
        .await?;
    let listed = client.get("/indexes/index1/documents").await?.success()?;
    let expected = "1e64a170be48c45efeaa8667ab35919106da0489ec99a11d0029f2842db133aa";
    assert_eq!(listed["documents"][0]["hash_value"], expected);
    Ok(())
}

#[tokio::test]
async fn an_update_sorts_documents_by_what_became_of_them() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    let ids = client.index("i", &texts(&["first text", "second text"])).await?;
    let request = json!({"documents": [
        {"doc_id": ids[0], "text": "entirely new words", "metadata": {"v": 2}},
        {"doc_id": ids[1], "text": "second text"},
        {"doc_id": "nobody", "text": "not added"},
    ]});
    let body = client.post("/indexes/i/documents", &request).await?.success()?;
    assert_eq!(body["updated_documents"][0]["doc_id"], json!(ids[0]));
    assert_eq!(body["unchanged_documents"][0]["doc_id"], json!(ids[1]));
    assert_eq!(body["not_found_documents"][0]["text"], "not added");
    let found = client
        .retrieve(&json!({"index_name": "i", "query": "entirely new words"}))
        .await?;
    assert_eq!(
        (&found[0]["doc_id"], &found[0]["metadata"]),
        (&json!(ids[0]), &json!({"v": 2}))
    );
    assert!(found.iter().all(|result| result["text"] != "first text"));
    Ok(())
}

#[tokio::test]
async fn deleting_reports_each_id_in_order_and_is_final() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    let ids = client.index("i", &texts(&["keep me", "drop me"])).await?;
    let request = json!({"doc_ids": ["nobody", ids[1], ids[1]]});
    let body = client.post("/indexes/i/documents/delete", &request).await?.success()?;
    assert_eq!(
        body,
        json!({"deleted_doc_ids": [ids[1], ids[1]], "not_found_doc_ids": ["nobody"]})
    );
    let listed = client.get("/indexes/i/documents").await?.success()?;
    assert_eq!(
        (&listed["total_items"], &listed["documents"][0]["text"]),
        (&json!(1), &json!("keep me"))
    );
    // The second insertion gets a vector of its own: no id is ever used twice.
    client.index("i", &texts(&["a newcomer"])).await?;
    for (query, text) in [("keep me", "keep me"), ("a newcomer", "a newcomer")] {
        let found = client
            .retrieve(&json!({"index_name": "i", "query": query, "mode": "dense"}))
            .await?;
        assert_eq!(found[0]["text"], text);
    }
    Ok(())
}

#[tokio::test]
async fn deleting_an_index_deletes_it_and_nothing_else() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    client.index("one", &texts(&["alpha"])).await?;
    client.index("two", &texts(&["beta"])).await?;
    let answer = client.send(reqwest::Method::DELETE, "/indexes/one", None).await?;
    assert_eq!(answer.success()?, json!({"message": "Successfully deleted index one."}));
    assert_eq!(client.get("/indexes").await?.success()?, json!(["two"]));
    assert_eq!(
        client
            .send(reqwest::Method::DELETE, "/indexes/one", None)
            .await?
            .status
            .as_u16(),
        404
    );
    Ok(())
}
