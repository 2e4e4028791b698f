//! Watching a directory for changes of the files in it.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

/// Changes this close together are one: an editor writes a file in several steps, and so does a kubelet.
const DEBOUNCE: Duration = Duration::from_secs(1);
/// A directory in which something changes all the time is looked at all the same.
const LONGEST_DEBOUNCE: Duration = Duration::from_secs(5);

/// Changes since this was made, not yet looked at.
pub(crate) struct DirectoryChanges {
    watcher: RecommendedWatcher,
    changes: Receiver<()>,
}

/// Watches until it is dropped, which also ends its thread.
pub(crate) struct DirectoryWatch {
    _watcher: RecommendedWatcher,
}

impl DirectoryChanges {
    /// Changes in a directory from now on. Not in the directories within it: a mounted ConfigMap or Secret changes by
    /// swapping a link. `on_error` hears when changes may go unseen.
    pub(crate) fn of(
        directory: &Path,
        on_error: impl Fn(notify::Error) + Send + 'static,
    ) -> Result<Self, notify::Error> {
        let (changed, changes) = mpsc::sync_channel(1);
        let mut watcher = notify::recommended_watcher(move |event: Result<Event, notify::Error>| match event {
            Ok(event) if is_change(event.kind) => {
                // A full queue holds a change that has not been looked at: one is as good as many.
                let _ = changed.try_send(());
            }
            Ok(_) => {}
            Err(error) => on_error(error),
        })?;
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
        Ok(Self { watcher, changes })
    }

    /// Calls this after each change, on a thread of that name, once it has become quiet.
    pub(crate) fn call(
        self,
        thread_name: &str,
        on_change: impl Fn() + Send + 'static,
    ) -> Result<DirectoryWatch, notify::Error> {
        let Self { watcher, changes } = self;
        std::thread::Builder::new()
            .name(thread_name.to_owned())
            .spawn(move || {
                while settled(&changes) {
                    on_change();
                }
            })
            .map_err(notify::Error::io)?;
        Ok(DirectoryWatch { _watcher: watcher })
    }
}

/// Reading the file is an event too, and not a change.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// Waits for a change and for the quiet after it; `false` when nobody watches any more.
fn settled(changes: &Receiver<()>) -> bool {
    if changes.recv().is_err() {
        return false;
    }
    let first = Instant::now();
    while first.elapsed() < LONGEST_DEBOUNCE {
        match changes.recv_timeout(DEBOUNCE) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}
