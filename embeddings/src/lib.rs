//! Texts to vectors: one trait, [`Embedder`], and two ways to get them.
//!
//! * [`LocalEmbedder`] runs a model in this process with ONNX Runtime. Concurrent callers share batches.
//! * [`RemoteEmbedder`] asks an HTTP server, in OpenAI's or Hugging Face's wire format.
//!
//! Vectors come back with length 1 in either case, so that their inner product is their cosine. What is deliberately
//! not here: splitting texts (the caller learns the limit from [`Embedder::token_limit`]), caching, metrics, and reading
//! the environment (settings are plain structs).

mod embedder;
mod error;
mod local;
mod normalise;
mod remote;

pub use embedder::{Embedder, InputKind, TokenLimit};
pub use error::{EmbedError, LoadModel};
pub use local::{BatchCounts, LocalEmbedder, LocalSettings, Precision};
pub use remote::{ConnectRemote, RemoteEmbedder, RemoteFlavour, RemoteSettings, RetrySettings};
