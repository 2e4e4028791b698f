//! Watching the policy's file.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use super::Guardrails;

/// Changes this close together are one: an editor writes a file in several steps, and so does a kubelet.
const DEBOUNCE: Duration = Duration::from_secs(1);
/// A directory in which something changes all the time is looked at all the same.
const LONGEST_DEBOUNCE: Duration = Duration::from_secs(5);

/// Watches until it is dropped, which also ends its thread.
pub struct Watch {
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches the directory of the policy's file, since a mounted ConfigMap changes by swapping a link beside it.
    /// `None` when there is no file to watch or it cannot be watched, which is logged.
    pub fn start(guardrails: &Arc<Guardrails>) -> Option<Self> {
        guardrails.state()?;
        let path = guardrails.path.as_deref()?;
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        match watch(directory, guardrails) {
            Ok(watcher) => Some(Self { _watcher: watcher }),
            Err(error) => {
                tracing::error!(
                    %error,
                    "output_guardrails_hot_reload_disabled: the policy's directory cannot be watched, restart after a change"
                );
                None
            }
        }
    }
}

fn watch(directory: &Path, guardrails: &Arc<Guardrails>) -> Result<RecommendedWatcher, notify::Error> {
    let (changed, changes) = mpsc::sync_channel(1);
    let mut watcher = notify::recommended_watcher(move |event: Result<Event, notify::Error>| match event {
        Ok(event) if is_change(event.kind) => {
            // A full queue holds a change that has not been looked at: one is as good as many.
            let _ = changed.try_send(());
        }
        Ok(_) => {}
        Err(error) => tracing::error!(%error, "output_guardrails_reloader_terminated: changes may go unseen"),
    })?;
    watcher.watch(directory, RecursiveMode::NonRecursive)?;
    let guardrails = Arc::clone(guardrails);
    std::thread::Builder::new()
        .name("guardrails-reload".to_owned())
        .spawn(move || {
            while settled(&changes) {
                guardrails.reload();
            }
        })
        .map_err(notify::Error::io)?;
    Ok(watcher)
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
