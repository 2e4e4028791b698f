//! From a configuration to a running process and back.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use kaito_embeddings::{Embedder, LocalEmbedder, RemoteEmbedder};
use kaito_presets::{ChatContextPrompt, EmbeddingCatalogue};
use rag_core::chat::context::Threshold;
use rag_core::chat::prompt::{ContextTemplate, TemplateText};
use rag_core::embed_text::EmbeddedKeys;
use rag_core::node_parser::{NodeParser, NodeParserSettings, TokenCounter};
use rag_store::{EmbeddedStore, EmbeddedStoreSettings, EmbeddingSpace, StoreObserver};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::authentication::Authentication;
use crate::config::{Config, EmbeddingConfig, EmbeddingSource, ModelConfig, RetrievalConfig, StorageConfig};
use crate::engine::{ChatEngine, ChatEngineParts, ChatSettings, Engine, EngineParts, RetrievalSettings};
use crate::guardrails::{self, Guardrails};
use crate::http::{AppState, AppStateParts, Readiness, Services, router, without_delay};
use crate::llm::{OpenAiModel, Tokenizers};
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
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    let mode = match config.embedding.source() {
        EmbeddingSource::Local => EmbeddingMode::local,
        EmbeddingSource::Remote => EmbeddingMode::remote,
    };
    let metrics = Arc::new(Metrics::new(mode));
    let keys = Authentication::start(&config.authentication, &metrics)?;
    let authentication = keys.as_ref().map(|keys| Arc::clone(&keys.authentication));
    let address = config.server.listen_address;
    if authentication.is_none() && !address.ip().is_loopback() {
        tracing::warn!("no API keys are configured (RAG_API_KEYS_DIR): whoever reaches {address} may do everything");
    }
    let listener = bind(address).await?;
    let guardrails = Arc::new(Guardrails::load(&config.guardrails, Arc::clone(&metrics)));
    let _watch = config
        .guardrails
        .output_guardrails_hot_reload_enabled
        .then(|| guardrails::watch(&guardrails));
    let readiness = Readiness::default();
    let parts = AppStateParts {
        metrics: Arc::clone(&metrics),
        limits: config.limits.clone(),
        max_top_k: config.retrieval.max_top_k,
        max_concurrent_chats: config.model.max_concurrent_chats,
        guardrails,
        authentication,
    };
    let grace = Duration::from_secs(config.server.shutdown_grace_seconds);
    let served = tokio::spawn(serve(
        listener,
        AppState::new(readiness.clone(), parts),
        stop.clone(),
        grace,
    ));
    let services = tokio::select! {
        services = start_services(config, metrics) => services?,
        () = stop.cancelled() => {
            served.await??;
            return Ok(());
        }
    };
    let engine = Arc::clone(&services.engine);
    readiness.open(services);
    tracing::info!("ready");
    served.await??;
    engine.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}

async fn start_services(config: Config, metrics: Arc<Metrics>) -> anyhow::Result<Services> {
    let embedder = start_embedder(&config.embedding).await?;
    let default_threshold = default_threshold(embedder.model_id())?;
    let chat = prepare_chat(&config, default_threshold)?;
    let engine = start_engine(embedder, config.storage, config.retrieval, metrics).await?;
    let chat = chat.map(|prepare| Arc::new(ChatEngine::new(prepare(Arc::clone(&engine)))));
    Ok(Services { engine, chat })
}

/// The chat engine but for what it looks passages up with; `None` without a model. Mistakes in its options are found
/// before anything slow is started. `default_threshold` is how far a passage may be from the question, as a squared
/// distance, when the configuration does not say.
///
/// # Errors
/// When the model's URL, its key, its tokenizer or the threshold cannot be used.
pub fn prepare_chat(
    config: &Config,
    default_threshold: Option<f64>,
) -> anyhow::Result<Option<impl FnOnce(Arc<Engine>) -> ChatEngineParts + use<>>> {
    let ModelConfig {
        llm_context_window,
        reserved_completion_tokens,
        context_token_fill_ratio,
        similarity_threshold,
        node_token_approximation,
        ..
    } = config.model;
    let Some(settings) = config.model.model() else {
        tracing::info!("no language model is configured (LLM_INFERENCE_URL): chats are answered with 503");
        return Ok(None);
    };
    let model = Arc::new(OpenAiModel::new(&settings)?);
    let tokenizers = Tokenizers::new(config.model.llm_tokenizer.as_deref(), config.embedding.models_dir())?;
    let text = ChatContextPrompt::builtin().context("the prompt that ships with the service cannot be used")?;
    let template = ContextTemplate::parse(TemplateText {
        instructions: &text.instructions,
        passage: &text.passage,
        separator: &text.separator,
        control_marks: &text.control_marks,
    })?;
    let distance = similarity_threshold
        .or(default_threshold)
        .filter(|distance| *distance > 0.0);
    let settings = ChatSettings {
        context_window: llm_context_window,
        reserved_completion: u64::try_from(reserved_completion_tokens).unwrap_or(u64::MAX),
        context_ratio: context_token_fill_ratio,
        threshold: distance.map(Threshold::from_squared_distance).transpose()?,
        node_token_approximation,
        max_top_k: config.retrieval.max_top_k,
        max_query_characters: config.limits.max_query_characters,
    };
    Ok(Some(move |engine| ChatEngineParts {
        engine,
        model,
        tokenizers,
        template: Arc::new(template),
        settings,
    }))
}

/// How far a passage may be from the question for this model, as far as the catalogue knows.
fn default_threshold(model_id: &str) -> anyhow::Result<Option<f64>> {
    let catalogue = EmbeddingCatalogue::builtin()?;
    Ok(catalogue.find(model_id).and_then(|model| model.similarity_threshold))
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
    let drained =
        axum::serve(without_delay(listener), router(state)).with_graceful_shutdown(stop.clone().cancelled_owned());
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

async fn start_embedder(embedding: &EmbeddingConfig) -> anyhow::Result<Arc<dyn Embedder>> {
    Ok(match embedding.source() {
        EmbeddingSource::Local => {
            let settings = embedding.local();
            let loaded = tokio::task::spawn_blocking(move || LocalEmbedder::load(&settings)).await?;
            Arc::new(loaded.context("the embedding model cannot be used")?)
        }
        EmbeddingSource::Remote => {
            let connected = RemoteEmbedder::connect(embedding.remote()).await;
            Arc::new(connected.context("the remote embedding model cannot be used")?)
        }
    })
}

async fn start_engine(
    embedder: Arc<dyn Embedder>,
    storage: StorageConfig,
    retrieval: RetrievalConfig,
    metrics: Arc<Metrics>,
) -> anyhow::Result<Arc<Engine>> {
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
