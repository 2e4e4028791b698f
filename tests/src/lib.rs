//! What the whole-program tests, the evaluation, the tour and the benchmarks share: a running service, a client, a model
//! server to stand behind it, BEIR collections and the scorer.

pub mod backend;
pub mod beir;
pub mod beside;
pub mod client;
pub mod event_stream;
pub mod installed;
pub mod scoring;
pub mod service;
pub mod synthetic;
