//! The operator: it makes the cluster look as `RAGEngine` resources say, and tells in their status how far it is.
//!
//! One reconcile is `dereference → validate → build → apply → status`, one file each under [`ragengine`]. Only
//! `dereference`, `apply` and `status` hold a client; what is decided is decided in pure functions between them.
//! Nothing here sleeps or polls: what is not ready yet is a condition, and a watch brings the next reconcile.

pub mod options;
pub mod run;
pub mod webhook;

pub use options::Options;
