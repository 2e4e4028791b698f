//! From a configuration to a running process and back.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use kaito_embeddings::{Embedder, LocalEmbedder, RemoteEmbedder};
use rag_core::embed_text::EmbeddedKeys;
use rag_core::node_parser::{NodeParser, NodeParserSettings, TokenCounter};
use rag_store::{EmbeddedStore, EmbeddedStoreSettings, EmbeddingSpace, StoreObserver};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, EmbeddingSource, RetrievalConfig, StorageConfig};
use crate::engine::{Engine, EngineParts, RetrievalSettings};
use crate::http::{AppState, Readiness, router};
use crate::metrics::{EmbeddingMode, Metrics};
use crate::telemetry;

/// Runs the service until it is told to stop. Exit code 0 after a clean stop, 1 when it could not start.
pub fn main(config: Config) -> ExitCode {
    telemetry::start(config.server.log_format);
    // Already installed only if somebody embeds this library; either way there is a provider afterwards.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the asynchronous runtime could not be started");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    let Config {
        server,
        embedding,
        storage,
        retrieval,
        limits,
    } = config;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    let listener = bind(server.listen_address).await?;
    let mode = match embedding.source() {
        EmbeddingSource::Local => EmbeddingMode::local,
        EmbeddingSource::Remote => EmbeddingMode::remote,
    };
    let metrics = Arc::new(Metrics::new(mode));
    let readiness = Readiness::default();
    let state = AppState::new(readiness.clone(), Arc::clone(&metrics), limits, retrieval.max_top_k);
    let grace = Duration::from_secs(server.shutdown_grace_seconds);
    let served = tokio::spawn(serve(listener, state, stop.clone(), grace));
    let engine = tokio::select! {
        engine = start_engine(&embedding, storage, retrieval, metrics) => engine?,
        () = stop.cancelled() => {
            served.await??;
            return Ok(());
        }
    };
    readiness.open(Arc::clone(&engine));
    tracing::info!("ready");
    served.await??;
    engine.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; is another process using it? Set RAG_LISTEN_ADDRESS"))?;
    // The port is chosen by the system when 0 was asked for; whoever started the process reads it here.
    tracing::info!(server.address = %listener.local_addr()?, "listening");
    Ok(listener)
}

/// Serves until told to stop, then lets requests finish for as long as the grace period lasts.
async fn serve(listener: TcpListener, state: AppState, stop: CancellationToken, grace: Duration) -> anyhow::Result<()> {
    let drained = axum::serve(listener, router(state)).with_graceful_shutdown(stop.clone().cancelled_owned());
    let out_of_time = async {
        stop.cancelled().await;
        tracing::info!(
            grace.seconds = grace.as_secs(),
            "stopping, requests under way may finish"
        );
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        drained = drained.into_future() => drained.context("the server failed"),
        () = out_of_time => {
            tracing::warn!("requests were cut off at the end of the grace period");
            Ok(())
        }
    }
}

async fn start_engine(
    embedding: &crate::config::EmbeddingConfig,
    storage: StorageConfig,
    retrieval: RetrievalConfig,
    metrics: Arc<Metrics>,
) -> anyhow::Result<Arc<Engine>> {
    let embedder: Arc<dyn Embedder> = match embedding.source() {
        EmbeddingSource::Local => {
            let settings = embedding.local();
            let loaded = tokio::task::spawn_blocking(move || LocalEmbedder::load(&settings)).await?;
            Arc::new(loaded.context("the embedding model cannot be used")?)
        }
        EmbeddingSource::Remote => {
            let connected = RemoteEmbedder::connect(embedding.remote()).await;
            Arc::new(connected.context("the remote embedding model cannot be used")?)
        }
    };
    let space = EmbeddingSpace {
        model_id: embedder.model_id().to_owned(),
        dimension: embedder.dimension(),
    };
    tracing::info!(
        model.id = space.model_id,
        model.dimension = space.dimension,
        "embedding model ready"
    );
    let settings = EmbeddedStoreSettings {
        data_dir: storage.data_dir,
        persist_root: storage.persist_dir,
        space,
        max_open_indexes: storage.max_open_indexes,
        write_queue: storage.write_queue,
    };
    let observer = Arc::clone(&metrics) as Arc<dyn StoreObserver>;
    let store = tokio::task::spawn_blocking(move || EmbeddedStore::open(settings, observer))
        .await?
        .context("the data directory cannot be used")?;
    let embedded_keys = EmbeddedKeys::new(retrieval.embed_metadata_keys.clone());
    let node_parser = node_parser(&retrieval, embedder.as_ref(), embedded_keys.clone());
    Ok(Arc::new(Engine::new(EngineParts {
        store: Arc::new(store),
        embedder,
        node_parser,
        embedded_keys,
        retrieval: RetrievalSettings {
            fusion: retrieval.fusion(),
            candidates: retrieval.fusion_candidates,
        },
        query_cache_entries: retrieval.query_cache_entries,
        metrics,
    })))
}

fn node_parser(retrieval: &RetrievalConfig, embedder: &dyn Embedder, embedded_keys: EmbeddedKeys) -> NodeParser {
    let limit = embedder.token_limit();
    let settings = NodeParserSettings {
        chunk_tokens: retrieval.chunk_tokens,
        overlap_tokens: retrieval.chunk_overlap_tokens,
        model_token_limit: limit.content_tokens,
        max_code_chars: retrieval.code_chunk_characters,
        embedded_keys,
    };
    NodeParser::new(
        settings,
        limit.tokenizer.map_or_else(TokenCounter::estimate, TokenCounter::exact),
    )
}

fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}
