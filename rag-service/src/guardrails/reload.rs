//! Watching the policy's file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify_debouncer_mini::notify::{self, RecursiveMode};
use notify_debouncer_mini::{DebounceEventResult, Debouncer, new_debouncer};

use super::Guardrails;

/// Changes this close together are one: an editor writes a file in several steps, and so does a kubelet.
const DEBOUNCE: Duration = Duration::from_secs(1);

/// Watches until it is dropped.
pub struct Watch {
    _debouncer: Debouncer<notify::RecommendedWatcher>,
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
            Ok(watch) => Some(watch),
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

fn watch(directory: &Path, guardrails: &Arc<Guardrails>) -> Result<Watch, notify::Error> {
    let guardrails = Arc::clone(guardrails);
    let mut debouncer = new_debouncer(DEBOUNCE, move |events: DebounceEventResult| match events {
        Ok(_) => guardrails.reload(),
        Err(error) => tracing::error!(%error, "output_guardrails_reloader_terminated: changes may go unseen"),
    })?;
    debouncer.watcher().watch(directory, RecursiveMode::NonRecursive)?;
    Ok(Watch { _debouncer: debouncer })
}
