//! All indexes of a data directory: which exist, which are open.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use rag_core::index_name::IndexName;

use super::data_dir::DataDir;
use super::files::remove_tree;
use super::index::{self, OpenIndex, OpenOptions};
use super::manifest::Manifest;
use super::persist_root::PersistRoot;
use super::{EmbeddedStoreSettings, snapshot};
use crate::error::{Fault, OpenStore, StoreError};
use crate::store::{IndexState, LoadRequest, StoreObserver, Totals};

/// The indexes of one data directory.
pub(super) struct Registry {
    settings: EmbeddedStoreSettings,
    options: OpenOptions,
    data_dir: DataDir,
    persist_root: PersistRoot,
    /// Guards the map only; no file is touched under it.
    slots: RwLock<HashMap<IndexName, Arc<Slot>>>,
    clock: AtomicU64,
}

struct Slot {
    name: IndexName,
    directory: PathBuf,
    created_at_unix_ms: AtomicU64,
    last_used: AtomicU64,
    /// Nodes at the last count, while it is closed.
    nodes: Mutex<Option<u64>>,
    state: Mutex<SlotState>,
}

enum SlotState {
    /// On disk, not open.
    Closed,
    /// Being served.
    Open(Arc<OpenIndex>),
    /// On disk, and why it cannot be opened.
    Unavailable(String),
    /// Not on disk: not yet, or no more.
    Absent,
}

impl Registry {
    pub(super) fn open(settings: EmbeddedStoreSettings, observer: Arc<dyn StoreObserver>) -> Result<Self, OpenStore> {
        let data_dir = DataDir::open(&settings.data_dir)?;
        let persist_root = PersistRoot::prepare(&settings.persist_root)?;
        let options = OpenOptions {
            space: settings.space.clone(),
            write_queue: settings.write_queue,
            observer,
        };
        let registry = Self {
            settings,
            options,
            data_dir,
            persist_root,
            slots: RwLock::default(),
            clock: AtomicU64::new(0),
        };
        registry.discover()?;
        registry.open_in_parallel();
        Ok(registry)
    }

    /// Names in the order the indexes were made.
    pub(super) fn names(&self) -> Vec<IndexName> {
        let slots = self.slots.read();
        let mut found: Vec<(u64, &IndexName)> = slots
            .values()
            .map(|slot| (slot.created_at_unix_ms.load(Ordering::Relaxed), &slot.name))
            .filter(|(created, _)| *created > 0)
            .collect();
        found.sort();
        found.into_iter().map(|(_, name)| name.clone()).collect()
    }

    pub(super) fn contains(&self, name: &IndexName) -> bool {
        self.slots
            .read()
            .get(name)
            .is_some_and(|slot| slot.created_at_unix_ms.load(Ordering::Relaxed) > 0)
    }

    pub(super) fn states(&self) -> Vec<(IndexName, IndexState)> {
        let slots: Vec<Arc<Slot>> = self.slots.read().values().cloned().collect();
        // A slot that is busy is being opened or replaced; whoever asks how things are does not wait for it.
        let state = |slot: &Slot| match slot.state.try_lock().as_deref() {
            Some(SlotState::Unavailable(reason)) => Some(IndexState::Unavailable(reason.clone())),
            Some(SlotState::Closed | SlotState::Open(_)) | None => Some(IndexState::Available),
            Some(SlotState::Absent) => None,
        };
        slots
            .iter()
            .filter_map(|slot| Some((slot.name.clone(), state(slot)?)))
            .collect()
    }

    /// How much is stored. Blocks, but not for an index that is being opened or replaced: that one's last count counts.
    pub(super) fn totals(&self) -> Totals {
        let slots: Vec<Arc<Slot>> = self.slots.read().values().cloned().collect();
        let made = slots
            .iter()
            .filter(|slot| slot.created_at_unix_ms.load(Ordering::Relaxed) > 0);
        made.fold(Totals::default(), |totals, slot| Totals {
            indexes: totals.indexes + 1,
            nodes: totals.nodes + slot.node_count(),
        })
    }

    /// The open index of this name, opening it if need be. Blocks.
    pub(super) fn index(&self, name: &IndexName) -> Result<Arc<OpenIndex>, StoreError> {
        let slot = self.slot(name)?;
        self.open_slot(&slot)
    }

    /// The open index of this name, made if there is none. Blocks.
    pub(super) fn index_or_create(&self, name: &IndexName) -> Result<Arc<OpenIndex>, StoreError> {
        let slot = self.slot_or_new(name);
        {
            let mut state = slot.state.lock();
            if matches!(*state, SlotState::Absent) {
                let staging = self.data_dir.new_staging_path();
                index::create(&slot.directory, &staging, name, &self.settings.space)?;
                slot.describe()?;
                *state = SlotState::Closed;
            }
        }
        self.open_slot(&slot)
    }

    /// Deletes an index. Searches that are under way finish on the files they have open.
    pub(super) fn delete(&self, name: &IndexName) -> Result<(), StoreError> {
        let slot = self.slot(name)?;
        let discarded = self.data_dir.new_staging_path();
        {
            let mut state = slot.state.lock();
            match std::mem::replace(&mut *state, SlotState::Absent) {
                SlotState::Absent => return Err(StoreError::FindIndex(name.clone())),
                SlotState::Open(index) => index.close(),
                SlotState::Closed | SlotState::Unavailable(_) => {}
            }
            std::fs::rename(&slot.directory, &discarded).map_err(Fault::file("delete", &slot.directory))?;
            slot.created_at_unix_ms.store(0, Ordering::Relaxed);
            let mut slots = self.slots.write();
            // The map and this call hold it; a third holder is about to make the index anew and needs it to stay.
            if Arc::strong_count(&slot) <= 2 {
                slots.remove(name);
            }
        }
        if let Some(parent) = slot.directory.parent() {
            super::files::sync_directory(parent)?;
        }
        Ok(remove_tree(&discarded)?)
    }

    pub(super) fn persist(&self, name: &IndexName, path: Option<&str>) -> Result<String, StoreError> {
        let target = self.persist_root.resolve(path, name)?;
        let index = self.index(name)?;
        let staging = self.data_dir.new_staging_path();
        snapshot::write(&index, &self.persist_root, &target, &staging)?;
        Ok(target.shown)
    }

    pub(super) fn load(&self, name: &IndexName, request: &LoadRequest) -> Result<String, StoreError> {
        let source = self.persist_root.resolve(request.path.as_deref(), name)?;
        let snapshot = snapshot::find(&self.persist_root, &source)?;
        if !request.overwrite && self.contains(name) {
            return Err(StoreError::CreateIndex(name.clone()));
        }
        let staging = self.data_dir.new_staging_path();
        let restored = snapshot::restore(&snapshot, &source, &staging, name, &self.settings.space);
        if let Err(error) = restored {
            remove_tree(&staging)?;
            return Err(error);
        }
        self.put_in_place(name, &staging, request.overwrite)?;
        Ok(source.shown)
    }

    /// Closes every index. Nothing is served afterwards.
    pub(super) fn close(&self) {
        let slots: Vec<Arc<Slot>> = self.slots.write().drain().map(|(_, slot)| slot).collect();
        for_each_in_parallel(&slots, |slot| {
            if let SlotState::Open(index) = std::mem::replace(&mut *slot.state.lock(), SlotState::Absent) {
                index.close();
            }
        });
    }

    fn put_in_place(&self, name: &IndexName, staging: &std::path::Path, overwrite: bool) -> Result<(), StoreError> {
        let slot = self.slot_or_new(name);
        let mut state = slot.state.lock();
        if !matches!(*state, SlotState::Absent) {
            if !overwrite {
                remove_tree(staging)?;
                return Err(StoreError::CreateIndex(name.clone()));
            }
            if let SlotState::Open(index) = std::mem::replace(&mut *state, SlotState::Closed) {
                index.close();
            }
            let replaced = self.data_dir.new_staging_path();
            // Between the two renames a crash leaves the old index in staging, which the next start empties; the
            // exchange is one step where the system has it.
            super::files::exchange(staging, &slot.directory, &replaced)?;
            remove_tree(&replaced)?;
        } else {
            std::fs::rename(staging, &slot.directory).map_err(Fault::file("rename", staging))?;
        }
        if let Some(parent) = slot.directory.parent() {
            super::files::sync_directory(parent)?;
        }
        slot.describe()?;
        *state = SlotState::Closed;
        drop(state);
        self.open_slot(&slot).map(drop)
    }

    fn slot(&self, name: &IndexName) -> Result<Arc<Slot>, StoreError> {
        let slot = self.slots.read().get(name).cloned();
        slot.ok_or_else(|| StoreError::FindIndex(name.clone()))
    }

    fn slot_or_new(&self, name: &IndexName) -> Arc<Slot> {
        if let Some(slot) = self.slots.read().get(name) {
            return Arc::clone(slot);
        }
        let new = || Arc::new(Slot::absent(name.clone(), self.data_dir.index(name)));
        Arc::clone(self.slots.write().entry(name.clone()).or_insert_with(new))
    }

    fn open_slot(&self, slot: &Slot) -> Result<Arc<OpenIndex>, StoreError> {
        slot.last_used
            .store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        let opened = {
            let mut state = slot.state.lock();
            match &*state {
                SlotState::Open(index) => return Ok(Arc::clone(index)),
                SlotState::Absent => return Err(StoreError::FindIndex(slot.name.clone())),
                SlotState::Unavailable(reason) => {
                    return Err(StoreError::OpenIndex {
                        name: slot.name.clone(),
                        reason: reason.clone(),
                    });
                }
                SlotState::Closed => {}
            }
            match OpenIndex::open(&slot.directory, self.options.clone()) {
                Ok(index) => {
                    *slot.nodes.lock() = None;
                    let index = Arc::new(index);
                    *state = SlotState::Open(Arc::clone(&index));
                    index
                }
                Err(reason) => {
                    tracing::error!(index.name = %slot.name, %reason, "index cannot be opened");
                    *state = SlotState::Unavailable(reason.clone());
                    return Err(StoreError::OpenIndex {
                        name: slot.name.clone(),
                        reason,
                    });
                }
            }
        };
        self.close_idle();
        Ok(opened)
    }

    /// Closes the least recently used indexes that nobody is using, while too many are open.
    fn close_idle(&self) {
        let mut open: Vec<Arc<Slot>> = {
            let slots = self.slots.read();
            if slots.len() <= self.settings.max_open_indexes {
                return;
            }
            slots.values().cloned().collect()
        };
        open.retain(|slot| {
            slot.state
                .try_lock()
                .is_some_and(|state| matches!(*state, SlotState::Open(_)))
        });
        open.sort_by_key(|slot| slot.last_used.load(Ordering::Relaxed));
        let excess = open.len().saturating_sub(self.settings.max_open_indexes);
        for slot in open.iter().take(excess) {
            let Some(mut state) = slot.state.try_lock() else {
                continue;
            };
            if let SlotState::Open(index) = &mut *state
                && Arc::get_mut(index).is_some()
            {
                index.close();
                *state = SlotState::Closed;
            }
        }
    }

    fn discover(&self) -> Result<(), Fault> {
        let mut slots = self.slots.write();
        for directory in self.data_dir.index_directories()? {
            let name = Manifest::read(&directory).map(|manifest| IndexName::try_from(manifest.name.as_str()));
            let Ok(Ok(name)) = name else {
                tracing::error!(index.path = %directory.display(), "directory has no readable index.json, leaving it alone");
                continue;
            };
            let slot = Slot::absent(name.clone(), directory);
            slot.describe()?;
            *slot.state.lock() = SlotState::Closed;
            slots.insert(name, Arc::new(slot));
        }
        Ok(())
    }

    fn open_in_parallel(&self) {
        let mut slots: Vec<Arc<Slot>> = self.slots.read().values().cloned().collect();
        slots.sort_by(|left, right| left.name.cmp(&right.name));
        slots.truncate(self.settings.max_open_indexes);
        for_each_in_parallel(&slots, |slot| {
            // The slot keeps the reason, and whoever asks for the index is told.
            let _ = self.open_slot(slot);
        });
    }
}

impl Slot {
    /// Number of nodes. An index that is closed is counted once, since nobody changes it.
    fn node_count(&self) -> u64 {
        let mut last = self.nodes.lock();
        let count = match self.state.try_lock().as_deref() {
            Some(SlotState::Open(index)) => Some(index.node_count()),
            Some(SlotState::Absent) => None,
            Some(SlotState::Closed | SlotState::Unavailable(_)) => {
                last.or_else(|| index::count_nodes(&self.directory).ok())
            }
            None => *last,
        };
        *last = count;
        count.unwrap_or_default()
    }

    fn absent(name: IndexName, directory: PathBuf) -> Self {
        Self {
            name,
            directory,
            created_at_unix_ms: AtomicU64::new(0),
            last_used: AtomicU64::new(0),
            nodes: Mutex::new(None),
            state: Mutex::new(SlotState::Absent),
        }
    }

    /// Takes over what the manifest says; from here on the slot is listed.
    fn describe(&self) -> Result<(), Fault> {
        let created = Manifest::read(&self.directory)?.created_at_unix_ms;
        self.created_at_unix_ms.store(created.max(1), Ordering::Relaxed);
        Ok(())
    }
}

fn for_each_in_parallel(slots: &[Arc<Slot>], work: impl Fn(&Slot) + Sync) {
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(slots.len()) {
            scope.spawn(|| {
                while let Some(slot) = usize::try_from(next.fetch_add(1, Ordering::Relaxed))
                    .ok()
                    .and_then(|place| slots.get(place))
                {
                    work(slot);
                }
            });
        }
    });
}
