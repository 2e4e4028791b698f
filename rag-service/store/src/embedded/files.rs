//! Files that are either there in full or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::error::Fault;

/// Writes a file so that a crash leaves the old content or the new one: temporary name, sync, rename, sync of the
/// directory.
pub(crate) fn write_file_atomically(path: &Path, content: &[u8]) -> Result<(), Fault> {
    let unfinished = path.with_extension("unfinished");
    let mut file = File::create(&unfinished).map_err(Fault::file("create", &unfinished))?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(Fault::file("write", &unfinished))?;
    fs::rename(&unfinished, path).map_err(Fault::file("rename", &unfinished))?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Makes renames and new names in a directory survive a power cut.
pub(super) fn sync_directory(path: &Path) -> Result<(), Fault> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(Fault::file("sync", path))
}

/// Deletes a directory tree; one that is not there is fine.
pub(super) fn remove_tree(path: &Path) -> Result<(), Fault> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Fault::file("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Puts `new` where `current` is and moves what was there to `replaced`; in one step where the system can do that, so
/// that a crash leaves one or the other in place.
pub(super) fn exchange(new: &Path, current: &Path, replaced: &Path) -> Result<(), Fault> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, new, CWD, current, RenameFlags::EXCHANGE).is_ok() {
            return fs::rename(new, replaced).map_err(Fault::file("rename", new));
        }
    }
    fs::rename(current, replaced).map_err(Fault::file("rename", current))?;
    fs::rename(new, current).map_err(Fault::file("rename", new))
}
