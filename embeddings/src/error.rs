//! What can go wrong while embedding, and while loading a model. Loading errors name the fix: an operator reads them.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Why texts could not be embedded. Messages contain neither texts nor keys.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// As many calls wait as may wait.
    #[error("too many calls wait for the embedding model, retry in {} s", retry_after.as_secs())]
    QueueFull {
        /// When the queue should have room again, at the speed measured so far. Whole seconds, at least one.
        retry_after: Duration,
    },
    /// The embedder was shut down, before the call or during it.
    #[error("the embedder has stopped")]
    Stopped,
    /// A passage is longer than the model reads.
    #[error("text {position} has {tokens} tokens and the embedding model reads {limit}")]
    TooManyTokens {
        /// Which text of the call, from 0.
        position: usize,
        /// Its tokens, special ones and the model's prefix included.
        tokens: usize,
        /// The model's maximum, counted likewise.
        limit: usize,
    },
    /// The tokenizer refused a text.
    #[error("tokenise text")]
    Tokenise(#[source] Box<dyn Error + Send + Sync>),
    /// The local model failed on a batch; every call with a text in it gets this.
    #[error("run embedding model")]
    RunModel(#[source] Arc<dyn Error + Send + Sync>),
    /// The remote server answered with a status other than 2xx, on the last attempt.
    #[error("embedding server answered with status {status}")]
    RemoteStatus {
        /// The HTTP status.
        status: u16,
        /// The server's Retry-After, when it sent one in seconds.
        retry_after: Option<Duration>,
    },
    /// The remote server could not be reached, or the answer did not arrive in time, on the last attempt.
    #[error("reach embedding server")]
    RemoteTransport(#[source] reqwest::Error),
    /// The remote answer is not what the protocol says.
    #[error("embedding server's answer is malformed: {reason}")]
    RemoteMalformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The remote answer is longer than the configured limit.
    #[error("embedding server's answer is longer than {limit_bytes} bytes")]
    RemoteTooLong {
        /// The configured limit.
        limit_bytes: usize,
    },
    /// The remote server's vectors have changed their length: it serves another model than at start-up.
    #[error("embedding server's vectors have {found} dimensions, they had {expected} at start-up")]
    DimensionChanged {
        /// Length of the vector that the server answered at start-up.
        expected: usize,
        /// Length now.
        found: usize,
    },
}

/// Why a local model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadModel {
    /// There is no file where ONNX Runtime should be.
    #[error(
        "no ONNX Runtime at {path:?}: run `make setup`, or set ORT_DYLIB_PATH to a libonnxruntime.so of 1.24 or newer"
    )]
    RuntimeNotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is there, but cannot be used.
    #[error(
        "load ONNX Runtime from {path:?}: set ORT_DYLIB_PATH to a libonnxruntime.so of 1.24 or newer for this machine"
    )]
    LoadRuntime {
        /// The library.
        path: PathBuf,
        /// What the loader says.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A process has one ONNX Runtime.
    #[error(
        "ONNX Runtime is already loaded from {loaded:?}, {requested:?} cannot be loaded too: use one path per process"
    )]
    OtherRuntimeLoaded {
        /// The one in use.
        loaded: PathBuf,
        /// The one asked for.
        requested: PathBuf,
    },
    /// No catalogue knows this id.
    #[error(
        "embedding model {model:?} is unknown and not in {directory:?}: set LOCAL_EMBEDDING_MODEL_ID to a listed model ({known}) or to a directory with model.onnx and tokenizer.json"
    )]
    UnknownModel {
        /// The id.
        model: String,
        /// Where an installed model of that id would be.
        directory: PathBuf,
        /// The ids of the catalogue.
        known: String,
    },
    /// The catalogue knows the model, its files are missing, and there is nowhere to download it from.
    #[error(
        "embedding model {model:?} is not installed, {missing:?} is missing: run `make setup` (it installs sentence-transformers/all-MiniLM-L6-v2), put the model's files there, or set LOCAL_EMBEDDING_MODEL_ID to a directory"
    )]
    NotInstalled {
        /// The id.
        model: String,
        /// The first missing file.
        missing: PathBuf,
    },
    /// The model could be downloaded, and downloads are off.
    #[error(
        "embedding model {model:?} is not installed in {directory:?} and downloads are not allowed: run `make setup` (it installs sentence-transformers/all-MiniLM-L6-v2), put the model's files there, set LOCAL_EMBEDDING_MODEL_ID to a directory, or allow downloads"
    )]
    DownloadNotAllowed {
        /// The id.
        model: String,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// The download failed.
    #[error(
        "download embedding model {model:?}: check the connection to the model hub, or put the model's files into {directory:?}"
    )]
    Download {
        /// The id.
        model: String,
        /// Where an installed model of that id would be.
        directory: PathBuf,
        /// What fastembed says.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// int8 was asked for, and the model has no such file.
    #[error("embedding model {model:?} has no int8 version: choose fp32")]
    NoInt8 {
        /// The id or directory.
        model: String,
    },
    /// A file of the model cannot be read.
    #[error("read {path:?}: is it complete, and readable by this user?")]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// A file of the model does not say what it has to.
    #[error("{path:?} is not usable: {reason}")]
    UnusableFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// The tokenizer's file is damaged or of an unknown kind.
    #[error("load tokenizer {path:?}: it has to be a Hugging Face tokenizer.json")]
    LoadTokenizer {
        /// The file.
        path: PathBuf,
        /// What the tokenizer library says.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// ONNX Runtime refuses the model.
    #[error("load {path:?} into ONNX Runtime: it has to be a complete ONNX model")]
    LoadSession {
        /// The ONNX file, or the directory.
        path: PathBuf,
        /// What ONNX Runtime says.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The first text could not be embedded.
    #[error(
        "run embedding model {model:?} for the first time: its inputs and outputs may not be those of a text encoder"
    )]
    WarmUp {
        /// The id or directory.
        model: String,
        /// What went wrong.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The files are of another model than the id says.
    #[error(
        "embedding model {model:?} gives {found} dimensions instead of {expected}: its directory holds another model"
    )]
    WrongDimension {
        /// The id or directory.
        model: String,
        /// What the catalogue says.
        expected: usize,
        /// What came out.
        found: usize,
    },
    /// The catalogue compiled into this program is invalid.
    #[error("read built-in catalogue")]
    Catalogue(#[source] kaito_presets::CatalogueError),
    /// The system refused a thread.
    #[error("start the embedding thread: raise the limit on threads")]
    StartThread(#[source] io::Error),
}
