//! The controller of `Workspace`: a model that is served or tuned, on machines that are made for it.

mod apply;
mod benchmark;
mod build;
mod caches;
mod dereference;
mod figures;
mod learn;
mod reconcile;
mod references;
mod render;
mod run;
mod status;
mod triggers;
mod validate;
mod workload;

#[cfg(test)]
pub(crate) mod testing;

pub(crate) use render::machines;
pub use render::{Assumptions, RenderError, render};
pub use run::run;
