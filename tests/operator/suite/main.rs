//! The operator, on a real control plane.
#![expect(clippy::indexing_slicing, reason = "a missing member of an answer is a failed test")]

mod charts;
mod checklist;
mod cluster;
mod demo;
mod fault_proxy;
mod inference_set;
mod karpenter;
mod kubelet;
mod operator;
mod ragengine;
mod service_proxy;
mod webhook;
mod workspace;
