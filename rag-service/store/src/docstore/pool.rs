//! A few read-only connections shared by all readers of one index.
//!
//! Written here because the usual pool crates keep a thread a pool, and there is a pool for every open index.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use super::schema::open_reader;
use crate::error::Fault;

/// Readers at one time; more wait their turn.
const MAX_CONNECTIONS: usize = 4;

/// Connections are opened on demand, up to [`MAX_CONNECTIONS`], and reused.
pub(crate) struct ReaderPool {
    path: PathBuf,
    state: Mutex<PoolState>,
    returned: Condvar,
}

#[derive(Default)]
struct PoolState {
    idle: Vec<Connection>,
    open: usize,
}

/// A borrowed connection; goes back to the pool when dropped.
pub(crate) struct Reader<'pool> {
    connection: Option<Connection>,
    pool: &'pool ReaderPool,
}

impl ReaderPool {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            state: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Waits for a connection. Blocks the thread, so call it from a blocking one.
    pub(crate) fn reader(&self) -> Result<Reader<'_>, Fault> {
        let mut state = self.state.lock();
        while state.idle.is_empty() && state.open >= MAX_CONNECTIONS {
            self.returned.wait(&mut state);
        }
        if let Some(connection) = state.idle.pop() {
            return Ok(Reader {
                connection: Some(connection),
                pool: self,
            });
        }
        state.open += 1;
        drop(state);
        match open_reader(&self.path) {
            Ok(connection) => Ok(Reader {
                connection: Some(connection),
                pool: self,
            }),
            Err(fault) => {
                self.state.lock().open -= 1;
                self.returned.notify_one();
                Err(fault)
            }
        }
    }
}

impl Deref for Reader<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("the connection leaves only when the reader is dropped")
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.state.lock().idle.push(connection);
            self.pool.returned.notify_one();
        }
    }
}
