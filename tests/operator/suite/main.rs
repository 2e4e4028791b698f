//! The operator, on a real control plane.
#![expect(clippy::indexing_slicing, reason = "a missing member of an answer is a failed test")]

mod charts;
mod cluster;
mod fault_proxy;
mod kubelet;
mod operator;
mod ragengine;
mod service_proxy;
mod webhook;
