//! The two indexes derived from the documents, and how they keep up with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use roaring::RoaringTreemap;
use rusqlite::Connection;

use crate::dense::{DenseIndex, checkpoint};
use crate::docstore::{self, Changes, Version};
use crate::error::Fault;
use crate::lexical::{LexicalEntry, LexicalIndex};
use crate::store::{RebuildCause, StoreObserver};

/// Texts handed to tantivy in one commit while catching up.
const CATCH_UP_BATCH: usize = 20_000;

/// The derived indexes of one index. Readers take a reference and search; only the index's writer changes them.
pub(super) struct Derived {
    directory: PathBuf,
    dense: RwLock<Arc<DenseIndex>>,
    lexical: RwLock<Arc<LexicalIndex>>,
    observer: Arc<dyn StoreObserver>,
    /// Set when a change could neither be applied nor repaired.
    is_stale: AtomicBool,
}

impl Derived {
    /// Opens both, brings them up to the documents' state, and rebuilds what cannot be used.
    pub(super) fn open(
        connection: &Connection,
        directory: &Path,
        dimension: usize,
        observer: Arc<dyn StoreObserver>,
    ) -> Result<Self, Fault> {
        let version = docstore::version(connection)?;
        let live = docstore::live_keys(connection)?;
        let dense = match checkpoint::read(&dense_directory(directory), dimension, &version.epoch, &live) {
            Some(dense) => dense,
            None => {
                if !live.is_empty() {
                    observer.dense_rebuilt(RebuildCause::StaleFiles);
                }
                DenseIndex::empty(dimension)?
            }
        };
        catch_up_dense(connection, &dense, &live)?;
        let lexical = match open_lexical(connection, directory, &version, &live) {
            Ok(lexical) => lexical,
            Err(fault) => {
                tracing::warn!(index.path = %directory.display(), %fault, "lexical index cannot be used, rebuilding");
                observer.lexical_rebuilt(RebuildCause::StaleFiles);
                rebuild_lexical(connection, directory)?
            }
        };
        Ok(Self {
            directory: directory.to_owned(),
            dense: RwLock::new(Arc::new(dense)),
            lexical: RwLock::new(Arc::new(lexical)),
            observer,
            is_stale: AtomicBool::new(false),
        })
    }

    pub(super) fn dense(&self) -> Arc<DenseIndex> {
        Arc::clone(&self.dense.read())
    }

    pub(super) fn lexical(&self) -> Arc<LexicalIndex> {
        Arc::clone(&self.lexical.read())
    }

    /// Follows a committed transaction. The documents are safe already, so a failure here is repaired, not reported:
    /// the index concerned is built anew, in memory if the disk is to blame. Should even that fail, the next
    /// transaction starts with another attempt.
    pub(super) fn follow(&self, connection: &Connection, changes: &Changes, version: &Version) -> Result<(), Fault> {
        let followed = if self.is_stale.swap(false, Ordering::Relaxed) {
            self.rebuild_dense(connection)
                .and_then(|()| self.rebuild_lexical(connection))
        } else {
            self.apply(connection, changes, version)
        };
        if followed.is_err() {
            self.is_stale.store(true, Ordering::Relaxed);
        }
        followed
    }

    fn apply(&self, connection: &Connection, changes: &Changes, version: &Version) -> Result<(), Fault> {
        let added = changes.added.iter().map(|node| (node.key, node.vector.as_slice()));
        if let Err(fault) = self.dense().apply(added, &changes.removed) {
            tracing::error!(index.path = %self.directory.display(), %fault, "vector index rejected a change, rebuilding");
            self.rebuild_dense(connection)?;
        }
        let added = changes.added.iter().map(|node| LexicalEntry {
            key: node.key,
            text: &node.text,
            kind: node.kind,
        });
        if let Err(fault) = self.lexical().apply(added, changes.removed.iter().copied(), version) {
            tracing::error!(index.path = %self.directory.display(), %fault, "lexical index rejected a change, rebuilding");
            self.rebuild_lexical(connection)?;
        }
        Ok(())
    }

    fn rebuild_dense(&self, connection: &Connection) -> Result<(), Fault> {
        self.observer.dense_rebuilt(RebuildCause::FailedApply);
        let dense = DenseIndex::empty(self.dense().dimension())?;
        catch_up_dense(connection, &dense, &docstore::live_keys(connection)?)?;
        *self.dense.write() = Arc::new(dense);
        Ok(())
    }

    fn rebuild_lexical(&self, connection: &Connection) -> Result<(), Fault> {
        self.observer.lexical_rebuilt(RebuildCause::FailedApply);
        let lexical = rebuild_lexical(connection, &self.directory).or_else(|fault| {
            tracing::error!(%fault, "lexical index cannot be kept on disk, keeping it in memory");
            let lexical = LexicalIndex::in_memory()?;
            let version = docstore::version(connection)?;
            catch_up_lexical(connection, &lexical, &docstore::live_keys(connection)?, &version)?;
            Ok::<_, Fault>(lexical)
        })?;
        *self.lexical.write() = Arc::new(lexical);
        Ok(())
    }

    /// Drops tombstones when there are many.
    pub(super) fn compact(&self) {
        let dense = self.dense();
        if dense.wants_compaction()
            && let Err(fault) = dense.compact()
        {
            tracing::warn!(index.path = %self.directory.display(), %fault, "vector index could not be compacted");
        }
    }

    /// Saves the vector index; a failure costs time at the next start and nothing else.
    pub(super) fn checkpoint(&self, version: &Version) {
        if let Err(fault) = checkpoint::write(&dense_directory(&self.directory), &self.dense(), version) {
            tracing::warn!(index.path = %self.directory.display(), %fault, "vector checkpoint could not be written");
        }
    }

    /// Waits for what runs in the background.
    pub(super) fn close(&self) {
        self.lexical().close();
    }
}

fn dense_directory(index: &Path) -> PathBuf {
    index.join("dense")
}

fn lexical_directory(index: &Path) -> PathBuf {
    index.join("lexical")
}

fn catch_up_dense(connection: &Connection, dense: &DenseIndex, live: &RoaringTreemap) -> Result<(), Fault> {
    let missing = live - dense.live_keys();
    let mut batch: Vec<(u64, Vec<f32>)> = Vec::new();
    let apply = |batch: &mut Vec<(u64, Vec<f32>)>| {
        let applied = dense.apply(batch.iter().map(|(key, vector)| (*key, vector.as_slice())), &[]);
        batch.clear();
        applied
    };
    docstore::vectors(connection, &missing, |key, vector| {
        batch.push((key, vector));
        if batch.len() >= CATCH_UP_BATCH {
            apply(&mut batch)
        } else {
            Ok(())
        }
    })?;
    apply(&mut batch)
}

fn open_lexical(
    connection: &Connection,
    directory: &Path,
    version: &Version,
    live: &RoaringTreemap,
) -> Result<LexicalIndex, Fault> {
    let lexical = LexicalIndex::open(&lexical_directory(directory))?;
    match lexical.version()? {
        Some(present) if present == *version => return Ok(lexical),
        Some(present) if present.epoch != version.epoch => {
            return Err(Fault::TrustData("it belongs to another state of the index".to_owned()));
        }
        _ => {}
    }
    catch_up_lexical(connection, &lexical, live, version)?;
    Ok(lexical)
}

fn rebuild_lexical(connection: &Connection, directory: &Path) -> Result<LexicalIndex, Fault> {
    let lexical_directory = lexical_directory(directory);
    super::files::remove_tree(&lexical_directory)?;
    let lexical = LexicalIndex::open(&lexical_directory)?;
    let version = docstore::version(connection)?;
    catch_up_lexical(connection, &lexical, &docstore::live_keys(connection)?, &version)?;
    Ok(lexical)
}

fn catch_up_lexical(
    connection: &Connection,
    lexical: &LexicalIndex,
    live: &RoaringTreemap,
    version: &Version,
) -> Result<(), Fault> {
    // The batches before the last carry a version that no state of the documents has, so that an interruption between
    // two of them is noticed at the next start.
    let unfinished = Version {
        epoch: version.epoch.clone(),
        sequence: u64::MAX,
    };
    let present = lexical.live_keys()?;
    let removed: Vec<u64> = (&present - live).into_iter().collect();
    lexical.apply([], removed, &unfinished)?;
    let mut batch = Vec::new();
    let apply = |batch: &mut Vec<_>| {
        let entries = batch.iter().map(|(key, text, kind): &(u64, String, _)| LexicalEntry {
            key: *key,
            text,
            kind: *kind,
        });
        let applied = lexical.apply(entries, [], &unfinished);
        batch.clear();
        applied
    };
    docstore::searched_texts(connection, &(live - &present), |key, text, kind| {
        batch.push((key, text.to_owned(), kind));
        if batch.len() >= CATCH_UP_BATCH {
            apply(&mut batch)
        } else {
            Ok(())
        }
    })?;
    apply(&mut batch)?;
    lexical.apply([], [], version)
}
