//! Watching the policy's file.

use std::path::Path;
use std::sync::Arc;

use super::Guardrails;
use crate::directory_watch::{DirectoryChanges, DirectoryWatch};

/// Watches the directory of the policy's file, since a mounted ConfigMap changes by swapping a link beside it, for as
/// long as the returned value lives. `None` when there is no file to watch or it cannot be watched, which is logged.
pub(crate) fn watch(guardrails: &Arc<Guardrails>) -> Option<DirectoryWatch> {
    guardrails.state()?;
    let path = guardrails.path.as_deref()?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let changes = DirectoryChanges::of(directory, |error| {
        tracing::error!(%error, "output_guardrails_reloader_terminated: changes may go unseen");
    });
    let watched = changes.and_then(|changes| {
        let guardrails = Arc::clone(guardrails);
        changes.call("guardrails-reload", move || guardrails.reload())
    });
    watched
        .inspect_err(|error| {
            tracing::error!(
                %error,
                "output_guardrails_hot_reload_disabled: the policy's directory cannot be watched, restart after a change"
            );
        })
        .ok()
}
