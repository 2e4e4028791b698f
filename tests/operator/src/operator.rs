//! The operator in a cluster: installed from its charts, and run as the real program `kaito-controller`.
//!
//! What the charts put into the cluster is there as it is, but for the Deployment: its program runs as a child of the
//! test, with the arguments and the environment that the Deployment gives and the rights of its ServiceAccount. So a
//! right that the chart forgets is a test that fails.

mod chart;
mod installation;
mod invocation;
mod options;
mod process;
mod program;
mod webhooks;

pub use chart::{Chart, helm};
pub use installation::Installation;
pub use invocation::Invocation;
pub use options::OperatorOptions;
pub use program::Operator;
