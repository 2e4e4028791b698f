//! Files of Secret and ConfigMap volumes, laid out and replaced as a kubelet does: each name is a link into `..data`,
//! which is a link to a directory that never changes. A reader sees all old files or all new ones.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use k8s_openapi::api::core::v1::KeyToPath;

use super::objects::{Complaint, Data};

const CURRENT: &str = "..data";

/// Relative paths and contents.
pub(super) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// The files for all keys, or for those of `items`.
///
/// # Errors
/// When a key is missing that is not optional, or a path leads out of the volume.
pub(super) fn files(data: &Data, items: Option<&[KeyToPath]>, optional: bool) -> Result<Files, Complaint> {
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        return Ok(data.iter().map(|(key, value)| (key.into(), value.clone())).collect());
    };
    let mut files = Files::new();
    for KeyToPath { key, path, .. } in items {
        let path = PathBuf::from(path);
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(format!("invalid path {path:?}"));
        }
        match data.get(key) {
            Some(value) => drop(files.insert(path, value.clone())),
            None if optional => {}
            None => return Err(format!("references non-existent config key: {key}")),
        }
    }
    Ok(files)
}

/// Makes the files those of a volume, if they are not yet.
pub(super) fn write(volume: &Path, files: &Files) -> io::Result<()> {
    fs::create_dir_all(volume)?;
    let old = fs::read_link(volume.join(CURRENT)).ok();
    if let Some(old) = &old
        && read(&volume.join(old))? == *files
    {
        return Ok(());
    }
    let new = format!("..{}", rand::random::<u64>());
    for (path, content) in files {
        let path = volume.join(&new).join(path);
        fs::create_dir_all(path.parent().unwrap_or(volume))?;
        fs::write(path, content)?;
    }
    fs::create_dir_all(volume.join(&new))?;
    let next = volume.join("..data_tmp");
    symlink(&new, &next)?;
    fs::rename(next, volume.join(CURRENT))?;
    link_names(volume, files)?;
    if let Some(old) = old {
        fs::remove_dir_all(volume.join(old))?;
    }
    Ok(())
}

/// Links the first part of each path, and removes the links that lead nowhere now.
fn link_names(volume: &Path, files: &Files) -> io::Result<()> {
    let names = files.keys().filter_map(|path| path.iter().next());
    for name in names {
        let link = volume.join(name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new(CURRENT).join(name), link)?;
        }
    }
    for entry in fs::read_dir(volume)? {
        let path = entry?.path();
        if !path.exists() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn read(directory: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(below) = pending.pop() {
        for entry in fs::read_dir(directory.join(&below))? {
            let entry = entry?;
            let name: OsString = entry.file_name();
            let path = below.join(name);
            if entry.file_type()?.is_dir() {
                pending.push(path);
            } else {
                let content = fs::read(entry.path())?;
                files.insert(path, content);
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files_of(entries: &[(&str, &str)]) -> Files {
        let owned = entries
            .iter()
            .map(|(path, content)| (path.into(), content.as_bytes().to_vec()));
        owned.collect()
    }

    #[test]
    fn files_are_replaced_all_at_once_and_old_names_go() {
        let directory = tempfile::tempdir().unwrap();
        let volume = directory.path();
        write(volume, &files_of(&[("a", "1"), ("deep/b", "2")])).unwrap();
        assert_eq!(fs::read_to_string(volume.join("a")).unwrap(), "1");
        assert_eq!(fs::read_to_string(volume.join("deep/b")).unwrap(), "2");
        let first = fs::read_link(volume.join(CURRENT)).unwrap();
        write(volume, &files_of(&[("a", "1"), ("deep/b", "2")])).unwrap();
        assert_eq!(
            fs::read_link(volume.join(CURRENT)).unwrap(),
            first,
            "nothing has changed"
        );
        write(volume, &files_of(&[("a", "3")])).unwrap();
        assert_eq!(fs::read_to_string(volume.join("a")).unwrap(), "3");
        assert!(fs::symlink_metadata(volume.join("deep")).is_err());
        assert!(!volume.join(first).exists());
    }

    #[test]
    fn items_choose_keys_and_name_their_files() {
        let data = Data::from([("key".to_owned(), b"value".to_vec()), ("other".to_owned(), Vec::new())]);
        let item = |key: &str, path: &str| KeyToPath {
            key: key.to_owned(),
            path: path.to_owned(),
            mode: None,
        };
        let chosen = files(&data, Some(&[item("key", "deep/file")]), false);
        assert_eq!(chosen, Ok(files_of(&[("deep/file", "value")])));
        let missing = files(&data, Some(&[item("no", "file")]), false);
        assert_eq!(missing, Err("references non-existent config key: no".to_owned()));
        assert_eq!(files(&data, Some(&[item("no", "file")]), true), Ok(Files::new()));
        assert!(files(&data, Some(&[item("key", "../file")]), false).is_err());
    }
}
