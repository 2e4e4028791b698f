//! What tests of the operator share: a real Kubernetes control plane and what stands in for its nodes.
//!
//! Deliberately without a dependency on `rag-service`, so that these tests build without FAISS: where they need the
//! service they start its binary.

pub mod cluster;
pub mod dev_cluster;
#[path = "../../src/installed.rs"]
pub mod installed;
pub mod operator;
