//! The vector index on disk, to start faster: `<sequence>.faiss` and, written after it, `<sequence>.json` which vouches
//! for it. A checkpoint is never needed: whatever is wrong with it, the vectors are in the database.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use roaring::RoaringTreemap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::DenseIndex;
use super::faiss::FlatVectors;
use crate::docstore::Version;
use crate::error::Fault;

#[derive(Serialize, Deserialize)]
struct Voucher {
    version: Version,
    dimension: usize,
    sha256: String,
}

/// Writes a checkpoint and removes older ones. The caller must be the only writer.
pub(crate) fn write(directory: &Path, index: &DenseIndex, version: &Version) -> Result<(), Fault> {
    fs::create_dir_all(directory).map_err(Fault::file("create", directory))?;
    let vectors = directory.join(format!("{}.faiss", version.sequence));
    let unfinished = directory.join("unfinished");
    index.state.read().vectors.write(&unfinished)?;
    let sha256 = digest(&unfinished)?;
    File::open(&unfinished)
        .and_then(|file| file.sync_all())
        .map_err(Fault::file("sync", &unfinished))?;
    fs::rename(&unfinished, &vectors).map_err(Fault::file("rename", &unfinished))?;
    let voucher = Voucher {
        version: version.clone(),
        dimension: index.dimension,
        sha256,
    };
    crate::embedded::write_file_atomically(&voucher_path(&vectors), &serde_json::to_vec(&voucher)?)?;
    for (sequence, path) in checkpoints(directory) {
        if sequence != version.sequence {
            remove(&path);
        }
    }
    Ok(())
}

/// Reads the newest checkpoint of this epoch, with everything that is not live tombstoned. `None` when there is none
/// that can be trusted.
pub(crate) fn read(directory: &Path, dimension: usize, epoch: &str, live: &RoaringTreemap) -> Option<DenseIndex> {
    let (_, path) = checkpoints(directory)
        .into_iter()
        .max_by_key(|(sequence, _)| *sequence)?;
    match read_one(&path, dimension, epoch) {
        Ok(vectors) => {
            let index = DenseIndex::from_vectors(vectors);
            let mut state = index.state.write();
            state.live &= live;
            state.refresh_mask();
            drop(state);
            Some(index)
        }
        Err(fault) => {
            tracing::warn!(checkpoint.path = %path.display(), %fault, "vector checkpoint cannot be used, rebuilding");
            remove(&path);
            None
        }
    }
}

fn read_one(path: &Path, dimension: usize, epoch: &str) -> Result<FlatVectors, Fault> {
    let voucher_path = voucher_path(path);
    let voucher = fs::read(&voucher_path).map_err(Fault::file("read", &voucher_path))?;
    let voucher: Voucher = serde_json::from_slice(&voucher)?;
    if voucher.version.epoch != epoch || voucher.dimension != dimension {
        return Err(Fault::TrustData("it belongs to another state of the index".to_owned()));
    }
    if digest(path)? != voucher.sha256 {
        return Err(Fault::TrustData("its checksum is wrong".to_owned()));
    }
    FlatVectors::read(path, dimension)
}

fn checkpoints(directory: &Path) -> Vec<(u64, PathBuf)> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let sequence = path.file_stem()?.to_str()?.parse().ok()?;
            (path.extension()? == "faiss").then_some((sequence, path))
        })
        .collect()
}

fn remove(path: &Path) {
    for path in [voucher_path(path), path.to_owned()] {
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(checkpoint.path = %path.display(), %error, "could not remove an old vector checkpoint");
        }
    }
}

fn voucher_path(path: &Path) -> PathBuf {
    path.with_extension("json")
}

fn digest(path: &Path) -> Result<String, Fault> {
    let mut file = File::open(path).map_err(Fault::file("open", path))?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0_u8; 1 << 20];
    loop {
        let length = file.read(&mut buffer).map_err(Fault::file("read", path))?;
        let Some(read) = buffer.get(..length).filter(|read| !read.is_empty()) else {
            break;
        };
        digest.update(read);
    }
    Ok(hex::encode(digest.finalize()))
}
