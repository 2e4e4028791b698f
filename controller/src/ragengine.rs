//! The controller of `RAGEngine`.

mod apply;
mod build;
mod caches;
mod dereference;
mod engine;
mod machines;
mod status;
mod validate;

mod delete;
mod indexes;
mod reconcile;
mod run;
mod triggers;

#[cfg(test)]
pub(crate) mod testing;

pub use run::run;
