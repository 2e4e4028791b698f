//! `GET /v1/models`.

use anyhow::Result;
use kaito_tests::backend::{Backend, Reply};
use serde_json::json;

use super::{question, with_backend, with_facts};

#[tokio::test]
async fn the_backends_models_are_listed_as_it_lists_them() -> Result<()> {
    let backend = Backend::start().await?;
    let listing = json!({"object": "list", "data": [{"id": "a/b", "max_model_len": 4096, "x": null}], "extra": 1});
    backend.reply_to_models(Reply::json(listing.clone()));
    let running = with_backend(&backend, &[]).await?;
    assert_eq!(running.client().get("/v1/models").await?.success()?, listing);
    backend.reply_to_models(Reply::error(403, "not you"));
    let refused = running.client().get("/v1/models").await?;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["error"]["message"]),
        (403, &json!("not you"))
    );
    Ok(())
}

#[tokio::test]
async fn chats_work_with_a_backend_that_lists_no_models() -> Result<()> {
    let backend = Backend::start().await?;
    backend.reply_to_models(Reply::error(404, "no such route"));
    let running = with_facts(&backend, &[]).await?;
    for _ in 0..3 {
        let answer = running
            .client()
            .chat(&question("Where is vault 12?"))
            .await?
            .success()?;
        assert_eq!(answer["grounded"], true);
    }
    assert_eq!(
        backend.model_requests().len(),
        1,
        "the failure is remembered for a while"
    );
    Ok(())
}
