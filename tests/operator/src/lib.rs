//! What tests of the operator share: a real Kubernetes control plane and what stands in for its nodes.
//!
//! Deliberately without a dependency on `rag-service`, so that these tests build without FAISS: where they need the
//! service they start its binary.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use kaito_operator_tests::cluster::{Cluster, User};
//! use kaito_operator_tests::fault_proxy::{FaultProxy, Matcher, Reply, Times};
//! use kaito_operator_tests::kubelet::{Kubelet, Options};
//! use kaito_operator_tests::service_proxy::ServiceProxy;
//!
//! let mut cluster = Cluster::start().await?;
//! cluster.start_controllers().await?;
//! cluster.start_kwok().await?;
//! // Pods with this label and the annotation `kaito-tests/kubelet: none` run the program.
//! let options = Options::new("kaito.sh/ragengine=rag").program("example.org/rag-service:0.1.0", "/path/rag-service");
//! let kubelet = Kubelet::start(&cluster, options).await?;
//! let services = ServiceProxy::start(&cluster, &kubelet).await?;
//! services.register("http://model.default.svc", "127.0.0.1:5000".parse()?)?;
//! kubelet.set_variable("http_proxy", &services.url());
//!
//! // The controller under test is given this kubeconfig, and its first patches of a status are refused.
//! let faults = FaultProxy::start(&cluster).await?;
//! let kubeconfig = faults.kubeconfig(&User::service_account("kaito", "controller")).await?;
//! faults.answer(Matcher::verb("patch").path("/status"), Reply::conflict(), Times::Next(2));
//!
//! let answer = services.client()?.get("http://rag.default.svc/health").send().await?;
//! # Ok(())
//! # }
//! ```

#[path = "../../src/beside.rs"]
pub mod beside;
pub mod cluster;
pub mod demo;
pub mod dev_cluster;
pub mod fault_proxy;
mod forward;
#[path = "../../src/installed.rs"]
pub mod installed;
pub mod karpenter;
pub mod kubelet;
pub mod model_server;
pub mod nodes;
pub mod operator;
mod ports;
pub mod service_proxy;
