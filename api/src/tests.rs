//! Tests of the crate as a whole.

mod admission;
mod conversion;
mod crds;
mod manifests;
mod rules;
mod server;
