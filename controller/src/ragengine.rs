//! The controller of `RAGEngine`.

pub mod apply;
pub mod build;
pub mod caches;
pub mod dereference;
pub mod machines;
pub mod status;
pub mod validate;

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
