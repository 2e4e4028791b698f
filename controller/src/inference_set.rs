//! `InferenceSet`: Workspaces that serve the same model, as many as the set says.
//!
//! What is to be done is decided in `plan`, from the set, its template and the Workspaces that there are. The cache says
//! whether there may be something to do; what is done is decided on what the API server has at that moment.

mod apply;
mod caches;
mod plan;
mod reconcile;
mod run;
mod service;
mod status;
mod template;

pub use run::run;

#[cfg(test)]
mod tests;
