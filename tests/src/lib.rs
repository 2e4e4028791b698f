//! What the whole-program tests, the evaluation, the tour and the benchmarks share: a running service, a client, BEIR
//! collections and the scorer.

pub mod beir;
pub mod client;
pub mod scoring;
pub mod service;
