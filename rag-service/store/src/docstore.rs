//! The document database of one index: SQLite, the only truth.
//!
//! Keys of nodes grow with every node ever added and are never used again, and the vector under a key never changes.
//! So the set of live keys says everything a derived index needs to catch up with: what it lacks is added, what it has
//! too much is removed. That is why there is no change log here.

mod filtered;
mod pool;
mod read;
mod schema;
mod write;

pub(crate) use filtered::{matching_documents, matching_keys};
pub(crate) use pool::ReaderPool;
pub(crate) use read::{
    Version, count_nodes, existing_texts, list_documents, list_nodes, live_keys, nodes_by_key, searched_texts,
    update_outcomes, vectors, version,
};
pub(crate) use schema::{backup_to, open_reader, open_writer, renew_epoch, verify_snapshot};
pub(crate) use write::{Changes, delete, insert, next_sequence, update};
