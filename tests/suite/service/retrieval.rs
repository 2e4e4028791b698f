use anyhow::Result;
use serde_json::{Value, json};

use super::{Running, retrieved_texts, texts};

const CORPUS: [&str; 4] = [
    "Cats purr when they are content and knead with their paws.",
    "The central bank raised interest rates to slow inflation.",
    "Photosynthesis turns sunlight, water and carbon dioxide into sugar.",
    "A violin has four strings tuned in perfect fifths.",
];

#[tokio::test]
async fn the_best_passage_comes_first_with_its_scores_and_where_they_are_from() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    client.index("i", &texts(&CORPUS)).await?;
    for (query, place) in [
        ("how do plants make food", 2),
        ("monetary policy", 1),
        ("string instrument", 3),
    ] {
        let found = retrieved_texts(client, json!({"index_name": "i", "query": query})).await?;
        assert_eq!(found[0], CORPUS[place], "{query}");
        assert_eq!(found.len(), 4);
    }
    let answer = client
        .post(
            "/retrieve",
            &json!({"index_name": "i", "query": " violin ", "max_node_count": 2}),
        )
        .await?;
    let body = answer.success()?;
    assert_eq!((&body["query"], &body["count"]), (&json!(" violin "), &json!(2)));
    let best = body["results"][0].as_object().expect("an object");
    let fields: Vec<&str> = best.keys().map(String::as_str).collect();
    assert_eq!(
        fields,
        [
            "doc_id",
            "node_id",
            "text",
            "score",
            "dense_score",
            "sparse_score",
            "source",
            "metadata"
        ]
    );
    assert_eq!((&best["source"], &best["metadata"]), (&json!("both"), &Value::Null));
    let scores: Vec<f64> = body["results"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|r| r["score"].as_f64())
        .collect();
    assert!(scores.is_sorted_by(|left, right| left >= right));
    Ok(())
}

#[tokio::test]
async fn each_search_can_be_asked_alone() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    client.index("i", &texts(&CORPUS)).await?;
    let ask = |mode: &'static str, query: &'static str| async move {
        client
            .retrieve(&json!({"index_name": "i", "query": query, "mode": mode}))
            .await
    };
    let dense = ask("dense", "monetary policy").await?;
    assert_eq!(dense[0]["score"].as_f64().map(|score| score > 0.2), Some(true));
    assert_eq!(
        (&dense[0]["source"], &dense[0]["sparse_score"]),
        (&json!("dense_only"), &Value::Null)
    );
    let lexical = ask("lexical", "tuning strings").await?;
    assert_eq!(lexical.len(), 1, "only one passage has any of the words");
    assert_eq!(
        (&lexical[0]["source"], &lexical[0]["dense_score"]),
        (&json!("sparse_only"), &Value::Null)
    );
    assert_eq!(ask("lexical", "zyzzyva").await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_filter_is_applied_before_ranking() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    let documents: Vec<Value> = (0..60)
        .map(|number| json!({"text": format!("Report number {number} about the harvest"),
                             "metadata": {"year": 1960 + number, "kind": if number % 20 == 0 { "final" } else { "draft" }}}))
        .collect();
    client.index("i", &documents).await?;
    for (filter, expected) in [
        (json!({"kind": "final"}), 3),
        (json!({"year": {"$gte": 2000, "$lt": 2005}}), 5),
        (json!({"$or": [{"year": 1961}, {"year": 1962.0}]}), 2),
        (json!({"kind": "final", "year": {"$ne": 1960}}), 2),
        (json!({"kind": {"$nin": ["draft", "final"]}}), 0),
        (json!({}), 10),
        (Value::Null, 10),
    ] {
        let request =
            json!({"index_name": "i", "query": "harvest report", "max_node_count": 10, "metadata_filter": filter});
        assert_eq!(client.retrieve(&request).await?.len(), expected, "{filter}");
    }
    let refused = client
        .post(
            "/retrieve",
            &json!({"index_name": "i", "query": "x", "metadata_filter": {"year": {"$near": 3}}}),
        )
        .await?;
    assert_eq!(refused.status.as_u16(), 400);
    assert!(
        refused.body["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("$near")),
        "{}",
        refused.body
    );
    Ok(())
}

#[tokio::test]
async fn a_document_is_found_the_moment_it_was_acknowledged_and_never_after_its_deletion() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    for number in 0..12 {
        let text = format!("Entry {number}: the password of locker {number} is tango-{number}.");
        let ids = client.index("i", &[json!({"text": text})]).await?;
        let ask = json!({"index_name": "i", "query": format!("tango-{number}"), "max_node_count": 1});
        assert_eq!(retrieved_texts(client, ask.clone()).await?, std::slice::from_ref(&text));
        if number % 2 == 0 {
            client
                .post("/indexes/i/documents/delete", &json!({"doc_ids": ids}))
                .await?
                .success()?;
            let wide = json!({"index_name": "i", "query": format!("tango-{number}"), "max_node_count": 50});
            assert!(!retrieved_texts(client, wide).await?.contains(&text));
        }
    }
    Ok(())
}

#[tokio::test]
async fn chosen_metadata_are_searched_with_the_text() -> Result<()> {
    let running = Running::start_with(&[("RAG_EMBED_METADATA_KEYS", "title")]).await?;
    let client = running.client();
    let documents = [
        json!({"text": "See the attached sheet.", "metadata": {"title": "Zeppelin maintenance", "owner": "Quux"}}),
        json!({"text": "See the attached form.", "metadata": {"title": "Holiday plan", "owner": "Zeppelin"}}),
    ];
    client.index("i", &documents).await?;
    let found = client
        .retrieve(&json!({"index_name": "i", "query": "zeppelin", "mode": "lexical"}))
        .await?;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["text"], "See the attached sheet.");
    Ok(())
}
