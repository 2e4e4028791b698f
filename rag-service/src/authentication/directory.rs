//! Reading a directory of API keys: one a file, as a mounted Secret is laid out.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::LoadKeys;
use super::key::{CallerName, CheckKey, KeyDigest, MOST_CHARACTERS, ReadCallerName};

const MOST_FILES: usize = 1000;
/// A key and the end of its line.
const MOST_BYTES: u64 = MOST_CHARACTERS as u64 + 2;

/// What a directory holds.
#[derive(Debug, Default)]
pub(super) struct KeyFiles {
    pub(super) keys: Vec<(CallerName, KeyDigest)>,
    pub(super) mistakes: Vec<UseKeyFile>,
}

/// A file holds no usable key. Names the file and never says what is in it.
#[derive(Debug, thiserror::Error)]
#[error("the file {name:?} cannot be used")]
pub(super) struct UseKeyFile {
    name: String,
    #[source]
    source: ReadKey,
}

#[derive(Debug, thiserror::Error)]
enum ReadKey {
    #[error(transparent)]
    ReadName(#[from] ReadCallerName),
    #[error(transparent)]
    CheckKey(#[from] CheckKey),
    #[error(transparent)]
    ReadFile(#[from] std::io::Error),
}

impl KeyFiles {
    /// Reads every regular file, and what a link leads to. Names that begin with a dot are passed over, as a mounted
    /// Secret keeps its versions under such names; so is what is no file.
    pub(super) fn read(directory: &Path) -> Result<Self, LoadKeys> {
        let unreadable = |source| LoadKeys::ReadDirectory {
            path: directory.to_owned(),
            source,
        };
        let mut files = Self::default();
        for entry in std::fs::read_dir(directory).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if files.keys.len() + files.mistakes.len() == MOST_FILES {
                return Err(LoadKeys::CountKeys {
                    path: directory.to_owned(),
                    most: MOST_FILES,
                });
            }
            match read_key(directory, &name) {
                Ok(None) => {}
                Ok(Some(key)) => files.keys.push(key),
                Err(source) => files.mistakes.push(UseKeyFile {
                    name: name.to_string_lossy().into_owned(),
                    source,
                }),
            }
        }
        Ok(files)
    }
}

/// `None` when there is no file of this name but something else.
fn read_key(directory: &Path, name: &OsStr) -> Result<Option<(CallerName, KeyDigest)>, ReadKey> {
    let path = directory.join(name);
    // Follows links, and is asked first, since opening a pipe would wait for somebody to write into it.
    if !std::fs::metadata(&path)?.is_file() {
        return Ok(None);
    }
    let caller = CallerName::try_from(name.to_str().unwrap_or_default())?;
    let mut bytes = Vec::new();
    File::open(&path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    let end = bytes
        .iter()
        .rposition(|byte| !b"\r\n".contains(byte))
        .map_or(0, |last| last + 1);
    bytes.truncate(end);
    Ok(Some((caller, KeyDigest::of_valid(&bytes)?)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const KEY: &str = "0123456789abcdef";

    #[test]
    fn files_and_links_to_files_are_keys_and_dotted_names_and_directories_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::create_dir(path("..2026")).unwrap();
        std::fs::write(path("..2026/alice"), format!("{KEY}-alice\n")).unwrap();
        symlink("..2026", path("..data")).unwrap();
        symlink("..data/alice", path("alice")).unwrap();
        std::fs::write(path("bob"), format!("{KEY}-bob\r\n\n")).unwrap();
        std::fs::write(path(".bob.swp"), "x").unwrap();
        std::fs::create_dir(path("lost+found")).unwrap();
        let mut files = KeyFiles::read(directory.path()).unwrap();
        assert!(files.mistakes.is_empty(), "{:?}", files.mistakes);
        files.keys.sort_by(|(one, _), (other, _)| one.cmp(other));
        let expected = ["alice", "bob"].map(|name| {
            (
                CallerName::try_from(name).unwrap(),
                KeyDigest::of(format!("{KEY}-{name}").as_bytes()),
            )
        });
        assert_eq!(files.keys, expected);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_and_the_others_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for (name, content) in [
            ("good", KEY.to_owned()),
            ("two-lines", format!("{KEY}\n{KEY}\n")),
            ("empty", String::new()),
            ("endless", "x".repeat(1 << 20)),
            ("backup~", KEY.to_owned()),
        ] {
            std::fs::write(path(name), content).unwrap();
        }
        symlink("nowhere", path("dangling")).unwrap();
        let files = KeyFiles::read(directory.path()).unwrap();
        assert_eq!(files.keys.len(), 1);
        let mut named: Vec<&str> = files.mistakes.iter().map(|mistake| mistake.name.as_str()).collect();
        named.sort_unstable();
        assert_eq!(named, ["backup~", "dangling", "empty", "endless", "two-lines"]);
        assert!(!format!("{:?}", files.mistakes).contains(KEY));
    }
}
