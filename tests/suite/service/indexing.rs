use anyhow::Result;
use serde_json::json;

use super::{Running, texts};

#[tokio::test]
async fn the_answer_echoes_each_document_under_the_digest_of_its_text() -> Result<()> {
    let running = Running::start().await?;
    let request = json!({"index_name": "i", "documents": [
        {"doc_id": "ignored", "text": "alpha", "metadata": {"b": 1, "a": 2}, "hash_value": "x", "is_truncated": true},
        {"text": "alpha"},
        {"text": ""},
    ]});
    let answer = running.client().post("/index", &request).await?;
    let digest = "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8";
    assert_eq!(
        answer.success()?.to_string(),
        json!([
            {"doc_id": digest, "text": "alpha", "metadata": {"b": 1, "a": 2}, "hash_value": null, "is_truncated": false},
            {"doc_id": digest, "text": "alpha", "metadata": {}, "hash_value": null, "is_truncated": false},
            {"doc_id": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "text": "",
             "metadata": {}, "hash_value": null, "is_truncated": false},
        ])
        .to_string()
    );
    let listed = running
        .client()
        .get("/indexes/i/documents?view=documents")
        .await?
        .success()?;
    assert_eq!(listed["total_items"], 2);
    Ok(())
}

#[tokio::test]
async fn an_empty_list_makes_no_index_and_blank_texts_make_one_without_nodes() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    assert_eq!(client.index("none", &[]).await?, [] as [String; 0]);
    assert_eq!(client.get("/indexes").await?.success()?, json!([]));
    client.index("blank", &texts(&[" \n\t "])).await?;
    assert_eq!(client.get("/indexes").await?.success()?, json!(["blank"]));
    let listed = client.get("/indexes/blank/documents").await?.success()?;
    assert_eq!((&listed["count"], &listed["total_items"]), (&json!(0), &json!(0)));
    Ok(())
}

#[tokio::test]
async fn a_long_text_is_cut_so_that_the_model_reads_all_of_it() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    let filler = "The committee met again and discussed the minutes of the previous meeting at length. ".repeat(60);
    let text = format!("{filler}The reactor at Site 7 was commissioned in 1987 and is cooled with helium. {filler}");
    client.index("long", &[json!({"text": text})]).await?;
    let listed = client.get("/indexes/long/documents?limit=100").await?.success()?;
    assert!(listed["total_items"].as_u64() > Some(4), "{listed}");
    let found = super::retrieved_texts(
        client,
        json!({"index_name": "long", "query": "how is the reactor cooled", "mode": "dense", "max_node_count": 1}),
    )
    .await?;
    assert!(found[0].contains("helium"), "{found:?}");
    Ok(())
}

#[tokio::test]
async fn code_is_cut_along_its_syntax_and_its_mistakes_have_kaitos_words() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    let go = "package main\n\nfunc main() {\n\tprintln(\"hello\")\n}\n";
    let code = |metadata| json!({"index_name": "code", "documents": [{"text": go, "metadata": metadata}]});
    client
        .post("/index", &code(json!({"split_type": "code", "language": "go"})))
        .await?
        .success()?;
    assert_eq!(
        client.get("/indexes/code/documents").await?.success()?["total_items"],
        1
    );
    let missing = client.post("/index", &code(json!({"split_type": "code"}))).await?;
    assert_eq!(
        (missing.status.as_u16(), &missing.body["detail"]),
        (200, &json!(null)),
        "a duplicate is not parsed"
    );
    for (metadata, words) in [
        (
            json!({"split_type": "code"}),
            "Language not specified in node metadata.",
        ),
        (
            json!({"split_type": "code", "language": "klingon"}),
            "Could not find language library for klingon",
        ),
    ] {
        let request = json!({"index_name": "new", "documents": [{"text": "x = 1", "metadata": metadata}]});
        let refused = client.post("/index", &request).await?;
        assert_eq!(refused.status.as_u16(), 400);
        assert!(
            refused.body["detail"]
                .as_str()
                .is_some_and(|detail| detail.starts_with(words)),
            "{}",
            refused.body
        );
    }
    assert_eq!(
        client.get("/indexes").await?.success()?,
        json!(["code"]),
        "a refused request makes no index"
    );
    Ok(())
}

#[tokio::test]
async fn concurrent_requests_for_a_new_index_all_land_in_it() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..16 {
        let client = client.clone();
        requests.spawn(async move {
            client
                .index("shared", &[json!({"text": format!("text {number}")})])
                .await
        });
    }
    for answer in requests.join_all().await {
        assert_eq!(answer?.len(), 1);
    }
    assert_eq!(
        client.get("/indexes/shared/documents").await?.success()?["total_items"],
        16
    );
    Ok(())
}

#[tokio::test]
async fn index_names_may_be_any_text() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    for (name, path) in [
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        ("日本 語", "%E6%97%A5%E6%9C%AC%20%E8%AA%9E"),
    ] {
        client.index(name, &texts(&["alpha"])).await?;
        // reqwest would resolve a bare `..` away; a name is looked up as the server decodes it.
        if name != ".." {
            let listed = client.get(&format!("/indexes/{path}/documents")).await?.success()?;
            assert_eq!(listed["total_items"], 1, "{name}");
            let twice = path.replace('%', "%25");
            let listed = client.get(&format!("/indexes/{twice}/documents")).await?.success()?;
            assert_eq!(listed["total_items"], 1, "{name} encoded twice, as KAITO's client does");
        }
        assert_eq!(
            client
                .retrieve(&json!({"index_name": name, "query": "alpha"}))
                .await?
                .len(),
            1
        );
    }
    Ok(())
}
