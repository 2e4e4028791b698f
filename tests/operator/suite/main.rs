//! The operator, on a real control plane.
#![expect(clippy::indexing_slicing, reason = "a missing member of an answer is a failed test")]

mod cluster;
mod webhook;
mod fault_proxy;
mod kubelet;
mod service_proxy;
