use anyhow::Result;
use serde_json::{Value, json};

use super::{Running, texts};

#[tokio::test]
async fn an_index_survives_being_persisted_deleted_and_loaded() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    client.index("i", &texts(&["alpha beta", "gamma delta"])).await?;
    let root = running.directory.path().join("storage").display().to_string();
    let persisted = client.post("/persist/i", &Value::Null).await?.success()?;
    assert_eq!(
        persisted["message"],
        format!("Successfully persisted index i to {root}/i.")
    );
    let conflict = client.post("/load/i", &Value::Null).await?;
    let words = "Index 'i' already exists. Use a different name or delete the existing index first.";
    assert_eq!(
        (conflict.status.as_u16(), &conflict.body["detail"]),
        (409, &json!(words))
    );
    client
        .send(reqwest::Method::DELETE, "/indexes/i", None)
        .await?
        .success()?;
    let loaded = client.post("/load/i", &Value::Null).await?.success()?;
    assert_eq!(loaded["message"], format!("Successfully loaded index i from {root}/i."));
    let found = client.retrieve(&json!({"index_name": "i", "query": "gamma"})).await?;
    assert_eq!(found[0]["text"], "gamma delta");
    // Another name, an absolute path inside the root, and replacing what is there.
    client
        .post(&format!("/load/copy?path={root}/i"), &Value::Null)
        .await?
        .success()?;
    client
        .post(&format!("/load/copy?path={root}/i&overwrite=true"), &Value::Null)
        .await?
        .success()?;
    assert_eq!(client.get("/indexes").await?.success()?, json!(["i", "copy"]));
    Ok(())
}

#[tokio::test]
async fn no_path_leads_out_of_the_persist_root() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    client.index("i", &texts(&["alpha"])).await?;
    let outside = tempfile::tempdir()?;
    let link = running.directory.path().join("storage/link");
    std::os::unix::fs::symlink(outside.path(), &link)?;
    let absolute = outside.path().join("x").display().to_string();
    for path in ["../x", "a/../../x", "link/x", "link", absolute.as_str(), "/"] {
        for action in ["persist", "load"] {
            let answer = client
                .post(&format!("/{action}/i?path={path}&overwrite=true"), &Value::Null)
                .await?;
            assert_eq!(answer.status.as_u16(), 400, "{action} {path}: {}", answer.body);
        }
    }
    assert_eq!(std::fs::read_dir(outside.path())?.count(), 0);
    let missing = client.post("/load/other?path=nothing/here", &Value::Null).await?;
    assert_eq!(
        (missing.status.as_u16(), &missing.body["detail"]),
        (404, &json!("Path does not exist: nothing/here"))
    );
    Ok(())
}
