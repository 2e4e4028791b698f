//! all-MiniLM-L6-v2 in this process.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::join_all;
use kaito_embeddings::{EmbedError, Embedder, InputKind, LoadModel, LocalEmbedder, LocalSettings, Precision};

use crate::support::{cosine, largest_difference, load, minilm_directory, minilm_settings};

const CAT: &str = "A cat sleeps on the sofa.";
const KITTEN: &str = "The kitten is napping on the couch.";
const BANK: &str = "The central bank raised interest rates by half a point.";

/// Texts of very different lengths.
fn mixed_texts() -> Vec<String> {
    (1..40)
        .map(|count| "The quick brown fox jumps over the lazy dog. ".repeat(1 + count % 20))
        .collect()
}

/// Texts that keep the model busy for a good while, and make two batches: 32 of 242 tokens.
fn long_texts() -> Vec<String> {
    vec!["word ".repeat(240); 32]
}

async fn embed(embedder: &LocalEmbedder, kind: InputKind, texts: &[&str]) -> Vec<Vec<f32>> {
    embedder
        .embed(kind, texts.iter().map(ToString::to_string).collect())
        .await
        .expect("vectors")
}

/// Starts a long passage call and returns once the model runs its first batch.
async fn busy(embedder: &Arc<LocalEmbedder>) -> tokio::task::JoinHandle<Result<Vec<Vec<f32>>, EmbedError>> {
    let before = embedder.batch_counts().batches;
    let call = tokio::spawn({
        let embedder = Arc::clone(embedder);
        async move { embedder.embed(InputKind::Passage, long_texts()).await }
    });
    while embedder.batch_counts().batches == before {
        tokio::task::yield_now().await;
    }
    call
}

#[tokio::test]
async fn vectors_are_those_that_sentence_transformers_publishes() {
    let embedder = load(&minilm_settings());
    let vectors = embed(&embedder, InputKind::Passage, &["This is an example sentence"]).await;
    let published = [
        0.067_656_93,
        0.063_495_93,
        0.048_713_14,
        0.079_304_95,
        0.037_448_06,
        0.002_652_73,
    ];
    for (found, expected) in vectors[0].iter().zip(published) {
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }
    assert_eq!(
        (embedder.dimension(), embedder.model_id()),
        (384, "sentence-transformers/all-MiniLM-L6-v2")
    );
}

#[tokio::test]
async fn vectors_have_length_one_and_similar_texts_are_near_each_other() {
    let embedder = load(&minilm_settings());
    let vectors = embed(&embedder, InputKind::Passage, &[CAT, KITTEN, BANK, ""]).await;
    for vector in &vectors {
        assert_eq!(vector.len(), 384);
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-6);
    }
    let (near, far) = (cosine(&vectors[0], &vectors[1]), cosine(&vectors[0], &vectors[2]));
    assert!(near > 0.5 && far < 0.2, "near {near}, far {far}");
    assert!(embed(&embedder, InputKind::Query, &[]).await.is_empty());
}

#[tokio::test]
async fn an_fp32_vector_does_not_depend_on_its_batch() {
    let embedder = load(&minilm_settings());
    let together = embedder
        .embed(InputKind::Passage, mixed_texts())
        .await
        .expect("vectors");
    assert!(embedder.batch_counts().batches > 1);
    let mut alone = Vec::new();
    for text in mixed_texts() {
        alone.extend(embedder.embed(InputKind::Passage, vec![text]).await.expect("a vector"));
    }
    let difference = largest_difference(&together, &alone);
    assert!(difference < 1e-5, "{difference}");
}

#[tokio::test]
async fn int8_vectors_are_near_the_fp32_ones() {
    let embed = async |precision| {
        let embedder = load(&LocalSettings {
            precision,
            ..minilm_settings()
        });
        embedder
            .embed(
                InputKind::Passage,
                [mixed_texts(), vec![CAT.into(), BANK.into()]].concat(),
            )
            .await
            .expect("vectors")
    };
    let (full, int8) = (embed(Precision::Fp32).await, embed(Precision::Int8).await);
    for (full, int8) in full.iter().zip(&int8) {
        let cosine = cosine(full, int8);
        assert!(cosine > 0.95, "{cosine}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_callers_share_batches_and_get_the_vectors_they_would_get_alone() {
    let embedder = Arc::new(load(&minilm_settings()));
    let long = busy(&embedder).await;
    let calls = mixed_texts()
        .into_iter()
        .map(|text| embedder.embed(InputKind::Query, vec![text]));
    let shared: Vec<_> = join_all(calls)
        .await
        .into_iter()
        .flat_map(|vectors| vectors.expect("vectors"))
        .collect();
    long.await.expect("no panic").expect("vectors");
    let counts = embedder.batch_counts();
    assert_eq!(counts.texts, 32 + 39);
    // The long texts are 2 batches; 39 calls that did not share would be 39 more.
    assert!(counts.batches < 2 + 20, "{counts:?}");

    let alone = embedder.embed(InputKind::Query, mixed_texts()).await.expect("vectors");
    assert!(largest_difference(&shared, &alone) < 1e-5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_answered_before_the_passages_that_came_first() {
    let embedder = Arc::new(load(&LocalSettings {
        max_batch_tokens: 512,
        ..minilm_settings()
    }));
    let long = busy(&embedder).await;
    embed(&embedder, InputKind::Query, &[CAT]).await;
    assert!(!long.is_finished());
    assert_eq!(long.await.expect("no panic").expect("vectors").len(), 32);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_passages_with_a_time_and_still_takes_queries() {
    let embedder = Arc::new(load(&LocalSettings {
        queue_capacity: 1,
        ..minilm_settings()
    }));
    let long = busy(&embedder).await;
    let calls = (0..8).map(|_| embedder.embed(InputKind::Passage, vec![CAT.to_owned()]));
    let answers = async { join_all(calls).await };
    let (answers, query) = tokio::join!(answers, embedder.embed(InputKind::Query, vec![CAT.to_owned()]));
    query.expect("queries have a queue of their own");
    let refused: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert_eq!(refused.len(), 7);
    for error in refused {
        assert!(
            matches!(error, EmbedError::QueueFull { retry_after } if retry_after.as_secs() >= 1),
            "{error}"
        );
    }
    long.await.expect("no panic").expect("vectors");
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_a_caller_who_left_are_skipped() {
    let embedder = Arc::new(load(&minilm_settings()));
    let long = busy(&embedder).await;
    long.abort();
    assert!(long.await.is_err_and(|error| error.is_cancelled()));
    embed(&embedder, InputKind::Passage, &[CAT]).await;
    let counts = embedder.batch_counts();
    assert!(counts.abandoned_texts == 16 && counts.batches == 2, "{counts:?}");
}

#[tokio::test]
async fn a_passage_longer_than_the_model_reads_is_refused_and_a_query_is_cut() {
    let embedder = load(&minilm_settings());
    let limit = embedder.token_limit();
    let content = limit.content_tokens.expect("known");
    assert_eq!(content, 254);
    let tokenizer = limit.tokenizer.expect("known");
    let long = "word ".repeat(2_000);
    assert_eq!(
        tokenizer.encode_fast(long.as_str(), false).expect("tokens").len(),
        2_000
    );

    embedder
        .embed(InputKind::Passage, vec!["word ".repeat(content)])
        .await
        .expect("it fits");
    let error = embedder
        .embed(InputKind::Passage, vec![CAT.into(), long.clone()])
        .await
        .expect_err("too long");
    assert!(
        matches!(
            error,
            EmbedError::TooManyTokens {
                position: 1,
                tokens: 2_002,
                limit: 256
            }
        ),
        "{error}"
    );

    let cut = embedder.embed(InputKind::Query, vec![long]).await.expect("is cut");
    let full = embedder
        .embed(InputKind::Query, vec!["word ".repeat(content)])
        .await
        .expect("it fits");
    assert!(largest_difference(&cut, &full) < 1e-5);
}

#[tokio::test]
async fn a_users_directory_gives_the_same_vectors_as_the_installed_model() {
    let installed = load(&minilm_settings());
    let directory = minilm_directory().display().to_string();
    let brought = load(&LocalSettings {
        model: directory.clone(),
        ..minilm_settings()
    });
    assert_eq!((brought.model_id(), brought.dimension()), (directory.as_str(), 384));
    assert_eq!(brought.token_limit().content_tokens, Some(254));
    let embed = async |embedder: &LocalEmbedder| {
        embedder
            .embed(InputKind::Passage, mixed_texts())
            .await
            .expect("vectors")
    };
    let difference = largest_difference(&embed(&installed).await, &embed(&brought).await);
    assert!(difference < 1e-4, "{difference}");
}

#[tokio::test]
async fn a_directory_needs_no_more_than_model_and_tokenizer() {
    let directory = tempfile::tempdir().expect("temporary directory");
    for file in ["model.onnx", "tokenizer.json"] {
        fs::copy(minilm_directory().join(file), directory.path().join(file)).expect("run `make setup`");
    }
    let brought = load(&LocalSettings {
        model: directory.path().display().to_string(),
        ..minilm_settings()
    });
    let vectors = embed(&brought, InputKind::Passage, &[CAT, KITTEN]).await;
    assert!(cosine(&vectors[0], &vectors[1]) > 0.5);
}

#[tokio::test]
async fn after_shutdown_calls_are_refused() {
    let embedder = load(&minilm_settings());
    embedder.shutdown().await;
    let error = embedder
        .embed(InputKind::Query, vec![CAT.to_owned()])
        .await
        .expect_err("it has stopped");
    assert!(matches!(error, EmbedError::Stopped));
}

#[test]
fn a_wrong_runtime_path_is_an_error_that_names_the_fix() {
    let error = |runtime_library: PathBuf| {
        LocalEmbedder::load(&LocalSettings {
            runtime_library,
            ..minilm_settings()
        })
        .expect_err("no such library")
    };
    let missing = error("/nowhere/libonnxruntime.so".into());
    assert!(matches!(missing, LoadModel::RuntimeNotFound { .. }));
    assert!(
        missing.to_string().contains("make setup") && missing.to_string().contains("ORT_DYLIB_PATH"),
        "{missing}"
    );
    // Which of the two depends on whether another test has loaded the right one.
    let garbage = error(minilm_directory().join("tokenizer.json"));
    assert!(
        matches!(
            garbage,
            LoadModel::LoadRuntime { .. } | LoadModel::OtherRuntimeLoaded { .. }
        ),
        "{garbage}"
    );
    load(&minilm_settings());
}

#[test]
fn an_unknown_or_missing_model_is_an_error_that_names_the_fix() {
    let empty = tempfile::tempdir().expect("temporary directory");
    let error = |model: &str| {
        let settings = LocalSettings {
            model: model.to_owned(),
            models_dir: empty.path().to_owned(),
            ..minilm_settings()
        };
        LocalEmbedder::load(&settings).expect_err("not there").to_string()
    };
    let unknown = error("acme/unheard-of");
    assert!(
        unknown.contains("LOCAL_EMBEDDING_MODEL_ID") && unknown.contains("BAAI/bge-small-en-v1.5"),
        "{unknown}"
    );
    for model in ["sentence-transformers/all-MiniLM-L6-v2", "thenlper/gte-small"] {
        let missing = error(model);
        assert!(
            missing.contains("make setup") && missing.contains(&empty.path().display().to_string()),
            "{missing}"
        );
    }
}

#[test]
fn a_damaged_model_is_an_error() {
    let models = tempfile::tempdir().expect("temporary directory");
    let directory = models.path().join("sentence-transformers--all-MiniLM-L6-v2");
    fs::create_dir(&directory).expect("create directory");
    fs::copy(
        minilm_directory().join("tokenizer.json"),
        directory.join("tokenizer.json"),
    )
    .expect("run `make setup`");
    fs::write(directory.join("model.onnx"), b"not a model").expect("write file");
    let settings = LocalSettings {
        models_dir: models.path().to_owned(),
        ..minilm_settings()
    };
    assert!(matches!(
        LocalEmbedder::load(&settings),
        Err(LoadModel::LoadSession { .. })
    ));
}
