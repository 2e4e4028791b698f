//! The directory a store owns: its layout, its lock, and the file systems it refuses.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use rag_core::index_name::IndexName;

use super::files::remove_tree;
use crate::error::{Fault, OpenStore};

/// File systems whose locks do not hold between machines, by the magic number `statfs` reports.
const REFUSED_FILE_SYSTEMS: [(u64, &str); 4] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
];

/// An owned data directory. The lock is released when this is dropped or the process dies.
pub(super) struct DataDir {
    root: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Creates what is missing, takes the lock, and clears what an earlier process left unfinished.
    pub(super) fn open(root: &Path) -> Result<Self, OpenStore> {
        fs::create_dir_all(root.join("indexes")).map_err(Fault::file("create", root))?;
        refuse_network_file_system(root)?;
        let lock_path = root.join("lock");
        let lock = File::create(&lock_path).map_err(Fault::file("create", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenStore::LockDirectory(root.to_owned())),
            Err(TryLockError::Error(error)) => return Err(Fault::file("lock", &lock_path)(error).into()),
        }
        let directory = Self {
            root: root.to_owned(),
            _lock: lock,
        };
        remove_tree(&directory.staging())?;
        fs::create_dir_all(directory.staging()).map_err(Fault::file("create", directory.staging()))?;
        Ok(directory)
    }

    /// Where the files of an index are.
    pub(super) fn index(&self, name: &IndexName) -> PathBuf {
        self.indexes().join(name.directory_name())
    }

    /// Directories of all indexes.
    pub(super) fn index_directories(&self) -> Result<Vec<PathBuf>, Fault> {
        let indexes = self.indexes();
        let entries = fs::read_dir(&indexes).map_err(Fault::file("list", &indexes))?;
        let paths = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>();
        paths.map_err(Fault::file("list", &indexes))
    }

    /// A path on the same file system that nothing uses yet.
    pub(super) fn new_staging_path(&self) -> PathBuf {
        self.staging().join(uuid::Uuid::new_v4().to_string())
    }

    fn indexes(&self) -> PathBuf {
        self.root.join("indexes")
    }

    fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }
}

#[cfg(target_os = "linux")]
fn refuse_network_file_system(root: &Path) -> Result<(), OpenStore> {
    let status = rustix::fs::statfs(root).map_err(|error| Fault::file("inspect", root)(error.into()))?;
    // The type's width differs between platforms; its low 32 bits are the magic number everywhere.
    let magic = u64::from_ne_bytes((status.f_type as i64).to_ne_bytes()) & 0xFFFF_FFFF;
    match REFUSED_FILE_SYSTEMS.iter().find(|(refused, _)| *refused == magic) {
        Some((_, kind)) => Err(OpenStore::AcceptFileSystem {
            path: root.to_owned(),
            kind,
        }),
        None => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn refuse_network_file_system(_root: &Path) -> Result<(), OpenStore> {
    let _ = REFUSED_FILE_SYSTEMS;
    Ok(())
}
