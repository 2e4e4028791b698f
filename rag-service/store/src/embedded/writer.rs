//! The one writer of an index: a thread that takes writes from a bounded queue and commits those that wait together.
//!
//! One transaction and one sync serve a whole group; each write in it succeeds or fails on its own. A write is answered
//! when it is durable and searchable.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use rag_core::document::DocumentId;
use rag_core::index_name::IndexName;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::derived::Derived;
use crate::docstore::{self, Changes, Version};
use crate::error::{Fault, StoreError};
use crate::store::{IndexedDocument, InsertOutcome, UpdateOutcome};

/// Writes committed together at the most.
const MAX_GROUP: usize = 64;
/// A new vector checkpoint is written when this many nodes changed since the last one, and at least an eighth of all.
const MIN_CHANGES_FOR_CHECKPOINT: u64 = 2048;

/// Handle to the writer thread of one index.
pub(super) struct Writer {
    name: IndexName,
    queue: Mutex<Option<SyncSender<Box<dyn Write>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A write waiting for its group, with the place its answer goes to.
trait Write: Send {
    /// Does the work inside the group's transaction and keeps the outcome.
    fn run(&mut self, connection: &Connection, changes: &mut Changes) -> Result<(), Fault>;
    /// Keeps a failure of this write alone as its outcome.
    fn fail(&mut self, fault: Fault);
    /// Answers with the outcome, or with the failure of the whole group.
    fn answer(self: Box<Self>, group: Result<(), StoreError>);
}

struct Pending<W, T> {
    work: Option<W>,
    outcome: Result<T, StoreError>,
    sender: oneshot::Sender<Result<T, StoreError>>,
}

impl<W, T> Write for Pending<W, T>
where
    W: FnOnce(&Connection, &mut Changes) -> Result<T, Fault> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection, changes: &mut Changes) -> Result<(), Fault> {
        let Some(work) = self.work.take() else { return Ok(()) };
        self.outcome = Ok(work(connection, changes)?);
        Ok(())
    }

    fn fail(&mut self, fault: Fault) {
        self.outcome = Err(fault.into());
    }

    fn answer(self: Box<Self>, group: Result<(), StoreError>) {
        // A caller who left needs no answer.
        let _ = self.sender.send(group.and(self.outcome));
    }
}

impl Writer {
    /// Starts the thread. It owns the connection until [`Self::stop`].
    pub(super) fn start(
        name: IndexName,
        connection: Connection,
        derived: Arc<Derived>,
        queue: usize,
    ) -> Result<Self, Fault> {
        let (sender, receiver) = sync_channel(queue);
        let span = tracing::info_span!("writer", index.name = %name);
        let thread = std::thread::Builder::new()
            .name("index-writer".to_owned())
            .spawn(move || span.in_scope(|| run(connection, &derived, &receiver)))
            .map_err(Fault::file("start the writer of", name.as_str()))?;
        Ok(Self {
            name,
            queue: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(super) async fn insert(&self, documents: Vec<IndexedDocument>) -> Result<Vec<InsertOutcome>, StoreError> {
        self.send(|connection, changes| {
            documents
                .into_iter()
                .map(|document| docstore::insert(connection, document, changes))
                .collect()
        })
        .await
    }

    pub(super) async fn update(&self, documents: Vec<IndexedDocument>) -> Result<Vec<UpdateOutcome>, StoreError> {
        self.send(|connection, changes| {
            documents
                .into_iter()
                .map(|document| docstore::update(connection, document, changes))
                .collect()
        })
        .await
    }

    pub(super) async fn delete(&self, ids: Vec<DocumentId>) -> Result<Vec<bool>, StoreError> {
        self.send(move |connection, changes| ids.iter().map(|id| docstore::delete(connection, id, changes)).collect())
            .await
    }

    /// Answers what is queued, saves a checkpoint, and ends the thread. Later writes find no index.
    pub(super) fn stop(&self) {
        drop(self.queue.lock().take());
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(index.name = %self.name, "the writer thread panicked");
        }
    }

    async fn send<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &mut Changes) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let write = Pending {
            work: Some(work),
            outcome: Err(Fault::Stopped.into()),
            sender,
        };
        {
            let queue = self.queue.lock();
            let queue = queue.as_ref().ok_or_else(|| StoreError::FindIndex(self.name.clone()))?;
            queue.try_send(Box::new(write)).map_err(|error| match error {
                TrySendError::Full(_) => StoreError::EnqueueWrite(self.name.clone()),
                TrySendError::Disconnected(_) => Fault::Stopped.into(),
            })?;
        }
        receiver.await.unwrap_or_else(|_| Err(Fault::Stopped.into()))
    }
}

fn run(mut connection: Connection, derived: &Derived, queue: &Receiver<Box<dyn Write>>) {
    let mut changed_since_checkpoint: u64 = 0;
    while let Ok(first) = queue.recv() {
        let mut group: Vec<Box<dyn Write>> = std::iter::once(first)
            .chain(queue.try_iter().take(MAX_GROUP - 1))
            .collect();
        let outcome = write_group(&mut connection, derived, &mut group).map_err(|fault| {
            tracing::error!(%fault, cause = ?std::error::Error::source(&fault), "writing documents failed");
            StoreError::from(fault)
        });
        for write in group {
            write.answer(outcome.clone().map(|_| ()));
        }
        let Ok(Some((version, changed))) = outcome else {
            continue;
        };
        derived.compact();
        changed_since_checkpoint += changed;
        if changed_since_checkpoint >= MIN_CHANGES_FOR_CHECKPOINT.max(derived.dense().len() / 8) {
            derived.checkpoint(&version);
            changed_since_checkpoint = 0;
        }
    }
    if changed_since_checkpoint > 0 {
        match docstore::version(&connection) {
            Ok(version) => derived.checkpoint(&version),
            Err(fault) => tracing::warn!(%fault, "vector checkpoint could not be written"),
        }
    }
    derived.close();
}

/// Commits a group and lets the derived indexes follow. Yields the new version and the number of changed nodes, unless
/// no document changed.
fn write_group(
    connection: &mut Connection,
    derived: &Derived,
    group: &mut [Box<dyn Write>],
) -> Result<Option<(Version, u64)>, Fault> {
    let Some((version, changes)) = commit_group(connection, group)? else {
        return Ok(None);
    };
    derived.follow(connection, &changes, &version)?;
    Ok(Some((version, (changes.added.len() + changes.removed.len()) as u64)))
}

fn commit_group(
    connection: &mut Connection,
    group: &mut [Box<dyn Write>],
) -> Result<Option<(Version, Changes)>, Fault> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let changes_before = transaction.total_changes();
    let mut changes = Changes::default();
    for write in group {
        // Each write has a savepoint: one that fails is undone alone.
        let savepoint = transaction.savepoint()?;
        let mut own = Changes::default();
        match write.run(&savepoint, &mut own) {
            Ok(()) => {
                savepoint.commit()?;
                changes.absorb(own);
            }
            Err(fault) => {
                tracing::error!(%fault, cause = ?std::error::Error::source(&fault), "a write failed and was undone");
                write.fail(fault);
            }
        }
    }
    if transaction.total_changes() == changes_before {
        return Ok(None);
    }
    docstore::next_sequence(&transaction)?;
    let version = docstore::version(&transaction)?;
    transaction.commit()?;
    Ok(Some((version, changes)))
}
