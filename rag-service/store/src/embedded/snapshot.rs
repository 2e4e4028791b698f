//! Snapshots: the documents of one index as a directory that can be copied, kept and restored.
//!
//! A snapshot holds the database and a manifest with its checksum, and nothing derived: vectors are in the database and
//! the rest is built from it faster than it is copied.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use rag_core::index_name::IndexName;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::EmbeddingSpace;
use super::files::sync_directory;
use super::index::{OpenIndex, database};
use super::manifest::Manifest;
use super::persist_root::{PersistRoot, SnapshotPath};
use crate::docstore;
use crate::error::{Fault, StoreError};

const MANIFEST: &str = "snapshot.json";
const DOCUMENTS: &str = "documents.sqlite";

#[derive(Serialize, Deserialize)]
struct SnapshotManifest {
    index: Manifest,
    documents_sha256: String,
}

/// A snapshot directory that was found and whose manifest could be read.
pub(super) struct FoundSnapshot {
    directory: Dir,
    manifest: SnapshotManifest,
}

/// Writes a snapshot, replacing an older one at the same place in one step.
pub(super) fn write(
    index: &OpenIndex,
    root: &PersistRoot,
    target: &SnapshotPath,
    staging: &Path,
) -> Result<(), StoreError> {
    let written = index.back_up_to(staging).map_err(StoreError::from).and_then(|()| {
        let root = root.open()?;
        let (parent, name) = parent_of(&root, target)?;
        refuse_foreign_directory(&parent, &name, target)?;
        let unfinished = PathBuf::from(format!(".{}.unfinished", uuid::Uuid::new_v4()));
        let placed = fill(&parent, &unfinished, index.manifest(), staging)
            .and_then(|()| put_in_place(&parent, &unfinished, &name))
            .map_err(Fault::file("write the snapshot", &target.shown));
        if placed.is_err() {
            // Whatever is left of the attempt is of no use; the first error is the one to report.
            let _ = parent.remove_dir_all(&unfinished);
        }
        Ok(placed?)
    });
    // The copy inside the data directory has served its purpose either way.
    let _ = std::fs::remove_file(staging);
    written
}

/// Finds a snapshot and reads its manifest.
pub(super) fn find(root: &PersistRoot, source: &SnapshotPath) -> Result<FoundSnapshot, StoreError> {
    let directory = match root.open()?.open_dir(&source.relative) {
        Ok(directory) => directory,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::FindSnapshot(source.shown.clone()));
        }
        Err(error) => return Err(escape_or(error, source)),
    };
    let unusable = |reason: String| StoreError::ReadSnapshot {
        path: source.shown.clone(),
        reason,
    };
    let manifest = directory.read(MANIFEST).map_err(|error| {
        unusable(format!(
            "it has no readable {MANIFEST} ({error}); only snapshots written by /persist can be loaded"
        ))
    })?;
    let manifest = serde_json::from_slice(&manifest).map_err(|error| unusable(format!("{MANIFEST}: {error}")))?;
    Ok(FoundSnapshot { directory, manifest })
}

/// Restores a snapshot into a new index directory at `staging`, under a new epoch.
pub(super) fn restore(
    snapshot: &FoundSnapshot,
    source: &SnapshotPath,
    staging: &Path,
    name: &IndexName,
    space: &EmbeddingSpace,
) -> Result<(), StoreError> {
    let unusable = |reason: String| StoreError::ReadSnapshot {
        path: source.shown.clone(),
        reason,
    };
    if let Some(reason) = snapshot.manifest.index.mismatch(space) {
        return Err(unusable(reason));
    }
    std::fs::create_dir_all(staging).map_err(Fault::file("create", staging))?;
    let mut documents = snapshot
        .directory
        .open(DOCUMENTS)
        .map_err(|error| unusable(format!("{DOCUMENTS}: {error}")))?;
    let target = database(staging);
    let mut copy = File::create(&target).map_err(Fault::file("create", &target))?;
    let sha256 = copy_with_digest(&mut documents, &mut copy).map_err(Fault::file("copy to", &target))?;
    copy.sync_all().map_err(Fault::file("sync", &target))?;
    if sha256 != snapshot.manifest.documents_sha256 {
        return Err(unusable(format!(
            "{DOCUMENTS} does not have the checksum that {MANIFEST} gives"
        )));
    }
    docstore::verify_snapshot(&target).map_err(|fault| unusable(fault.to_string()))?;
    docstore::renew_epoch(&target)?;
    Manifest::new(name, space).write(staging)?;
    Ok(sync_directory(staging)?)
}

fn fill(parent: &Dir, unfinished: &Path, index: &Manifest, documents: &Path) -> io::Result<()> {
    parent.create_dir(unfinished)?;
    let directory = parent.open_dir(unfinished)?;
    let mut copy = directory.create(DOCUMENTS)?;
    let documents_sha256 = copy_with_digest(&mut File::open(documents)?, &mut copy)?;
    copy.sync_all()?;
    let manifest = SnapshotManifest {
        index: index.clone(),
        documents_sha256,
    };
    let mut file = directory.create(MANIFEST)?;
    file.write_all(&serde_json::to_vec_pretty(&manifest)?)?;
    file.sync_all()?;
    sync(&directory)
}

fn put_in_place(parent: &Dir, unfinished: &Path, name: &Path) -> io::Result<()> {
    if parent.try_exists(name)? {
        exchange(parent, unfinished, name)?;
        parent.remove_dir_all(unfinished)?;
    } else {
        parent.rename(unfinished, parent, name)?;
    }
    sync(parent)
}

/// The sandbox's own descriptor only names the directory; syncing needs one that is open for reading.
fn sync(directory: &Dir) -> io::Result<()> {
    directory.open(".")?.sync_all()
}

fn exchange(parent: &Dir, unfinished: &Path, name: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        if renameat_with(parent, unfinished, parent, name, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
    }
    let old = PathBuf::from(format!(".{}.replaced", uuid::Uuid::new_v4()));
    parent.rename(name, parent, &old)?;
    parent.rename(unfinished, parent, name)?;
    parent.rename(&old, parent, unfinished)
}

/// The directory a snapshot lies in, and its own name there.
fn parent_of(root: &Dir, target: &SnapshotPath) -> Result<(Dir, PathBuf), StoreError> {
    let name = target
        .relative
        .file_name()
        .map(PathBuf::from)
        .ok_or_else(|| StoreError::ResolvePath {
            path: target.shown.clone(),
            reason: "name a directory inside the persist root".to_owned(),
        })?;
    let parent = match target.relative.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        None => root.try_clone(),
        Some(parent) => root.create_dir_all(parent).and_then(|()| root.open_dir(parent)),
    };
    Ok((parent.map_err(|error| escape_or(error, target))?, name))
}

/// A snapshot may replace a snapshot or an empty directory, and nothing else that somebody keeps there.
fn refuse_foreign_directory(parent: &Dir, name: &Path, target: &SnapshotPath) -> Result<(), StoreError> {
    let refuse = |reason: &str| StoreError::ResolvePath {
        path: target.shown.clone(),
        reason: reason.to_owned(),
    };
    let metadata = match parent.symlink_metadata(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(escape_or(error, target)),
        Ok(metadata) => metadata,
    };
    if !metadata.is_dir() {
        return Err(refuse("it is not a directory"));
    }
    let directory = parent.open_dir(name).map_err(|error| escape_or(error, target))?;
    let is_empty = directory.entries().is_ok_and(|mut entries| entries.next().is_none());
    if is_empty || directory.exists(MANIFEST) {
        return Ok(());
    }
    Err(refuse("it holds something that is not a snapshot; choose another path"))
}

/// The sandbox reports an attempt to leave it as a permission error.
fn escape_or(error: io::Error, target: &SnapshotPath) -> StoreError {
    if error.kind() == io::ErrorKind::PermissionDenied {
        let reason = "it leads out of the persist root".to_owned();
        return StoreError::ResolvePath {
            path: target.shown.clone(),
            reason,
        };
    }
    if matches!(
        error.kind(),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists
    ) {
        let reason = "a part of it is not a directory inside the persist root".to_owned();
        return StoreError::ResolvePath {
            path: target.shown.clone(),
            reason,
        };
    }
    Fault::file("open", &target.relative)(error).into()
}

fn copy_with_digest(source: &mut impl Read, target: &mut impl Write) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0_u8; 1 << 20];
    loop {
        let length = source.read(&mut buffer)?;
        let Some(read) = buffer.get(..length).filter(|read| !read.is_empty()) else {
            break;
        };
        digest.update(read);
        target.write_all(read)?;
    }
    Ok(hex::encode(digest.finalize()))
}
