//! The embedded store against a model of what it should hold, through crashes, damage and restarts.

mod fixture;
mod history;

use std::path::Path;

use rag_core::document::Document;
use rag_core::filter::Filter;
use rag_core::metadata::Metadata;
use rag_core::retrieval::RetrievalMode;
use serde_json::json;

use self::fixture::{Fixture, block_on, document, indexed, name, search};
use crate::error::{OpenStore, StoreError};
use crate::store::{DocumentStore, InsertOutcome, LoadRequest, Page, UpdateOutcome};

const ALL: Page = Page { offset: 0, limit: 1000 };

#[test]
fn an_inserted_document_is_found_at_once_by_both_searches() {
    let fixture = Fixture::new();
    block_on(async {
        fixture.insert("i", &["alpha beta|gamma delta"]).await;
        let found = search(&fixture.store, "i", "gamma", RetrievalMode::Hybrid, None).await;
        assert_eq!(found.dense.len(), 2);
        assert_eq!(found.lexical.len(), 1);
        let nodes = fixture
            .store
            .nodes(&name("i"), vec![found.lexical[0].node])
            .await
            .unwrap();
        assert_eq!(nodes[0].text, "gamma delta");
        assert_eq!(nodes[0].position, 1);
    });
}

#[test]
fn the_same_text_is_stored_once() {
    let fixture = Fixture::new();
    block_on(async {
        let first = document("same", json!({"a": 1}));
        let second = document("same", json!({"a": 2}));
        let id = first.document.id.clone();
        let outcomes = fixture.store.insert(&name("i"), vec![first, second]).await.unwrap();
        assert_eq!(outcomes, [InsertOutcome::Inserted, InsertOutcome::Duplicate(id)]);
        let listed = fixture.store.list_documents(&name("i"), ALL, None).await.unwrap();
        assert_eq!(listed.total, 1);
        assert_eq!(listed.documents[0].document.metadata.get("a"), Some(&json!(1)));
    });
}

#[test]
fn an_updated_document_keeps_its_id_and_is_known_by_its_new_text() {
    let fixture = Fixture::new();
    block_on(async {
        fixture.insert("i", &["old"]).await;
        let id = document("old", json!({})).document.id.clone();
        let changed = indexed(Document {
            id: id.clone(),
            ..Document::new("new".to_owned(), Metadata::default())
        });
        let outcomes = fixture
            .store
            .update(&name("i"), vec![changed.clone(), changed.clone()])
            .await
            .unwrap();
        assert_eq!(outcomes, [UpdateOutcome::Updated, UpdateOutcome::Unchanged]);
        let again = fixture
            .store
            .insert(&name("i"), vec![document("new", json!({}))])
            .await
            .unwrap();
        assert_eq!(again, [InsertOutcome::Duplicate(id.clone())]);
        // The id belongs to the old text: indexing that again takes it back.
        let back = fixture
            .store
            .insert(&name("i"), vec![document("old", json!({}))])
            .await
            .unwrap();
        assert_eq!(back, [InsertOutcome::Inserted]);
        let listed = fixture.store.list_documents(&name("i"), ALL, None).await.unwrap();
        assert_eq!(listed.documents[0].document.text, "old");
        assert_eq!(listed.total, 1);
    });
}

#[test]
fn a_filter_is_applied_before_ranking_and_to_listings() {
    let fixture = Fixture::new();
    block_on(async {
        let documents = (0..40).map(|number| {
            document(
                &format!("common word {number}"),
                json!({"n": number, "kind": if number % 20 == 0 { "rare" } else { "usual" }}),
            )
        });
        fixture.store.insert(&name("i"), documents.collect()).await.unwrap();
        let filter = |value: serde_json::Value| Some(Filter::parse(value.as_object().unwrap()).unwrap());
        let found = search(
            &fixture.store,
            "i",
            "common",
            RetrievalMode::Hybrid,
            filter(json!({"kind": "rare"})),
        )
        .await;
        assert_eq!((found.dense.len(), found.lexical.len()), (2, 2));
        let page = Page { offset: 1, limit: 2 };
        let listed = fixture
            .store
            .list_nodes(&name("i"), page, filter(json!({"n": {"$gte": 36}})))
            .await
            .unwrap();
        assert_eq!((listed.total, listed.nodes.len()), (4, 2));
        assert_eq!(listed.nodes[0].text, "common word 37");
    });
}

#[test]
fn what_is_stored_is_counted_in_indexes_that_are_closed_too() {
    let fixture = Fixture::with_open_indexes(1);
    block_on(async {
        let totals = async || {
            let totals = fixture.store.totals().await.unwrap();
            (totals.indexes, totals.nodes)
        };
        assert_eq!(totals().await, (0, 0));
        fixture.insert("one", &["alpha beta|gamma delta"]).await;
        fixture.insert("two", &["alpha"]).await;
        assert_eq!(totals().await, (2, 3), "one of them is closed");
        fixture.insert("one", &["epsilon"]).await;
        assert_eq!(totals().await, (2, 4));
        fixture.store.delete_index(&name("two")).await.unwrap();
        assert_eq!(totals().await, (1, 3));
    });
}

#[test]
fn a_deleted_index_is_gone_and_its_name_free() {
    let fixture = Fixture::new();
    block_on(async {
        fixture.insert("a/b", &["alpha"]).await;
        fixture.store.delete_index(&name("a/b")).await.unwrap();
        assert!(fixture.store.index_names().await.unwrap().is_empty());
        let error = fixture.store.delete_index(&name("a/b")).await.unwrap_err();
        assert!(matches!(error, StoreError::FindIndex(_)));
        fixture.insert("a/b", &["beta"]).await;
        let listed = fixture.store.list_nodes(&name("a/b"), ALL, None).await.unwrap();
        assert_eq!(listed.nodes[0].text, "beta");
    });
}

#[test]
fn one_data_directory_has_one_owner() {
    let fixture = Fixture::new();
    assert!(matches!(
        Fixture::open_at(&fixture.data_dir(), 64),
        Err(OpenStore::LockDirectory(_))
    ));
}

#[test]
fn more_indexes_than_may_be_open_are_all_served() {
    let fixture = Fixture::with_open_indexes(2);
    block_on(async {
        for number in 0..6 {
            fixture
                .insert(&format!("i{number}"), &[&format!("text {number}")])
                .await;
        }
        for number in 0..6 {
            let found = search(
                &fixture.store,
                &format!("i{number}"),
                "text",
                RetrievalMode::Hybrid,
                None,
            )
            .await;
            assert_eq!((found.dense.len(), found.lexical.len()), (1, 1));
        }
    });
    let names = block_on(fixture.restart().store.index_names()).unwrap();
    assert_eq!(
        names.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        ["i0", "i1", "i2", "i3", "i4", "i5"]
    );
}

#[test]
fn an_index_of_another_model_is_refused_with_the_fix_and_the_others_are_served() {
    let fixture = Fixture::new();
    block_on(fixture.insert("good", &["alpha"]));
    block_on(fixture.insert("bad", &["beta"]));
    let manifest = fixture.index_directory("bad").join("index.json");
    let fixture = fixture.stop_and(|| {
        let text = std::fs::read_to_string(&manifest).unwrap();
        std::fs::write(&manifest, text.replace(fixture::MODEL, "some/other-model")).unwrap();
    });
    block_on(async {
        let error = fixture
            .store
            .list_nodes(&name("bad"), ALL, None)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("LOCAL_EMBEDDING_MODEL_ID=some/other-model"), "{error}");
        assert_eq!(
            fixture.store.list_nodes(&name("good"), ALL, None).await.unwrap().total,
            1
        );
    });
}

#[test]
fn a_snapshot_restores_what_was_there_and_does_not_follow_later_changes() {
    let fixture = Fixture::new();
    block_on(async {
        fixture.insert("i", &["alpha|beta", "gamma"]).await;
        let shown = fixture
            .store
            .persist(&name("i"), Some("backups/monday".to_owned()))
            .await
            .unwrap();
        assert_eq!(shown, "backups/monday");
        fixture.insert("i", &["delta"]).await;
        let load = |overwrite| LoadRequest {
            path: Some("backups/monday".to_owned()),
            overwrite,
        };
        let conflict = fixture.store.load(&name("i"), load(false)).await.unwrap_err();
        assert!(matches!(conflict, StoreError::CreateIndex(_)));
        fixture.store.load(&name("copy"), load(false)).await.unwrap();
        fixture.store.load(&name("i"), load(true)).await.unwrap();
        for restored in ["i", "copy"] {
            let listed = fixture.store.list_nodes(&name(restored), ALL, None).await.unwrap();
            let texts: Vec<&str> = listed.nodes.iter().map(|node| node.text.as_str()).collect();
            assert_eq!(texts, ["alpha", "beta", "gamma"]);
            assert!(
                search(&fixture.store, restored, "delta", RetrievalMode::Lexical, None)
                    .await
                    .lexical
                    .is_empty()
            );
            assert_eq!(
                search(&fixture.store, restored, "gamma", RetrievalMode::Hybrid, None)
                    .await
                    .dense
                    .len(),
                3
            );
        }
        // A second snapshot takes the place of the first.
        fixture.insert("i", &["epsilon"]).await;
        fixture
            .store
            .persist(&name("i"), Some("backups/monday".to_owned()))
            .await
            .unwrap();
        fixture.store.load(&name("copy"), load(true)).await.unwrap();
        assert_eq!(
            fixture.store.list_nodes(&name("copy"), ALL, None).await.unwrap().total,
            4
        );
    });
}

#[test]
fn a_damaged_missing_or_foreign_snapshot_is_refused_and_the_index_stays() {
    let fixture = Fixture::new();
    block_on(async {
        fixture.insert("i", &["alpha"]).await;
        fixture.store.persist(&name("i"), Some("s".to_owned())).await.unwrap();
        let load = |path: &str| {
            let request = LoadRequest {
                path: Some(path.to_owned()),
                overwrite: true,
            };
            async { fixture.store.load(&name("i"), request).await.unwrap_err() }
        };
        assert!(matches!(load("absent").await, StoreError::FindSnapshot(_)));
        assert!(matches!(load("../elsewhere").await, StoreError::ResolvePath { .. }));
        flip_a_byte(&fixture.persist_root().join("s/documents.sqlite"));
        assert!(matches!(load("s").await, StoreError::ReadSnapshot { .. }));
        std::fs::create_dir(fixture.persist_root().join("mine")).unwrap();
        std::fs::write(fixture.persist_root().join("mine/notes.txt"), "keep me").unwrap();
        assert!(matches!(load("mine").await, StoreError::ReadSnapshot { .. }));
        let refused = fixture
            .store
            .persist(&name("i"), Some("mine".to_owned()))
            .await
            .unwrap_err();
        assert!(matches!(refused, StoreError::ResolvePath { .. }));
        assert_eq!(fixture.store.list_nodes(&name("i"), ALL, None).await.unwrap().total, 1);
    });
}

#[cfg(unix)]
#[test]
fn links_do_not_lead_out_of_the_persist_root() {
    let fixture = Fixture::new();
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), fixture.persist_root().join("link")).unwrap();
    block_on(async {
        fixture.insert("i", &["alpha"]).await;
        for path in ["link", "link/deeper"] {
            let refused = fixture
                .store
                .persist(&name("i"), Some(path.to_owned()))
                .await
                .unwrap_err();
            assert!(matches!(refused, StoreError::ResolvePath { .. }), "{path}: {refused}");
            let request = LoadRequest {
                path: Some(path.to_owned()),
                overwrite: true,
            };
            let refused = fixture.store.load(&name("i"), request).await.unwrap_err();
            assert!(matches!(refused, StoreError::ResolvePath { .. }), "{path}: {refused}");
        }
    });
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn a_persist_root_that_was_removed_is_the_requests_fault_and_is_named() {
    let fixture = Fixture::new();
    block_on(async {
        fixture.insert("i", &["alpha"]).await;
        std::fs::remove_dir_all(fixture.persist_root()).unwrap();
        let refused = fixture.store.persist(&name("i"), None).await.unwrap_err();
        assert!(
            refused.to_string().contains("DEFAULT_VECTOR_DB_PERSIST_DIR"),
            "{refused}"
        );
    });
}

#[test]
fn a_write_is_safe_and_found_when_the_lexical_index_cannot_be_kept_on_disk() {
    let fixture = Fixture::new();
    block_on(fixture.insert("i", &["alpha"]));
    // A file where tantivy's directory was: it can neither be written to nor made again.
    let lexical = fixture.index_directory("i").join("lexical");
    let fixture = fixture.restart();
    std::fs::remove_dir_all(&lexical).unwrap();
    std::fs::write(&lexical, "in the way").unwrap();
    block_on(async {
        fixture.insert("i", &["beta"]).await;
        for word in ["alpha", "beta"] {
            assert_eq!(
                search(&fixture.store, "i", word, RetrievalMode::Lexical, None)
                    .await
                    .lexical
                    .len(),
                1
            );
        }
    });
    assert!(fixture.observer.lexical_rebuilds() > 0);
}

#[test]
fn concurrent_writes_to_one_index_all_succeed_and_share_commits() {
    let fixture = Fixture::new();
    block_on(async {
        let writes = (0..50).map(|number| {
            let store = &fixture.store;
            async move {
                store
                    .insert(&name("i"), vec![document(&format!("text {number}"), json!({}))])
                    .await
            }
        });
        for outcome in futures_join(writes).await {
            assert_eq!(outcome.unwrap(), [InsertOutcome::Inserted]);
        }
        assert_eq!(fixture.store.list_nodes(&name("i"), ALL, None).await.unwrap().total, 50);
        assert_eq!(
            search(&fixture.store, "i", "text", RetrievalMode::Hybrid, None)
                .await
                .dense
                .len(),
            50
        );
    });
}

/// Runs futures at the same time on one thread.
async fn futures_join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pinned: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut pinned {
            if output.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *output = Some(value);
            }
        }
        if pinned.iter().all(|(_, output)| output.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    pinned.into_iter().filter_map(|(_, output)| output).collect()
}

fn flip_a_byte(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xFF;
    std::fs::write(path, bytes).unwrap();
}
