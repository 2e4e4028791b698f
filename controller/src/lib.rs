//! The operator: it makes the cluster look as `RAGEngine` resources say, and tells in their status how far it is.
//!
//! One reconcile is `dereference → validate → build → apply → status`, one file each under [`ragengine`]. Only
//! `dereference`, `apply` and `status` hold a client; what is decided is decided in pure functions between them.
//! Nothing here sleeps or polls: what is not ready yet is a condition, and a watch brings the next reconcile.

pub mod options;
pub mod run;
pub mod webhook;

pub mod inference_set;
pub(crate) mod provisioner;
pub mod ragengine;
pub mod settings;
pub mod workspace;

pub mod apply;
pub mod conditions;
pub mod digest;
pub mod leader;
pub mod metrics;
pub mod names;
pub mod presets;
pub mod presets_command;
pub mod render_command;
pub mod server;
pub mod watch;
mod work;

mod pods;
mod scheduling;
mod telemetry;

pub use options::Options;
