//! What every controller here is made of: watches that keep caches, a queue of objects that have to be looked at,
//! reconciles with back-off, revisions, finalizers, and statuses that are written only when they say something new.

mod contents;
mod finalizer;
mod mark;
mod publish;
mod queue;
mod reconciles;
mod revision;
mod scope;
mod slim;
mod watchers;

pub(crate) use contents::{Contents, InputProblem, ReadError, Version, config_map_digest};
pub(crate) use finalizer::let_go;
pub(crate) use mark::{Marks, mark};
pub(crate) use publish::{Publisher, Reported};
pub(crate) use queue::{Concerned, Trigger, itself, owner, trigger};
pub(crate) use reconciles::{ReconcileError, Reconciler, Reconciles};
pub(crate) use revision::{Recorded, Revision, ensure as ensure_revision};
pub(crate) use scope::Scope;
pub(crate) use slim::{metadata_alone, slim_node};
pub(crate) use watchers::{Optional, Watchers, empty};
