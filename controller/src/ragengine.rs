//! The controller of `RAGEngine`.

mod apply;
mod build;
mod caches;
mod dereference;
mod engine;
mod machines;
mod status;
mod validate;

mod claims;
mod delete;
mod indexes;
mod reconcile;
mod revision;
mod run;
mod triggers;

#[cfg(test)]
mod testing;

pub use run::{ControllerSettings, run};
